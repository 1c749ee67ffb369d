"""Further small worlds: things that change places, food that runs out, tastes that change, who cooked, what came of it.

They go like stories of hidden objects, and what each is about is a fluent of the simulation (`where(thing)`),
whatever its values are called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from socialr1_lite.stories.base import Rng
from socialr1_lite.stories.plots import LATER, Plot, Step, Teller, chapter_about, dispersal, told_sensibly
from socialr1_lite.stories.wording import LEXICON, THEIR, Lexicon
from socialr1_lite.stories.world import Event

LEAVE = 0.35  # share of those present who leave before each change
ONLOOKER = 0.3  # share of changes that somebody sees unseen, or misses
PASSED_ON = 0.3  # share of stories in which somebody writes a message afterwards
TABLE, GONE = "table", "rubbish"
GOOD, SPOILT = "good", "spoilt"
DINING = {"train": ("kitchen", "dining room"), "test": ("lounge", "conservatory")}
FOODS = {
    "train": ("soup", "cake", "salad", "stew", "pie", "porridge", "pasta", "pizza", "trifle", "casserole"),
    "test": ("curry", "moussaka", "waffle", "risotto", "quiche", "pudding", "lasagne", "muffin", "crumble", "goulash"),
}
SERVED = (
    "One portion of the {f} stood on the table.", "On the table there was one portion of the {f}.",
    "{a} put one portion of the {f} on the table.", "There was enough of the {f} for one person.",
    "The table also held a plate of the {f}.",
)  # fmt: skip
EATEN = (
    "{a} ate up the {f}.", "{a} finished the {f}, so that none of it was left.",
    "{a} knocked over the {f} and had to throw it away.", "{a} gave the {f} to a hungry neighbour.",
    "{a} took the {f} away and fed it to the dog.",
)  # fmt: skip
LIKED = (
    "{y} tasted everything, and it was plain to see that {y} liked the {f} best.",
    "After a spoonful of each dish, {y} pointed at the {f} as the one that {she} liked best.",
    "{y} tried each dish and declared the {f} the best of all.",
)
LIKED_NOW = (
    "{y} tasted everything once more, pushed away the {g} and held up the {f} as the best.",
    "{y} tried a second spoonful of each dish and now gave the first place to the {f} instead of the {g}.",
    "With another taste of everything, {y} changed {hers} mind and preferred the {f} to the {g}.",
    "{y} made a face at the {g} and said that the {f} was the best after all.",
)
COOKED = ("{a} cooked the {f}.", "{a} made the {f}.", "{a} prepared the {f} with a lot of care.")
COOKED_ANEW = (
    "{a} poured {b}'s {f} away and cooked another in the same pot.",
    "{a} threw {b}'s {f} out and made a new one that looked the same.",
    "The {f} was dropped, and {a} cooked a new one that looked just like {b}'s.",
)
STATES = {
    GOOD: ("The {f} had turned out well.", "The {f} smelled wonderful.", "Everyone agreed that the {f} was a success."),
    SPOILT: (
        "The {f} had turned out badly.",
        "The {f} smelled of nothing but smoke.",
        "Everyone agreed that the {f} was a failure.",
    ),
}
STATES_NOW = {
    GOOD: (
        "{a} rescued the {f} with cream and spices.", "{a} seasoned the {f} again until it was delicious.",
        "{a} worked on the {f} until it was a delight.",
    ),
    SPOILT: (
        "{a} spoilt the {f} with a whole packet of salt.", "{a} ruined the {f} by letting it burn.",
        "{a} dropped a bar of soap into the {f} and spoilt it.",
    ),
}  # fmt: skip

SceneChange = Callable[[Teller], Step]
Hearsay = tuple[str, str, str]  # thing, value, and the clause that says so


def _run(
    rng: Rng, teller: Teller, first: Callable[[], None], changes: Sequence[SceneChange], keep: Sequence[str] = ()
) -> None:
    """Tell the beginning, then each change after some people have left, at times with an onlooker."""
    first()
    for change in changes:
        _departures(rng, teller, keep)
        if rng.chance(0.4):
            teller.filler(())
        step = change(teller)
        teller.steps.append(step)
        outside = [who for who in teller.people if who not in teller.present]
        inside = [who for who in teller.present if who != step.event.actor]
        if outside and rng.chance(ONLOOKER):
            teller.modifier(rng.pick(("peek", "peek", "camera", "monitor")), rng.pick(outside))
        elif inside and rng.chance(ONLOOKER):
            teller.modifier(rng.pick(("distract", "daydream")), rng.pick(inside))
    _departures(rng, teller, ())


def _departures(rng: Rng, teller: Teller, keep: Sequence[str]) -> None:
    for who in list(teller.present):
        if len(teller.present) > 1 and who not in keep and rng.chance(LEAVE):
            teller.leave(who)


def _message(rng: Rng, teller: Teller, about: Callable[[], Hearsay], unable: Sequence[str] = ()) -> None:
    """Let perhaps somebody write to one whose leaving they saw."""
    away = {h: sorted(seen) for h, seen in teller.saw_leave.items() if h not in (*teller.present, *unable)}
    pairs = [(s, h) for h, seen in away.items() for s in seen]
    if pairs and rng.chance(PASSED_ON):
        speaker, hearer = rng.pick(pairs)
        thing, value, clause = about()
        sent = f"{speaker} sent {hearer} a private message saying that {clause}."
        text = rng.pick((sent, f"{speaker} texted {hearer}, and only {hearer}, that {clause}."))
        teller.steps.append(Step(Event("tell", speaker, thing, value, (hearer,)), text))


def _plot(rng: Rng, teller: Teller, chapters: int, thing: str, places: Sequence[str]) -> Plot:
    """Make a plot of the scene, after chapters about other things in other rooms if wanted."""
    if rng.chance(0.7):
        teller.filler(())
    plot = Plot(teller.steps, dict.fromkeys(places, teller.room), teller.people, thing, list(places))
    for _ in range(chapters - 1):
        plot = _with_chapter(rng, teller.words, plot)
    return plot


def _with_chapter(rng: Rng, words: Lexicon, plot: Plot) -> Plot:
    """Put a chapter before the plot that has nothing to do with it: what is done at the end stays in the last room."""
    story = " ".join(plot.sentences)

    def unused(nouns: Sequence[str]) -> list[str]:
        return [noun for noun in nouns if noun not in story]

    room, thing = rng.pick(unused(words.rooms)), rng.pick(unused(words.things))
    places = rng.sample(unused(words.containers), 3)
    other = chapter_about(rng, words, rng.sample(plot.cast, max(2, len(plot.cast) - 1)), room, thing, places).steps
    last = [step for step in other if step.event.kind == "enter" and len(step.event.people) > 1][-1].event
    begin = replace(plot.steps[0], text=f"{rng.pick(LATER)}, {plot.steps[0].text}")
    gap = len(other) + 1
    return replace(
        plot,
        steps=[*other, dispersal(last.people, last.place), begin, *plot.steps[1:]],
        openings=(0, *(i + gap for i in plot.openings)),
        rooms=plot.rooms | dict.fromkeys(places, room),
        others=[*plot.others, thing],
        _world=None,
    )


@told_sensibly
def swaps(rng: Rng, split: str, *, people: int, count: int, chapters: int = 1) -> Plot:
    """Tell of `count` things in as many containers; some change places. Set `thing` to the one that is asked about."""
    words = LEXICON[split]
    teller = Teller(rng, words, rng.sample(tuple(words.people), people), rng.pick(words.rooms))
    things, places = rng.sample(words.things, count), rng.sample(words.containers, count)
    at = dict(zip(things, places, strict=True))

    def first() -> None:
        teller.set_out(rng.sample(places, count) if rng.chance(0.5) else ())
        for thing in things:
            teller.put(thing, at[thing])

    def swap(teller: Teller) -> Step:
        one, two = rng.sample(things, 2)
        who = rng.pick(teller.present)
        at[one], at[two] = at[two], at[one]
        teller.add("swap", actor=who, thing=one, other=two, a=who, o=one, o2=two)
        return teller.steps.pop()

    _run(rng, teller, first, [swap] * (1 + rng.below(2)))  # and no words: they would tell of half an exchange
    plot = _plot(rng, teller, chapters, things[0], places)
    return replace(plot, others=[*plot.others, *things[1:]])


@told_sensibly
def menu(rng: Rng, split: str, *, people: int, count: int, chapters: int = 1) -> Plot:
    """Tell of `count` dishes on a table (`others`), one or two of which run out; `thing` is one that ran out."""
    words = LEXICON[split]
    cast = rng.sample(tuple(words.people), people)
    teller = Teller(rng, words, cast, rng.pick(DINING[split]))
    foods = rng.sample(FOODS[split], count)
    finished = rng.sample(foods, 1 + rng.chance(0.5))
    ways = rng.sample(EATEN, 2)

    def first() -> None:
        teller.set_out(())
        for food, phrase in zip(foods, rng.sample(SERVED, count), strict=True):
            text = phrase.format(f=food, a=rng.pick(teller.people))
            teller.steps.append(Step(Event("put", thing=food, place=TABLE), text))

    def finish(food: str, way: str) -> SceneChange:
        def change(teller: Teller) -> Step:
            who = rng.pick(teller.present)
            return Step(Event("move", who, food, GONE), way.format(a=who, f=food))

        return change

    def about() -> Hearsay:
        food = rng.pick(finished)
        return food, GONE, f"the {food} was all gone"

    _run(rng, teller, first, [finish(food, way) for food, way in zip(finished, ways, strict=False)])
    _message(rng, teller, about)
    plot = _plot(rng, teller, chapters, rng.pick(finished), (TABLE, GONE))
    return replace(plot, others=[*plot.others, *foods])


def favourite_of(name: str) -> str:
    """Name the fluent: which dish somebody likes best."""
    return f"favourite of {name}"


@told_sensibly
def tastes(rng: Rng, split: str, *, people: int, count: int, chapters: int = 1) -> Plot:
    """Tell how somebody (the first of the cast) likes one dish best, then another. `places` are the dishes."""
    words = LEXICON[split]
    cast = rng.sample(tuple(words.people), people)
    room = rng.pick(DINING[split])
    teller = Teller(rng, words, rng.sample(cast, people), room)
    foods = rng.sample(FOODS[split], count)
    who = cast[0]
    pronouns = {"y": who, "she": words.people[who], "hers": THEIR[words.people[who]]}
    ways = rng.sample(LIKED_NOW, count - 1)
    fluent = favourite_of(who)

    def first() -> None:
        teller.set_out(())
        text = rng.pick(LIKED).format(f=foods[0], **pronouns)
        teller.steps.append(Step(Event("put", thing=fluent, place=foods[0]), text))

    def change(old: str, new: str, way: str) -> SceneChange:
        return lambda teller: Step(Event("move", who, fluent, new), way.format(f=new, g=old, **pronouns))

    def about() -> Hearsay:
        food = foods[-1] if rng.chance(0.6) else rng.pick(foods)
        return fluent, food, f"{who} liked the {food} best"

    changes = [change(old, new, way) for old, new, way in zip(foods, foods[1:], ways, strict=False)]
    _run(rng, teller, first, changes, keep=(who,))
    _message(rng, teller, about, unable=(who,))
    return replace(_plot(rng, teller, chapters, fluent, foods), cast=cast)


@told_sensibly
def cooks(rng: Rng, split: str, *, people: int, chapters: int = 1) -> tuple[Plot, str]:
    """Tell how one cooks a dish and another cooks it anew. Returns the plot (`places`: the two) and the dish."""
    words = LEXICON[split]
    room = "kitchen" if split == "train" else "cabin"
    teller = Teller(rng, words, rng.sample(tuple(words.people), people), room)
    food = rng.pick(FOODS[split])
    one, two = rng.sample(teller.people, 2)
    fluent = f"cook of the {food}"

    def first() -> None:
        teller.set_out(())
        teller.steps.append(Step(Event("put", one, fluent, one), rng.pick(COOKED).format(a=one, f=food)))

    def anew(teller: Teller) -> Step:
        return Step(Event("move", two, fluent, two), rng.pick(COOKED_ANEW).format(a=two, b=one, f=food))

    _run(rng, teller, first, [anew], keep=(two,))
    _message(rng, teller, lambda: (fluent, two, f"{two} had cooked the {food}"))
    return _plot(rng, teller, chapters, fluent, (one, two)), food


@told_sensibly
def outcomes(rng: Rng, split: str, *, people: int, chapters: int = 1) -> tuple[Plot, str]:
    """Tell how a dish turns out well or badly, then the other way. Returns the plot (`places`: both) and the dish."""
    words = LEXICON[split]
    room = "kitchen" if split == "train" else "cabin"
    teller = Teller(rng, words, rng.sample(tuple(words.people), people), room)
    food = rng.pick(FOODS[split])
    before, after = rng.sample((GOOD, SPOILT), 2)
    fluent = f"state of the {food}"

    def first() -> None:
        teller.set_out(())
        teller.steps.append(Step(Event("put", thing=fluent, place=before), rng.pick(STATES[before]).format(f=food)))

    def change(teller: Teller) -> Step:
        who = rng.pick(teller.present)
        return Step(Event("move", who, fluent, after), rng.pick(STATES_NOW[after]).format(a=who, f=food))

    _run(rng, teller, first, [change])
    clause = f"the {food} was now {'delicious' if after == GOOD else 'spoilt'}"
    _message(rng, teller, lambda: (fluent, after, clause))
    return _plot(rng, teller, chapters, fluent, (GOOD, SPOILT)), food
