"""Learn the weights by which plain sentences are read (`sip/evidence.json`, `settling.json`), and say how well.

    python benchmarks/unmarked.py [--write]

Multinomial logistic regression with an L2 penalty on the labelled sentences of the corpus' train part and of
`benchmarks/unmarked_sentences.jsonl`; for what settles on an option also on honest replies under headings, on
`benchmarks/settling_sentences.jsonl` (rows of options, the one that is settled on, and sentences that do and do not)
and on `benchmarks/settling_replies.jsonl`, whose rhetoric would only blur what a sentence is for.
Held back by story (or row) in eight folds: Cohen's kappa of the stages; of sentences that settle the share found, of
others the share taken for such.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson
import torch

from socialr1_lite.judges.agreement import kappa
from socialr1_lite.judges.corpus import HONEST, LabelledReply, read_corpus, read_labels
from socialr1_lite.sip import STAGES, evidence, letters, parse
from socialr1_lite.sip import sentences as split
from socialr1_lite.sip.settling import readings, settled_label
from socialr1_lite.sip.wording import plain

FOLDS, LEAST_WEIGHT = 8, 0.08
LEAST_SEEN, PAIR_LEAST_SEEN = 3, 5  # sentences of the training part that a feature must occur in
LABELS = (None, *STAGES)
HERE, ROOM = Path(__file__).parent, Path(evidence.__file__).parent

Table = dict[str, list[float]]


class Labelled(NamedTuple):
    """One sentence: where it comes from (held back as a whole), its features, its label, what it counts to."""

    source: str
    features: frozenset[str]
    label: int
    kind: str


def learn(given: Sequence[Labelled], *, l2: float, pairs_seen: int = PAIR_LEAST_SEEN) -> Table:
    """Return the weights of each feature, label by label; "bias" is what counts without any."""
    seen = Counter(feature for one in given for feature in one.features)
    kept = (name for name, count in seen.items() if count >= (pairs_seen if "_" in name else LEAST_SEEN))
    column = {name: at for at, name in enumerate(["bias", *sorted(kept)])}
    rows = torch.zeros(len(given), len(column), dtype=torch.float64)
    rows[:, 0] = 1.0
    for at, one in enumerate(given):
        rows[at, [column[name] for name in one.features if name in column]] = 1.0
    wanted = torch.tensor([one.label for one in given])
    weights = torch.zeros(len(column), int(wanted.max()) + 1, dtype=torch.float64, requires_grad=True)
    steps = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        steps.zero_grad()
        fit = torch.nn.functional.cross_entropy(rows @ weights, wanted, reduction="sum")
        (total := fit + l2 * (weights[1:] ** 2).sum()).backward()
        return total

    steps.step(loss)
    found = {name: [round(w, 2) for w in row] for name, row in zip(column, weights.tolist(), strict=True)}
    return {name: row for name, row in found.items() if name == "bias" or max(map(abs, row)) >= LEAST_WEIGHT}


def best(table: Table, features: frozenset[str]) -> int:
    """The likeliest label."""
    return int(np.argmax(np.sum([table["bias"], *(table[one] for one in features if one in table)], axis=0)))


def held_back(given: Sequence[Labelled], seed: int, **how: float) -> Iterator[tuple[Labelled, int]]:
    """Each sentence with the label that it gets from the other folds."""
    sources = sorted({one.source for one in given})
    order = np.random.default_rng(seed).permutation(len(sources))
    fold = {sources[at]: n % FOLDS for n, at in enumerate(order)}
    for held in range(FOLDS):
        table = learn([one for one in given if fold[one.source] != held], **how)  # type: ignore[arg-type]
        yield from ((one, best(table, one.features)) for one in given if fold[one.source] == held)


def staged(replies: Sequence[LabelledReply]) -> Iterator[Labelled]:
    """The labelled sentences with their stage, or none."""
    for reply in replies:
        kind = "more" if reply.id.startswith("more/") else "corpus"
        for text, stage in reply.sentences:
            words = plain(text, letters(len(reply.scenario.options)))
            features = frozenset(evidence.features(words, settled_label(words) is not None))
            yield Labelled(reply.scenario.id, features, LABELS.index(stage), kind)


def settling(replies: Sequence[LabelledReply]) -> Iterator[Labelled]:
    """What is named in a sentence, 1 where it is settled on: the answer in a response, and what a row says.

    Honest replies under headings settle on nothing before their response, and there with their last sentence.
    """
    for reply in replies:
        options = tuple(reply.scenario.options)
        answer = parse(reply.completion, options).answer
        for text, stage in reply.sentences:
            for option, features in _named(text, options):
                if stage != STAGES[-1] or option == answer:
                    yield Labelled(reply.scenario.id, features, int(stage == STAGES[-1]), "replies")
    for reply in (*read_corpus("everyday", "train"), *read_corpus("generated", "train")):
        for segment in (
            (parsed := parse(reply.completion, reply.scenario.options)).segments if reply.kind == HONEST else ()
        ):
            for start, end in split(parsed.text, *segment.body):
                for option, features in _named(parsed.text[start:end], tuple(reply.scenario.options)):
                    if segment.stage != STAGES[-1] or (option == parsed.answer and end == segment.body.end):
                        yield Labelled(reply.scenario.id, features, int(segment.stage == STAGES[-1]), "headed")
    for number, line in enumerate((HERE / "settling_sentences.jsonl").read_bytes().splitlines()):
        row = orjson.loads(line)
        for label, texts in enumerate((row["not"], row["settles"])):
            for text in texts:
                for option, features in _named(text, tuple(row["options"])):
                    if not label or option == row["option"]:
                        yield Labelled(f"row {number}", features, label, "rows")


def _named(text: str, options: tuple[str, ...]) -> Iterator[tuple[int, frozenset[str]]]:
    shown = letters(len(options))
    return ((option, frozenset(read)) for option, read in readings(plain(text, shown), options, shown))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--write", action="store_true", help="write both tables")
    asked.add_argument("--seed", type=int, default=0)
    chosen = asked.parse_args()
    torch.set_num_threads(1)
    replies = [one for one in read_corpus("unmarked", "train") if one.sentences]
    replies += read_labels(HERE / "unmarked_sentences.jsonl")
    stages = list(staged(replies))
    settles = list(settling([*replies, *read_labels(HERE / "settling_replies.jsonl")]))
    said = list(held_back(stages, chosen.seed, l2=1.0))
    for kind in ("corpus", "more"):
        pairs = [(one.label, label) for one, label in said if one.kind == kind]
        print(f"stages, {kind}: {len(pairs)} sentences, kappa {kappa(pairs):.2f}")
    said = list(held_back(settles, chosen.seed, l2=0.25, pairs_seen=3))
    for kind in ("replies", "headed", "rows"):
        shares = [np.mean([got for one, got in said if one.kind == kind and one.label == label]) for label in (1, 0)]
        print(f"settling, {kind}: found {shares[0]:.0%}, taken for it wrongly {shares[1]:.1%}")
    if chosen.write:
        table = learn(stages, l2=1.0)
        margins = {name: round(two - one, 2) for name, (one, two) in learn(settles, l2=0.25, pairs_seen=3).items()}
        for name, written in (("evidence", table), ("settling", margins)):
            lines = (orjson.dumps(one) + b":" + orjson.dumps(weight) for one, weight in sorted(written.items()))
            (ROOM / f"{name}.json").write_bytes(b"{\n" + b",\n".join(lines) + b"\n}\n")
            print(f"{name}.json: {len(written)} features")


if __name__ == "__main__":
    main()
