"""Learn the weights by which plain sentences are read (`socialr1_lite/sip/evidence.json`), and say how good they are.

    python benchmarks/unmarked.py [--write]

Multinomial logistic regression with an L2 penalty over the features of `sip.evidence`, on the labelled sentences of the
corpus' train part and of `benchmarks/unmarked_sentences.jsonl`. Held back by story in eight folds: Cohen's kappa.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
import orjson
import torch

from socialr1_lite.judges.agreement import kappa
from socialr1_lite.judges.corpus import LabelledReply, read_corpus, read_labels
from socialr1_lite.sip import STAGES, evidence, letters
from socialr1_lite.sip.settling import settled_label
from socialr1_lite.sip.wording import plain

FOLDS, L2, LEAST_WEIGHT = 8, 1.0, 0.08
LEAST_SEEN, PAIR_LEAST_SEEN = 3, 5  # sentences of the training part that a feature must occur in
LABELS = (None, *STAGES)
MORE = Path(__file__).with_name("unmarked_sentences.jsonl")
TABLE = Path(evidence.__file__).with_name("evidence.json")


def learn(read: list[frozenset[str]], labels: list[int]) -> dict[str, list[float]]:
    """Return the weights of each feature, label by label; "bias" is what counts without any."""
    seen = Counter(feature for features in read for feature in features)
    names = [
        "bias",
        *sorted(
            feature for feature, count in seen.items() if count >= (PAIR_LEAST_SEEN if "_" in feature else LEAST_SEEN)
        ),
    ]
    column = {name: at for at, name in enumerate(names)}
    given = np.zeros((len(read), len(names)))
    given[:, 0] = 1.0
    for row, features in enumerate(read):
        given[row, [column[feature] for feature in features if feature in column]] = 1.0
    rows, wanted = torch.from_numpy(given), torch.tensor(labels)
    weights = torch.zeros(len(names), evidence.LABELS, dtype=torch.float64, requires_grad=True)
    steps = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        steps.zero_grad()
        total = (
            torch.nn.functional.cross_entropy(rows @ weights, wanted, reduction="sum") + L2 * (weights[1:] ** 2).sum()
        )
        total.backward()
        return total

    steps.step(loss)
    found = {name: [round(w, 2) for w in row] for name, row in zip(names, weights.tolist(), strict=True)}
    return {name: row for name, row in found.items() if name == "bias" or max(map(abs, row)) >= LEAST_WEIGHT}


def best(table: dict[str, list[float]], features: frozenset[str]) -> int:
    return int(np.argmax(np.sum([table["bias"], *(table[one] for one in features if one in table)], axis=0)))


def sentences(replies: list[LabelledReply]) -> list[tuple[str, frozenset[str], int, bool]]:
    """(story, features, label, whether from the corpus) of each labelled sentence."""
    found = []
    for reply in replies:
        for text, stage in reply.sentences:
            words = plain(text, letters(len(reply.scenario.options)))
            read = frozenset(evidence.features(words, settled_label(words) is not None))
            found.append((reply.scenario.id, read, LABELS.index(stage), not reply.id.startswith("more/")))
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    asked.add_argument("--seed", type=int, default=0)
    chosen = asked.parse_args()
    torch.set_num_threads(1)
    given = sentences([one for one in read_corpus("unmarked", "train") if one.sentences] + list(read_labels(MORE)))
    stories = sorted({story for story, *_ in given})
    fold = {stories[at]: n % FOLDS for n, at in enumerate(np.random.default_rng(chosen.seed).permutation(len(stories)))}
    said: list[tuple[int, int, bool]] = []
    for held in range(FOLDS):
        kept = [one for one in given if fold[one[0]] != held]
        table = learn([read for _, read, _, _ in kept], [label for _, _, label, _ in kept])
        said += [(label, best(table, read), own) for story, read, label, own in given if fold[story] == held]
    for name, group in (("corpus", [s for s in said if s[2]]), ("more", [s for s in said if not s[2]]), ("all", said)):
        print(f"{name}: {len(group)} sentences, kappa {kappa([pair[:2] for pair in group]):.2f} held back by story")
    table = learn([read for _, read, _, _ in given], [label for *_, label, _ in given])
    print(f"{len(table)} features")
    if chosen.write:
        TABLE.write_bytes(orjson.dumps(table, option=orjson.OPT_SORT_KEYS).replace(b"],", b"],\n") + b"\n")


if __name__ == "__main__":
    main()
