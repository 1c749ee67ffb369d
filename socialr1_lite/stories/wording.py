"""Words: who and what a story can be about, and several ways to say each kind of event.

Nothing of the test split's people, things, containers and rooms occurs in the train split. Every sentence stands by
itself (no "then", no pronoun for somebody of another sentence), so that a twin can move or drop one and stay good
English; only a modifier ("this") leans on the event it follows, and it always follows it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from socialr1_lite.stories.base import Rng


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One split's words. `people`: name -> "she" or "he". All nouns are singular, without article."""

    people: dict[str, str]
    things: tuple[str, ...]
    containers: tuple[str, ...]
    rooms: tuple[str, ...]


def _people(she: str, he: str) -> dict[str, str]:
    return dict.fromkeys(she.split(), "she") | dict.fromkeys(he.split(), "he")


def _nouns(words: str) -> tuple[str, ...]:
    return tuple(words.split(", "))


LEXICON = {
    "train": Lexicon(
        people=_people(
            "Anna Clara Elena Grace Isabel Kate Maria Olivia Rosa Tessa Wendy Beatrice Diana Fiona Hannah Julia Laura "
            "Nina Priya Sofia Yuki Mei Lucy Zoe Aisha Carmen",
            "Ben David Felix Henry Jack Leo Nathan Paul Samuel Victor Adam Carlos Edward George Ivan Kevin Marcus "
            "Oscar Ravi Thomas Omar Ahmed Peter Simon Daniel Tariq",
        ),
        things=_nouns(
            "ball, scarf, key, watch, flute, diary, teddy bear, apple, orange, eraser, ice pack, notebook, "
            "torch, whistle, ring, letter, stapler, egg timer, onion, toy car, passport, wallet, paintbrush, "
            "spoon, candle, hat, bracelet, ticket, map, chocolate bar"
        ),
        containers=_nouns(
            "drawer, wardrobe, suitcase, backpack, toolbox, cupboard, wooden chest, cardboard box, biscuit tin, "
            "laundry bag, handbag, shoebox, locker, trunk, picnic hamper, cooler, plastic tub, oven, crate, "
            "sports bag, holdall, hatbox, lunchbox, safe"
        ),
        rooms=_nouns(
            "kitchen, living room, bedroom, garage, attic, office, classroom, library, basement, playroom, "
            "staff room, dining room"
        ),
    ),
    "test": Lexicon(
        people=_people(
            "Abigail Chloe Esther Gloria Ingrid Kira Mabel Odette Ruth Tamara Vera Xenia Zelda Amara Celia Emma "
            "Harriet Joan Leila Nadia",
            "Boris Dmitri Farid Hugo Jamal Lars Noah Pedro Quentin Stefan Umberto Walter Yusuf Bruno Dominic Gustav "
            "Ismael Kenji Matteo Otto",
        ),
        things=_nouns(
            "marble, glove, necklace, hammer, compass, lemon, acorn, harmonica, postcard, calculator, mug, "
            "doll, avocado, novel, padlock, magnet, thimble, coin, envelope, sandwich"
        ),
        containers=_nouns(
            "barrel, sack, briefcase, satchel, bread bin, linen closet, filing cabinet, urn, dresser, pouch, "
            "sideboard, rucksack, fridge, hutch, casket, carton, strongbox, bureau"
        ),
        rooms=_nouns("conservatory, hallway, nursery, cabin, cellar, lounge, den, studio, workshop, barn"),
    ),
}

GENDERS = {name: pronoun for words in LEXICON.values() for name, pronoun in words.people.items()}
THEM = {"she": "her", "he": "him"}
THEIR = {"she": "her", "he": "his"}
SELF = {"she": "herself", "he": "himself"}

PHRASES: dict[str, tuple[str, ...]] = {
    "set out": (
        "{all} were in the {room}.", "{all} were together in the {room}.", "{all} spent the afternoon in the {room}.",
        "{all} had all come to the {room}.", "{all} met in the {room}.", "{all} were sitting in the {room}.",
    ),
    "furniture": (
        "There were {containers} in the {room}.", "The {room} held {containers}.", "In the {room} stood {containers}.",
        "Around them were {containers}.",
    ),
    "put": (
        "The {o} was in the {c}.", "{a} put the {o} in the {c}.",
        "{a} placed the {o} in the {c} while everyone watched.",
        "To begin with, the {o} was in the {c}, as everyone could see.", "Everyone saw {a} lay the {o} in the {c}.",
        "{a} had just put the {o} away in the {c}.",
    ),
    "move": (
        "{a} moved the {o} to the {c}.", "{a} took the {o} out of the {src} and put it in the {c}.",
        "{a} moved the {o} from the {src} to the {c}.", "{a} picked up the {o} and put it in the {c}.",
        "{a} decided that the {o} belonged in the {c} and put it there.",
        "The {o} went from the {src} into the {c}, because {a} wanted it there.",
    ),
    "swap": (
        "{a} made the {o} and the {o2} change places.",
        "{a} swapped the {o} with the {o2}, so that each was now where the other had been.",
        "{a} exchanged the {o} for the {o2}, putting each in the other's place.",
    ),
    "leave": (
        "{a} left the {room}.", "{a} went out of the {room}.", "{a} walked out of the {room} and closed the door.",
        "{a} had to leave the {room} for a while.", "{a} stepped out of the {room} to make a phone call.",
        "{a} went away from the {room} to run an errand.",
    ),
    "enter": ("{a} came into the {room}.", "{a} walked into the {room}.", "{a} entered the {room}."),
    "return": ("{a} came back to the {room}.", "{a} returned to the {room}.", "{a} walked into the {room} again."),
    "look": ("{a} looked into the {c}.", "{a} opened the {c} and looked inside.", "{a} checked what was in the {c}."),
    "peek": (
        "{a} saw this through a gap in the door, but nobody noticed {them}.",
        "Through the window, {a} watched this happen without being seen.",
        "{a} was peeping through the keyhole and saw this, though nobody knew.",
        "Unknown to everyone inside, {a} was watching this from the garden.",
    ),
    "camera": (
        "A camera that everyone else had forgotten showed this to {a} on a screen elsewhere.",
        "{a} saw this on {their} phone through a camera that nobody else remembered.",
    ),
    "monitor": (
        "As everyone knew, {a} was following this live over a video link.",
        "{a} was watching this on a video call, and everyone was aware of it.",
    ),
    "distract": (
        "{a} was in the room, but was fast asleep at that moment, as anyone could see.",
        "{a} was present, but sat with closed eyes and loud headphones and plainly missed this.",
        "Everyone could tell that {a}, bent over {their} phone in the corner, had missed this.",
    ),
    "daydream": (
        "{a} seemed to be watching this, but was lost in thought and took nothing in, which nobody noticed.",
        "It looked as if {a} had seen this, but in truth {their} mind was elsewhere and {a} had missed it.",
    ),
    "tell": (
        "{a} told {b} in private that the {o} was in the {c}.",
        "In a quiet moment outside, {a} told only {b} that the {o} was in the {c}.",
        "When they met outside, {a} said to {b} alone that the {o} was in the {c}.",
    ),
    "message": (
        "{a} sent {b} a private message saying that the {o} was in the {c}.",
        "{a} texted {b}, and only {b}, that the {o} was in the {c}.",
        "{b} got a private message from {a} saying that the {o} was in the {c}.",
    ),
    "overhear": (
        "{a} overheard this from behind a hedge, and neither of the two noticed {them}.",
        "Without the two of them knowing, {a} heard every word of this.",
    ),
    "need": (
        "Now {a} needs the {o}.", "{a} would like to have the {o} now.", "A little later, {a} wants the {o}.",
        "Soon {a} will need the {o}.", "{a} suddenly remembers the {o} and wants it.",
    ),
    "label": (
        "The label on the {c} said “{x}”.", "On the {c} somebody had written “{x}”.",
        "According to its label, the {c} held {an_x}.", "The {c} was marked “{x}”.",
    ),
    "fill": (
        "When nobody else was there, {a} put {an_x} into the {c}.",
        "{a}, who was alone in the {room}, put {an_x} into the {c}.", "Unobserved, {a} placed {an_x} in the {c}.",
    ),
    "relabel": (
        "{a} changed the label of the {c} to “{x}”.", "{a} put a new label on the {c}, which said “{x}”.",
        "{a} crossed out the label of the {c} and wrote “{x}” instead.",
    ),
    "closed": (
        "The {c} was closed, so nobody could see what was in it from outside.",
        "From outside one could not see what was in the {c}.",
    ),
    "glass": (
        "The {c} was transparent, so everyone who came in could see what was in it.",
        "Anybody who came in could see what was in the {c}, because it was see-through.",
    ),
    "come": (
        "{a} came into the {room} and noticed the {c}.", "{a} walked into the {room} and saw the {c} standing there.",
        "{a} entered the {room} and caught sight of the {c}.",
    ),
    "tell inside": (
        "Later, {a} told {b} in private that there was {an_x} in the {c}.",
        "In a private message, {a} wrote to {b} that there was {an_x} in the {c}.",
        "{a} said to {b}, when nobody else could hear it, that the {c} held {an_x}.",
    ),
    "asked": (
        "Now {a} has to say what is in the {c}.", "A visitor asks {a} about the {c}.",
        "Somebody wants to hear from {a} what is in the {c}.",
    ),
    "note place": (
        "{a} thought that the {c} needed cleaning.",
        "{a} said that the {c} looked rather old.",
        "{a} wondered who had bought the {c}.",
        "{a} remarked that the {c} had been a good buy.",
    ),
    "note": (
        "{a} hummed a tune.", "{a} talked about the weather.", "The clock struck four.", "{a} felt a little tired.",
        "A dog barked somewhere outside.", "{a} was looking forward to the weekend.",
    ),
}  # fmt: skip


def say(rng: Rng, kind: str, used: Container[str] = (), **words: str) -> tuple[str, str]:
    """Write one sentence for such an event, and give its phrasing: not one of the `used` if others are left."""
    fresh = [phrase for phrase in PHRASES[kind] if phrase not in used]
    phrase = rng.pick(fresh or PHRASES[kind])
    sentence = phrase.format(**words)
    return sentence[0].upper() + sentence[1:], phrase


def a(noun: str) -> str:
    """Give the noun with its indefinite article."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def listed(words: Sequence[str], last: str = "and") -> str:
    """Join the words as a list in a sentence: "Anna", "Anna and Ben", "Anna, Ben and Clara"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def thinking(chain: Sequence[str]) -> str:
    """Open a question about a thought: "does Anna think that Ben thinks"."""
    return f"does {chain[0]} think" + "".join(f" that {name} thinks" for name in chain[1:])
