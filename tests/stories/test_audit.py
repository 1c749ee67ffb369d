"""The shortcut audit: it passes where gold is independent of the surface and tells where it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from socialr1_lite.errors import DataError
from socialr1_lite.scenario import Scenario
from socialr1_lite.stories import __main__ as commands
from socialr1_lite.stories import generate
from socialr1_lite.stories.audit import ShortcutResult, as_json, as_text, audit
from socialr1_lite.stories.base import Rng

PLACES = ("box", "bag", "tin", "jar")


def toy(n: int, bias: str = "", seed: str = "toy") -> list[Scenario]:
    """Scenarios whose story says nothing of the answer, but for the bias."""
    rng, made = Rng(seed), []
    for i in range(n):
        places = rng.sample(PLACES, 4)
        gold = {"": rng.pick(places), "first": places[0], "last": places[3]}.get(bias, rng.pick(places))
        secret = f" Somebody sneezed near the {gold}." if bias == "words" else ""
        story = " ".join(f"There was the {place}." for place in places)
        options = rng.sample(PLACES, 4)
        if bias == "letter" and rng.chance(0.5):
            options.insert(0, options.pop(options.index(gold)))
        shown = tuple(f"the {place}" for place in options)
        meta = {"mark reality": options.index(gold) if bias == "reality" else rng.below(4)}
        made.append(
            Scenario(str(i), story + secret, "Where?", shown, (options.index(gold),), dimension="toy", meta=meta)
        )
    return made


def working(rows: list[ShortcutResult]) -> set[str]:
    return {row.shortcut for row in rows if row.works}


def test_nothing_works_where_gold_is_chance():
    assert working(audit(toy(3000), toy(1500, seed="other"))) == set()


@pytest.mark.parametrize(
    ("bias", "name"),
    [("first", "first mentioned"), ("last", "last mentioned"), ("letter", "most frequent letter"), ("reality", "reality"),
     ("words", "words with story")],
)  # fmt: skip
def test_a_planted_shortcut_is_found(bias: str, name: str):
    assert name in working(audit(toy(800, bias), toy(800, bias, "other")))


def test_intervals_hold_families_together():
    one = toy(100)
    twice = [replace(s, id=f"{s.id}{k}", group=s.id) for s in one for k in "ab"]
    narrow, wide = audit([replace(s, group="") for s in twice], one), audit(twice, one)
    width = {
        name: next(r.high - r.low for r in rows if r.shortcut == "reality")
        for name, rows in (("n", narrow), ("w", wide))
    }
    assert width["w"] > 1.3 * width["n"]


def test_the_table_as_text_and_json():
    rows = [ShortcutResult("belief", "reality", 0.5, 0.45, 0.55, 0.25, 0.05, 200)]
    assert "WORKS" in as_text(rows)
    table = as_json(rows, {"n": 200})
    assert table["passed"] is False and json.loads(json.dumps(table))["rows"][0]["excess"] == pytest.approx(0.25)


def test_a_small_audit_of_the_generator_runs(capsys: pytest.CaptureFixture[str]):
    status = commands.main(
        ["audit", "--n", "60", "--dimensions", "belief", "--orders", "0-2", "--chapters", "1", "--json"]
    )
    table = json.loads(capsys.readouterr().out)
    assert status in (0, 1) and table["passed"] == (status == 0)
    assert {row["shortcut"] for row in table["rows"]} >= {
        "reality",
        "first mentioned",
        "longest option",
        "words with story",
    }


def test_writing_gives_the_generator_s_rows(tmp_path: Path):
    target = tmp_path / "stories.jsonl"
    assert (
        commands.main(["--n", "12", "--seed", "3", "--orders", "0-1", "--dimensions", "belief", "-o", str(target)]) == 0
    )
    rows = [Scenario.from_row(json.loads(line)) for line in target.read_text("utf-8").splitlines()]
    assert rows == list(generate(12, seed=3, dimensions=("belief",), orders=(0, 1)))
    assert [path.name for path in tmp_path.iterdir()] == ["stories.jsonl"]


def test_bad_arguments_are_told(tmp_path: Path):
    with pytest.raises(DataError, match="--orders"):
        commands.main(["--orders", "one"])
    with pytest.raises(DataError, match="cannot write"):
        commands.main(["--n", "1", "-o", str(tmp_path / "no" / "such" / "folder.jsonl")])
    (tmp_path / "taken").mkdir()
    with pytest.raises(DataError, match="cannot write"):
        commands.main(["--n", "1", "-o", str(tmp_path / "taken")])
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_stories_that_cannot_be_made_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = iter(["{}\n"])

    def row(*_: object) -> str:
        if (one := next(made, None)) is None:
            raise DataError("no story carries the answer")
        return one

    monkeypatch.setattr(commands, "_row", row)
    with pytest.raises(DataError, match="no story"):
        commands.main(["--n", "2", "-o", str(tmp_path / "stories.jsonl")])
    assert list(tmp_path.iterdir()) == []


def test_show_prints_what_comes_out(capsys: pytest.CaptureFixture[str]):
    commands.main(["show", "--n", "2", "--dimensions", "knowledge", "--orders", "1"])
    out = capsys.readouterr().out
    assert out.count("**(right)**") == 2 and out.count("<think>") == 2
