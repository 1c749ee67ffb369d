"""Reports of an earlier evaluation that are none: one line naming the file, whatever is in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import DataError, RecipeError
from socialr1_lite.evaluation import leaderboard, reports, tables
from socialr1_lite.plan.architectures import read_config
from tests.evaluation.test_evaluate import OTHERS, VERDICT, Speaker, acting, run
from tests.evaluation.test_evaluate import speaker as speaker

FIGURE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10, "official": True}
REPORT = {"version": 1, "benchmark": "hi-tom", "headline": "accuracy", "metrics": {"accuracy": FIGURE}, "published": []}
ODD = {
    "levels without end": "[" * 200_000,
    "no benchmark": REPORT | {"benchmark": None},
    "a benchmark that is a list": REPORT | {"benchmark": [1]},
    "a headline that is a number": REPORT | {"headline": 3},
    "metrics that are a number": REPORT | {"metrics": 3},
    "a figure that is a text": REPORT | {"metrics": {"accuracy": FIGURE | {"value": "high"}}},
    "a figure without its interval": REPORT | {"metrics": {"accuracy": {"value": 0.5}}},
    "published that is no list": REPORT | {"published": 7},
    "published without a value": REPORT | {"published": [{"label": "x"}]},
    "headlines that are a text": REPORT | {"headlines": "accuracy"},
    "a headline of a language that is a list": REPORT | {"headlines": {"en": ["accuracy"]}},
    "a temperature that is a text": REPORT | {"sampling": {"temperature": "warm"}},
    "players that are a list": REPORT | {"players": ["judge"]},
    "files that are texts": REPORT | {"source": {"files": ["dev.jsonl"]}},
    "groups that are a number": REPORT | {"groups": 3},
    "seeds without values": REPORT | {"seeds": {"accuracy": {"mean": 0.5}}},
    "a seed that is a list": REPORT | {"seed": [1]},
    "a digest that is a number": REPORT | {"prompt_sha256": 3},
}


@pytest.mark.parametrize("kind", ODD)
def test_a_report_of_another_form_is_refused_by_its_name(tmp_path: Path, kind: str) -> None:
    content = ODD[kind]
    (tmp_path / "odd.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError, match=r"odd\.json: is no"):
        reports.read(tmp_path)


STRANGE: tuple[Any, ...] = (
    None,
    True,
    3,
    10**400,
    -0.5,
    float("nan"),
    float("inf"),
    "x",
    "",
    [],
    [1],
    {},
    {"": [1]},
    {"en": ""},
)


def damaged(value: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place inside, with what may stand there instead; of a list the first and of a mapping three alone."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())[: None if "version" in value else 3]
    elif isinstance(value, list):
        inner = list(enumerate(value))[:1]
    for name, one in inner:
        yield (name,), ...
        yield from (((name,), odd) for odd in STRANGE)
        yield from (((name, *place), odd) for place, odd in damaged(one))


@pytest.mark.parametrize("name", ["hi-tom", "sotopia"])
def test_a_field_of_another_type_is_refused_in_a_line_or_shown(name: str, tmp_path: Path, speaker: Any) -> None:
    """Damages a report as written now in every place, and has both tables drawn of it."""
    speaker(Speaker(acting(lambda: VERDICT) if name == "sotopia" else lambda _: "<answer> A </answer>"))
    how = OTHERS if name == "sotopia" else ("--diagnose",)
    run(tmp_path / "whole", "--benchmarks", name, "--samples", "2", "--temperature", "1", *how)
    path = tmp_path / "whole" / "evaluation" / f"{name}.json"
    whole, good = json.loads(path.read_text()), reports.read(tmp_path / "whole")
    refused = shown = 0
    for place, odd in damaged(whole):
        report = copy.deepcopy(whole)
        inside = report
        for step in place[:-1]:
            inside = inside[step]
        if odd is ...:
            del inside[place[-1]]
        else:
            inside[place[-1]] = odd
        path.write_text(json.dumps(report))
        try:
            column = reports.read(tmp_path / "whole")
        except DataError as error:
            told = str(error)
            assert "\n" not in told and len(told) < 400
            assert f"{name}.json: is no report" in told or "no evaluation reports there" in told, (place, odd)
            refused += 1
        else:
            for columns in ([column], [good, column], [column, good]):
                assert tables.markdown(columns) and leaderboard.sections(columns), (place, odd)
            shown += 1
    assert refused > 500 and shown > 100


def test_a_row_of_another_form_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "hi-tom.json").write_text(json.dumps(REPORT))
    rows = [{"key": "a", "value": 1}, {"key": 3, "value": 1}, {"key": "b", "value": None}, {"value": 1}]
    (tmp_path / "hi-tom.items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    column = reports.read(tmp_path)
    assert [row.key for row in column.items["hi-tom"]] == ["a"]
    assert "0.500 [0.400, 0.600] n=10" in tables.markdown([column])


def test_a_configuration_of_levels_without_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * 200_000)
    with pytest.raises(RecipeError, match=r"not a model's config\.json"):
        read_config(tmp_path / "config.json")
