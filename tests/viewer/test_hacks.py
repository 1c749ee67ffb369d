"""The hack board: wrong answers that are paid for their process are seen, by what a wrong answer can earn at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import nextafter
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.rollouts.trace import Trace
from socialr1_lite.runlog import RunFolder, TraceWriter
from socialr1_lite.scenario import Scenario
from socialr1_lite.viewer import hacks, pages, runs
from socialr1_lite.viewer.filtering import FLAGS, where
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.runlogs import trace
from tests.viewer.test_pages import settled

WEIGHTS = {"format": 1.0, "outcome": 1.0, "structure": 0.5, "content": 0.5, "length": 1.0}


def scored(step: int, index: int, outcome: str, process: float, *, format: float = 1.0, **more: Any) -> Trace:
    parts = {"format": format, "structure": process, "content": process, "length": 1.0}
    components = parts | {"outcome": float(outcome == "right")}
    group = step * 8 + index // 8
    made = {"components": components, "weights": WEIGHTS, "outcome": outcome, "scenario": f"s/{group % 4}"}
    return trace(step, group, index % 8, **(made | more))


def written(folder: Path, rows: Sequence[Trace]) -> Library:
    run = RunFolder.create(folder / "mine")
    options = ("red", "blue", "green", "grey")
    run.add_scenarios(Scenario(f"s/{n}", f"Story {n}.", "Which?", options, (n,)) for n in range(4))
    with TraceWriter(run, launch=run.begin_launch(0, ["train"])) as writer:
        writer.write(rows)
    run.set_state("completed", step=max(row.step for row in rows) + 1)
    library = Library([folder])
    settled(library.run("mine"))
    return library


def board(library: Library, **more: Any) -> dict[str, Any]:
    return dict(hacks.hacks(library, Query({"run": "mine", **more})))


def told(answer: dict[str, Any]) -> dict[str, str]:
    return {tile["label"]: tile["value"] for tile in answer["tiles"]}


def test_a_run_that_pays_wrong_answers_for_their_process_says_so_everywhere(tmp_path: Path) -> None:
    """158 of 160 wrong at a mean reward of 1.00: that was "none", for 60 % of the best, 2.00, is more than 1.00."""
    rows = [scored(n // 16, n % 16, "right" if n in (3, 90) else "wrong", 1.0) for n in range(160)]
    library = written(tmp_path, rows)
    answer = board(library)
    assert told(answer)["Paid, yet wrong"] == "158"
    (tile,) = [one for one in answer["tiles"] if one["label"] == "Paid, yet wrong"]
    assert tile["note"] == "of 158 wrong answers; on average 100 % of the most"
    assert [row["outcome"] for row in answer["paid_wrong"]] == ["wrong"] * hacks.LISTED
    assert "can earn 1.00 where τ is 1.00" in answer["thresholds"] and "at least 60 %" in answer["thresholds"]
    overview = runs.overview(library, Query({"run": "mine"}))
    (alert,) = [one for one in overview["alerts"] if "wrong answers" in one["text"]]
    assert alert["text"].startswith("158 of the last 158 wrong answers earned at least 60 %")
    listed = pages.traces(library, Query({"run": "mine", **alert["filter"]}))
    assert listed["total"] == 158
    (pick,) = [one for one in overview["picks"] if one["title"] == "Paid, yet wrong"]
    assert pick["outcome"] == "wrong"


def test_what_counts_as_paid_by_hand(tmp_path: Path) -> None:
    """gated, weights 0.5 and 0.5: at tau 1 a wrong answer can earn 1.00, at tau 0.5 half of it."""
    cases = [
        (scored(0, 0, "wrong", 0.6), True),
        (scored(0, 1, "wrong", 0.59), False),
        (scored(0, 2, "wrong", 0.7, tau=0.5), True),  # 0.35 of 0.50
        (scored(0, 3, "wrong", 0.5, tau=0.5), False),
        (scored(0, 4, "wrong", 1.0, format=0.5), False),  # the gate halves it
        (scored(0, 5, "right", 1.0), False),
        (scored(0, 6, "unreadable", 1.0), False),
        (scored(0, 7, "wrong", 0.0, mode="additive", weights=WEIGHTS), True),  # 2 of the 3 that gates and process give
        (scored(1, 0, "wrong", 1.0, weights=WEIGHTS | {"structure": 0.0, "content": 0.0}), False),  # nothing to earn
    ]
    library = written(tmp_path, [row for row, _ in cases])
    listed = pages.traces(library, Query({"run": "mine", "flag": "paid_yet_wrong"}))
    assert {row["id"] for row in listed["rows"]} == {pages.key_of(row) for row, paid in cases if paid}
    assert "earns nothing" in board(library, **{"from": 1})["thresholds"]


def test_right_answers_that_earned_less_than_a_wrong_one_could(tmp_path: Path) -> None:
    rows = [scored(0, 0, "right", 0.0), scored(0, 1, "right", 0.5, format=0.5), scored(0, 2, "right", 1.0, format=0.0)]
    library = written(tmp_path, rows)  # 1.00, 0.75 and 0.00 of the 1.00 that a wrong answer can earn
    assert [row["total"] for row in board(library)["unpaid_right"]] == [0.0, 0.75]


def test_process_against_outcome_counts_every_completion_where_it_belongs(tmp_path: Path) -> None:
    shares = [0.0, 0.19, 0.2, 0.4, 0.59, 0.8, 1.0]
    rows = [scored(0, i, "wrong", share) for i, share in enumerate(shares)] + [scored(1, 0, "right", 1.0)]
    table = {
        row["outcome"]: [cell["n"] for cell in row["cells"]]
        for row in board(written(tmp_path, rows))["process"]["rows"]
    }
    assert table == {"wrong": [2, 1, 2, 0, 2], "right": [0, 0, 0, 0, 1], "unreadable": [0, 0, 0, 0, 0]}


def test_at_the_edges_too_every_completion_is_in_one_cell_or_told_to_be_left_out(tmp_path: Path) -> None:
    """Just below an edge, on it, at both ends; not judged, failed, of unknown outcome."""
    edges = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    shares = [*edges, *(nextafter(edge, 0) for edge in edges[1:]), 0.2 - 5e-7, 0.8 - 1e-9, 0.1 + 0.1 + 0.1]
    rows = [scored(0, n, "wrong", share) for n, share in enumerate(shares)]
    nothing = {"format": 1.0, "outcome": 1.0, "structure": None, "content": None, "length": 1.0}
    rows += [scored(1, n, outcome, 0.5) for n, outcome in enumerate(("failed", "unknown", "unknown"))]
    rows += [scored(2, n, outcome, 0.0, components=nothing) for n, outcome in enumerate(("right", "wrong"))]
    library = written(tmp_path, rows)
    table = board(library)["process"]
    counted = {row["outcome"]: [cell["n"] for cell in row["cells"]] for row in table["rows"]}
    assert counted == {"wrong": [3, 3, 2, 3, 3], "right": [0] * 5, "unreadable": [0] * 5}
    assert sum(counted["wrong"]) == len(shares)
    for cell in (cell for row in table["rows"] for cell in row["cells"]):
        asked = {key: json.loads(json.dumps(value)) for key, value in cell["filter"].items()}
        there = pages.traces(library, Query({"run": "mine", **{key: str(value) for key, value in asked.items()}}))
        assert there["total"] == cell["n"], cell
    assert table["left_out"] == "Left out of these 19: 2 without a process reward, 3 failed or of unknown outcome."
    assert board(library, to=0)["process"]["left_out"] == ""


def test_lengths_are_of_every_completion(tmp_path: Path) -> None:
    bins = hacks.lengths([(0, "right", 3), (17, "wrong", 30_000), (17, "failed", 2), (18, "unknown", 1)])
    assert [(one["from"], one["to"]) for one in bins] == [(2 * n, 2 * n + 1) for n in range(10)]
    assert bins[0]["right"] == 3 and bins[8]["wrong"] == 30_000
    assert (bins[8]["unreadable"], bins[9]["unreadable"]) == (2, 1)
    assert sum(one[kind] for one in bins for kind in ("right", "wrong", "unreadable")) == 30_006


def test_every_figure_leads_to_its_completions(tmp_path: Path) -> None:
    rows = [scored(n // 16, n % 16, ("right", "wrong", "unreadable")[n % 3], n % 7 / 6, tokens=n) for n in range(64)]
    library = written(tmp_path, rows)
    answer = board(library, to=2)
    among = {"run": "mine", "phase": "train", "to": "2"}

    def led_to(filter: dict[str, Any]) -> int:
        return int(pages.traces(library, Query(among | {key: str(value) for key, value in filter.items()}))["total"])

    shown = {tile["label"]: int(tile["note"].split()[0]) for tile in answer["tiles"][1:]}
    for tile in answer["tiles"][1:]:
        assert led_to(tile["filter"]) == shown[tile["label"]], tile
    assert led_to(answer["tiles"][0]["filter"]) == int(told(answer)["Paid, yet wrong"])
    for row in answer["process"]["rows"]:
        for cell in row["cells"]:
            assert led_to(cell["filter"]) == cell["n"], cell
    for one in (filter for row in answer["correlation"]["filters"] for filter in row if filter):
        where(Query({key: str(value) for key, value in one.items()}))
    assert sum(one["right"] for one in answer["lengths"]) == led_to({"outcome": "right"})


def test_the_board_keeps_to_its_steps(tmp_path: Path) -> None:
    rows = [scored(step, index, "wrong", 1.0) for step in range(4) for index in range(8)]
    library = written(tmp_path, rows)
    assert told(board(library, **{"from": 1, "to": 2}))["Paid, yet wrong"] == "16"
    assert board(library, **{"from": 9})["empty"] and (board(library)["first"], board(library)["last"]) == (0, 3)


@pytest.mark.parametrize("flag", FLAGS)
def test_no_flag_means_two_things(flag: str) -> None:
    """What a name shows on the board, in the overview and in the filter is one condition, said in one place."""
    field, condition = FLAGS[flag]
    assert where(Query({"flag": flag})) == {field: condition}
