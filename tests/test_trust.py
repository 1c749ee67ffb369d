"""What a run folder says is data: remote code, pickles, endpoints, keys and folders need the caller's own word."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from socialr1_lite import evaluate, score
from socialr1_lite.errors import PolicyError, RecipeError, SocialR1Error
from socialr1_lite.evaluation.target import find
from socialr1_lite.export import verl_rollouts
from socialr1_lite.export.__main__ import main as export
from socialr1_lite.policy.adapters import refuse_another_kind, refuse_pickle
from socialr1_lite.recipe import Rewards
from socialr1_lite.recipe.trust import NOBODY, Trust
from socialr1_lite.runlog import RunFolder
from socialr1_lite.viewer import trying
from socialr1_lite.viewer.library import Library
from socialr1_lite.viewer.serving import Query
from tests.viewer.test_trying import FORM

EMBEDDED = Path(__file__).parent / "fixtures" / "run_2026_11_22_embedded"


class Host(BaseHTTPRequestHandler):
    """Remembers what it is sent, and answers nothing of use."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.server.got.append(self.headers.get("authorization"))  # type: ignore[attr-defined]
        self.send_response(500)
        self.end_headers()


@pytest.fixture
def host() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.got = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that somebody sent: with a final adapter that is none, which nothing here gets as far as to load."""
    path = Path(shutil.copytree(EMBEDDED, tmp_path / "run"))
    path.joinpath("adapter").mkdir(exist_ok=True)
    path.joinpath("adapter", "adapter_config.json").write_text("{}")
    path.joinpath("adapter", "adapter_model.safetensors").write_bytes(b"weights")
    return path


def says(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Let the run's recipe say something else."""
    tree = yaml.safe_load((run / "recipe.yaml").read_text("utf-8"))
    change(tree)
    (run / "recipe.yaml").write_text(yaml.safe_dump(tree), "utf-8")


def judged_by(name: str, **settings: Any) -> Callable[[dict[str, Any]], object]:
    return lambda tree: tree["rewards"].update(content={"judges": [{"name": name, "settings": settings}]})


def try_it(run: Path, *_: str, trust: Trust = NOBODY) -> object:
    return trying.start(Library([run], trust=trust), Query({**FORM, "model": f"{trying.RUN}{run.name}"}))


READERS: dict[str, Callable[[Path], object]] = {  # every command that loads what a run's recipe says
    "export": lambda run: export([str(run), "--to", "adapter", "-o", str(run.parent / "out")]),
    "merged": lambda run: export([str(run), "--to", "merged", "-o", str(run.parent / "out")]),
    "gguf": lambda run: export([str(run), "--to", "gguf", "-o", str(run.parent / "out")]),
    "hub": lambda run: export([str(run), "--to", "hub", "--repo", "a/b"]),
    "verl": lambda run: export([str(run), "--to", "verl", "-o", str(run.parent / "out")]),
    "verl, its recipe": lambda run: export([str(run / "recipe.yaml"), "--to", "verl", "-o", str(run.parent / "out")]),
    "evaluate": lambda run: evaluate.main([str(run), "--benchmarks", "stories", "--limit", "1"]),
    "try it": try_it,
}
ASKING = ("verl", "verl, its recipe", "evaluate", "try it")  # those that ask its judges too, or hand them on


@pytest.mark.parametrize(
    ("setting", "option"), [("trust_remote_code", "remote-code"), ("allow_pickle", "--allow-pick")]
)
@pytest.mark.parametrize("reader", READERS)
def test_a_run_cannot_allow_its_model_to_run_code(run: Path, reader: str, setting: str, option: str) -> None:
    says(run, lambda tree: tree["model"].update({setting: True, "name": "somebody/model"}))
    with pytest.raises(RecipeError, match=option):
        READERS[reader](run)
    assert not (run.parent / "out").exists()


@pytest.mark.parametrize("reader", ["score", *ASKING])
def test_a_run_cannot_send_a_key_or_ask_a_host(
    run: Path, host: ThreadingHTTPServer, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_SECRET")
    address = f"127.0.0.1:{host.server_address[1]}"
    says(run, judged_by("llm", base_url=f"http://{address}/v1", model="m", key_env="HF_TOKEN", retries=0))
    read = READERS.get(reader, lambda run: score.main([str(run), "-o", str(run.parent / "o.jsonl")]))
    with pytest.raises(RecipeError, match=f"add: --allow-endpoint {address} --key-env HF_TOKEN"):
        read(run)
    assert host.got == []  # type: ignore[attr-defined]
    assert not (run.parent / "out").exists() and not (run.parent / "o.jsonl").exists()


def test_with_both_words_the_host_is_asked_with_the_key(
    run: Path, host: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_SECRET")
    address = f"127.0.0.1:{host.server_address[1]}"
    says(run, judged_by("llm", base_url=f"http://{address}/v1", model="m", key_env="HF_TOKEN", retries=0))
    words = ["--allow-endpoint", address, "--key-env", "HF_TOKEN"]
    with pytest.raises(SocialR1Error, match="judge llm failed"):  # of the host that answers 500
        score.main([str(run), "-o", str(run.parent / "o.jsonl"), *words])
    assert set(host.got) == {"Bearer hf_SECRET"}  # type: ignore[attr-defined]


def test_a_recipe_that_is_named_is_the_callers_word(run: Path, host: ThreadingHTTPServer) -> None:
    mine = run.parent / "mine.yaml"
    judge = {"name": "llm", "settings": {"base_url": f"http://127.0.0.1:{host.server_address[1]}/v1", "model": "m"}}
    judge["settings"]["retries"] = 0  # type: ignore[index]
    mine.write_text(yaml.safe_dump({"rewards": {"content": {"judges": [judge]}}}))
    with pytest.raises(SocialR1Error, match="judge llm failed"):
        score.main([str(run), "--recipe", str(mine), "-o", str(run.parent / "o.jsonl")])
    assert host.got  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "words", "missing"),
    [
        ({"base_url": "http://h:8000/v1"}, {}, ["--allow-endpoint h:8000", "--key-env OPENAI_API_KEY"]),
        ({"base_url": "http://h:8000/v1"}, {"endpoints": ("h",)}, ["--key-env OPENAI_API_KEY"]),
        ({"base_url": "http://h:8000/v1"}, {"endpoints": ("http://H:8000/v1",), "keys": ("OPENAI_API_KEY",)}, []),
        ({"base_url": "http://h/v1"}, {"endpoints": ("h:8000",), "keys": ("OPENAI_API_KEY",)}, ["--allow-endpoint h"]),
        (
            {"base_url": "http://h@evil/v1"},
            {"endpoints": ("h",), "keys": ("OPENAI_API_KEY",)},
            ["--allow-endpoint evil"],
        ),
        (
            {"base_url": "http://h.evil/v1"},
            {"endpoints": ("h",), "keys": ("OPENAI_API_KEY",)},
            ["--allow-endpoint h.evil"],
        ),
        ({"base_url": "http://h:x/v1"}, {"endpoints": ("h:80",), "keys": ("OPENAI_API_KEY",)}, ["--allow-endpoint h"]),
        ({"base_url": "http://h/v1", "key_env": "UNSET"}, {"endpoints": ("h",)}, []),
        ({"path": "judges/mine"}, {}, ["--judge-path judges/mine"]),
        ({"path": "judges/mine"}, {"folders": ("judges",)}, ["--judge-path judges/mine"]),
        ({"path": "judges/../judges/mine"}, {"folders": ("judges/mine",)}, []),
        ({"cache": "~/.ssh"}, {}, ["--judge-path ~/.ssh"]),
        ({"path": "~nobody-of-this-name/x"}, {"folders": ("~",)}, ["--judge-path ~nobody-of-this-name/x"]),
        ({"path": "a\0b"}, {}, ["--judge-path a\0b"]),
        ({"path": ["a"]}, {}, ["--judge-path ['a']"]),
        (
            {"base_url": "http://[::1/v1"},
            {"endpoints": ("h",), "keys": ("OPENAI_API_KEY",)},
            ["--allow-endpoint http://[::1/v1"],
        ),
        ({"cache": None, "show_gold": True}, {}, []),
        ({}, {}, []),
    ],
)
def test_every_word_that_is_missing_is_told(
    settings: dict[str, Any], words: dict[str, Any], missing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc")
    rewards = Rewards.model_validate({"content": {"judges": [{"name": "llm", "settings": settings}]}})
    if not missing:
        return Trust(**words).check_judges(rewards, "r")
    with pytest.raises(RecipeError) as refused:
        Trust(**words).check_judges(rewards, "r")
    assert str(refused.value).endswith(" ".join(["add:", *missing]))


def test_a_verl_job_of_others_asks_no_host(run: Path, tmp_path: Path) -> None:
    from socialr1_lite.export.verl import rows, write
    from socialr1_lite.recipe import Recipe
    from tests.conftest import SCENARIO

    says(run, judged_by("llm", base_url="http://127.0.0.1:9/v1", model="m"))
    for name in ("train.parquet", "heldout.parquet"):
        write(run / name, rows(Recipe(), [SCENARIO], "train", False))
    with pytest.raises(RecipeError, match=r"--allow-endpoint 127\.0\.0\.1:9"):
        verl_rollouts.main([str(run), "-o", str(tmp_path / "new")])


def test_what_the_base_is_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says(run, lambda tree: tree["model"].update(name="somebody/model"))
    assert find(str(run)).recipe.model.trust_remote_code is False
    assert "run: the base is somebody/model (from the hub), as recipe.yaml says" in capsys.readouterr().err


def test_a_model_that_is_named_by_the_caller_may_be_trusted() -> None:
    trusted = find("somebody/model", trust=Trust(remote_code=True, pickle=True)).recipe.model
    assert trusted.trust_remote_code and trusted.allow_pickle
    plain = find("somebody/model").recipe.model
    assert not plain.trust_remote_code and not plain.allow_pickle


# --- folders of weights


@pytest.mark.parametrize(
    ("files", "weights", "refused"),
    [
        (["adapter_model.bin"], "adapter_model", True),
        (["adapter_model.bin", "other.safetensors"], "adapter_model", True),
        (["adapter_model.bin", "adapter_model.safetensors"], "adapter_model", False),
        (["adapter_model.safetensors", "optimizer.pt", "training_args.bin", "rng_state_0.pth"], "adapter_model", False),
        (["pytorch_model-00001-of-00002.bin"], "model", True),
        (["model-00001-of-00002.safetensors", "pytorch_model.bin"], "model", False),
        (["config.json"], "model", False),
    ],
)
def test_a_pickle_is_one_clear_line(tmp_path: Path, files: list[str], weights: str, refused: bool) -> None:
    for name in files:
        (tmp_path / name).touch()
    refuse_pickle(tmp_path, weights, allowed=True)
    if not refused:
        return refuse_pickle(tmp_path, weights)
    with pytest.raises(PolicyError, match=rf"pickle \({files[0]}\), which may hold code; .*--allow-pickle"):
        refuse_pickle(tmp_path, weights)


@pytest.mark.parametrize("reader", ["export", "evaluate", "try it"])
def test_an_adapter_in_a_pickle_is_refused_before_anything_is_loaded(run: Path, reader: str) -> None:
    (run / "adapter" / "adapter_model.safetensors").rename(run / "adapter" / "adapter_model.bin")
    with pytest.raises(PolicyError, match=r"pickle \(adapter_model.bin\)"):
        READERS[reader](run)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ('{"peft_type": "XLORA", "adapters": {"0": "/tmp/x"}}', "the adapter is a XLORA; only LoRA is read"),
        ('{"peft_type": "LORA", "megatron_config": {}, "megatron_core": "evil"}', ""),
        ('{"peft_type": "LORA", "megatron_config": {"a": 1}, "megatron_core": "evil"}', "for megatron"),
        ('{"peft_type": ["LORA"]}', "only LoRA is read"),
        ("[]", "cannot be read"),
        ("{", "cannot be read"),
    ],
)
def test_no_adapter_of_another_kind_is_read(tmp_path: Path, config: str, told: str) -> None:
    (tmp_path / "adapter_config.json").write_text(config)
    if not told:
        return refuse_another_kind(tmp_path)
    with pytest.raises(PolicyError, match=told):
        refuse_another_kind(tmp_path)


def test_a_model_in_a_pickle_is_not_loaded_unless_allowed(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from socialr1_lite.policy import load_policy
    from socialr1_lite.recipe import Model

    folder = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(PolicyError, match=r"pickle \(pytorch_model.bin\)"):
        load_policy(Model(name=str(folder), backend="transformers"))
    assert load_policy(Model(name=str(folder), backend="transformers", allow_pickle=True)).device == "cpu"


def test_the_python_of_a_judge_and_of_its_base_does_not_run(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where somebody at the keyboard says yes: transformers asks there whoever leaves the question open."""
    from socialr1_lite.errors import JudgeError
    from socialr1_lite.judges import classifier

    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda *text: (asked.extend(text), "y")[1])
    evil = Path(shutil.copytree(tiny_model, tmp_path / "tokenizer"))
    (evil / "evil.py").write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\n")
    names = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M", "AutoTokenizer": ["evil.T", None]}
    for name, told in (
        ("config.json", {"model_type": "evilx"}),
        ("tokenizer_config.json", {"tokenizer_class": "EvilT"}),
    ):
        (evil / name).write_text(json.dumps(json.loads((evil / name).read_text()) | told | {"auto_map": names}))
    with pytest.raises((OSError, ValueError)):
        classifier.load_base(str(evil), None, revision=None, dtype="float32")  # type: ignore[arg-type]
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (tmp_path / "adapter" / "adapter_model.safetensors").touch()
    record = {"version": classifier.RECORD_VERSION, "base": str(tiny_model), "revision": None, "dtype": "float32"}
    record |= {"max_length": 8, "center": 0.0, "probes": []}
    (tmp_path / classifier.RECORD).write_text(json.dumps(record))
    with pytest.raises(JudgeError, match="cannot be loaded"):
        classifier.load_judge(tmp_path)
    assert not asked and not (tmp_path / "RAN").exists()


def test_the_python_of_a_model_does_not_run(tiny_model: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the flag in the recipe as well: transformers must not ask at the keyboard, and nothing is imported."""
    evil = Path(shutil.copytree(tiny_model, run.parent / "evil"))
    config = json.loads((evil / "config.json").read_text())
    names = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    (evil / "config.json").write_text(json.dumps(config | {"auto_map": names, "model_type": "evilx"}))
    (evil / "evil.py").write_text(f"open({str(run.parent / 'RAN')!r}, 'w')\n")
    says(run, lambda tree: tree["model"].update(name=str(evil), backend="transformers"))
    with pytest.raises(PolicyError, match="cannot load"):
        find(str(run)).load()
    assert not (run.parent / "RAN").exists()
    assert RunFolder.open(run).recipe.exists()
