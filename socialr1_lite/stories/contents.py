"""Unexpected contents: what somebody thinks is in a container, by its label, by a look, through glass, by hearsay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from socialr1_lite.scenario import Claim
from socialr1_lite.stories.base import Draft, Family, Request, Rng
from socialr1_lite.stories.plots import Plot, Step, decisive, knowing, sensible, told_sensibly
from socialr1_lite.stories.wording import LEXICON, a, say
from socialr1_lite.stories.world import Event, World, inside

Chain = tuple[str, ...]
OPAQUE = frozenset({"wooden", "cardboard"})  # never see-through
EDITS = ("relabelled before or after", "looked inside", "transparent container", "told otherwise")
STRICT_EDITS = EDITS[1:3]  # those whose stories need none of the others


def contents(request: Request) -> Family | None:
    """Ask what X thinks (that Y thinks) is in the container."""
    rng = request.rng
    things = 2 + rng.below(3) if request.options == 0 else min(request.options, 4)
    things = min(things, 3) if request.order > 2 else things  # what is only said is thought by two people at most
    plot, container = labelled(rng, request.split, people=request.people(max(3, request.order + 1)), things=things)
    named = plot.places
    target = named[int(request.slot * len(named))]
    chains = [tuple(rng.sample(plot.cast, request.order)) for _ in range(6)]
    fluent = inside(container)
    chain = next(
        (c for c in chains if plot.world.believes(c, fluent) == target and plot.world.certain(c, fluent)), None
    )
    if chain is None:
        return None
    note, _ = say(rng, "asked", a=chain[0], c=container)
    plot = plot.edited([*plot.steps, Step(Event("note", actor=chain[0]), note)])
    for name, other in _edits(rng, plot, container):
        if not request.scope.admits(name, [other.devices]):
            continue
        changed = other.world.believes(chain, inside(container))
        if changed != target and changed in named and other.world.certain(chain, fluent) and sensible(other):
            ask = question(chain, container, rng)
            drafts = tuple(_draft(p, chain, container, ask) for p in (plot, other))
            rest = [thing for thing in LEXICON[request.split].things if thing not in named]
            more = rng.sample(rest, max(0, request.options - len(named)))
            shown = tuple(a(thing) for thing in (*named, *more))
            return Family(drafts, shown, tuple(plot.cast), (*named, container), name)
    return None


def question(chain: Chain, container: str, rng: Rng) -> str:
    """Ask what the chain thinks is in the container, in one of several ways."""
    if len(chain) > 1:
        before = f"What does {chain[0]} think" + "".join(f" that {name} thinks" for name in chain[1:-1])
        return rng.pick((f"{before} that {chain[-1]} thinks is in the {container}?",
                          f"{before} that {chain[-1]} expects to find in the {container}?"))  # fmt: skip
    return rng.pick((f"What does {chain[0]} think is in the {container}?",
                      f"What does {chain[0]} expect to find in the {container}?",
                      f"What will {chain[0]} honestly say is in the {container}?"))  # fmt: skip


@told_sensibly
def labelled(rng: Rng, split: str, *, people: int, things: int) -> tuple[Plot, str]:
    """Tell of a labelled container; returns the plot, whose `places` are the things said to be in it, and it.

    things[0] is really inside, things[1] on the label; a third is on a new label; a fourth is only spoken of.
    """
    words = LEXICON[split]
    cast = rng.sample(tuple(words.people), people)
    named = rng.sample([thing for thing in words.things if " " not in thing], things)
    # things of one word: "an ice pack" in the reasoning would be an option's full text, settled on too early
    container = rng.pick([c for c in words.containers if c.split()[0] not in OPAQUE])
    room = rng.pick(words.rooms)
    host, guests = cast[0], cast[1:]
    glass = rng.chance(0.2)
    used: set[str] = set()

    def step(event: Event, phrase: str, **said: str) -> Step:
        text, phrase = say(rng, phrase, used, c=container, room=room, **said)
        used.add(phrase)
        return Step(event, text, phrase)

    steps = [
        step(Event("enter", people=(host,), place=room), "enter", a=host),
        step(Event("label", thing=named[1], place=container), "label", x=named[1], an_x=a(named[1])),
        step(Event("note"), "glass" if glass else "closed"),
        step(Event("put", actor=host, thing=named[0], place=container), "fill", a=host, an_x=a(named[0])),
    ]
    relabelled = rng.below(len(guests)) if things > 2 else -1  # before which guest comes
    for i, guest in enumerate(guests):
        if i == relabelled:
            steps.append(step(Event("label", host, named[2], container), "relabel", a=host, x=named[2]))
        steps.append(step(Event("enter", people=(guest,), place=room), "come", a=guest))
        if rng.chance(0.3):
            steps.append(step(Event("look", guest, place=container), "look", a=guest))
        if rng.chance(0.5):
            steps.append(step(Event("leave", people=(guest,), place=room), "leave", a=guest))
    gone = [s.event.people[0] for s in steps if s.event.kind == "leave"]
    if things > 3 or rng.chance(0.2):
        speaker, hearer = rng.pick([name for name in cast if name not in gone[:1]]), rng.pick(gone or guests)
        if speaker != hearer:
            thing = named[3] if things > 3 else rng.pick(named)
            event = Event("tell", speaker, thing, container, (hearer,))
            steps.append(step(event, "tell inside", a=speaker, b=hearer, an_x=a(thing)))
    transparent = frozenset({container}) if glass else frozenset()
    return Plot(steps, {container: room}, cast, container, named, (0,), transparent=transparent), container


def _edits(rng: Rng, plot: Plot, container: str) -> list[tuple[str, Plot]]:
    """Make small edits of a story about contents, in random order."""
    steps, found = plot.steps, []
    used = {step.phrase for step in steps}
    for i, step in enumerate(steps[:-1]):
        event, following = step.event, steps[i + 1]
        kinds = {event.kind, following.event.kind}
        if i > 3 and kinds == {"enter", "label"}:
            found.append((EDITS[0], plot.edited([*steps[:i], following, step, *steps[i + 2 :]])))
        if event.kind == "look":
            found.append((EDITS[1], plot.edited([*steps[:i], *steps[i + 1 :]])))
        elif event.kind == "enter" and i > 3 and following.event.kind != "look":
            guest = event.people[0]
            look = Step(Event("look", guest, place=container), *say(rng, "look", used, a=guest, c=container))
            found.append((EDITS[1], plot.edited([*steps[: i + 1], look, *steps[i + 1 :]])))
        elif event.kind == "tell":
            found += [(EDITS[3], _said(plot, i, thing)) for thing in plot.places if thing != event.thing]
    glass = not plot.transparent
    closed = Step(steps[2].event, *say(rng, "glass" if glass else "closed", c=container))
    other = plot.edited([*steps[:2], closed, *steps[3:]])
    other.transparent = frozenset({container}) if glass else frozenset()
    found.append((EDITS[2], other))
    rng.shuffle(found)
    return found


def _said(plot: Plot, i: int, thing: str) -> Plot:
    step = plot.steps[i]
    text = step.text.replace(a(step.event.thing), a(thing))
    changed = Step(replace(step.event, thing=thing), text, step.phrase)
    return plot.edited([*plot.steps[:i], changed, *plot.steps[i + 1 :]])


def _draft(plot: Plot, chain: Chain, container: str, ask: str) -> Draft:
    def answer(world: World) -> str | None:
        return world.believes(chain, inside(container))

    gold = answer(plot.world)
    assert gold is not None  # the caller chose the chain and the twin by their beliefs
    holders = dict.fromkeys((chain, (), *((name,) for name in (*chain, *plot.cast))))
    held = {h: plot.world.believes(h, inside(container)) for h in holders}
    claims = tuple(_holds(container, h, thing, plot.places) for h, thing in held.items() if thing in plot.places)
    telling = [i for i, s in enumerate(plot.steps) if gold in (s.event.thing, *s.text.split())]
    return Draft(
        sentences=plot.sentences,
        question=ask,
        gold=a(gold),
        cues=decisive(plot, answer) or tuple(telling[-1:]) or (1,),
        claims=claims,
        known=knowing(plot.world, claims),
        goal=Claim((), chain[0], "wants", f"to say what is in the {container}", ("to keep it secret",)),
        shortcuts=_shortcuts(plot, chain, container, gold),
        marks={"reality": a(plot.places[0]), "label": a(plot.places[1])},
        devices=plot.devices,
    )


def _holds(container: str, holders: Chain, thing: str, things: Sequence[str]) -> Claim:
    rivals = tuple(a(other) for other in things if other != thing)
    return Claim(holders, f"the {container}", "contains", a(thing), rivals)


def _shortcuts(plot: Plot, chain: Chain, container: str, gold: str) -> dict[str, str]:
    """Name what each wrong thing stands for, the most telling name first."""
    world, fluent = plot.world, inside(container)
    candidates = [(world.believes(chain[1:], fluent), "one order too low")] if len(chain) > 1 else []
    candidates += [(plot.places[0], "reality"), (plot.places[1], "the label")]
    candidates += [(world.believes((name,), fluent), "another person's belief") for name in plot.cast]
    candidates += [(thing, "only said") for thing in plot.places]
    named: dict[str, str] = {}
    for thing, name in candidates:
        if thing is not None and thing != gold:
            named.setdefault(a(thing), name)
    return named
