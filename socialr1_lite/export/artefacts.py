"""Adapter, merged model and hub repository of a run, each checked against the run's policy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from socialr1_lite.errors import PolicyError
from socialr1_lite.evaluation.target import Target
from socialr1_lite.export.agreement import agree, asked, prompts
from socialr1_lite.plan.checking import hub_mistake
from socialr1_lite.policy import load_policy
from socialr1_lite.recipe import Model
from socialr1_lite.training import hub
from socialr1_lite.training.card import card

PART = ".part"  # what a folder is called while it is filled
ROOM = 1.1  # free disk asked for, over the bytes to be written

Say = Callable[[str], None]


def export_adapter(target: Target, out: Path, say: Say) -> Path:
    """The LoRA adapter in PEFT's layout with its tokenizer. A merged cold start has no adapter of its own to export."""
    source = _adapter(target)
    if target.cold_start is not None:
        raise PolicyError(
            f"{target.name}: its cold start was merged into the base, so the adapter alone is not the policy; "
            "export it with --to merged"
        )
    size = sum(file.stat().st_size for file in source.iterdir() if file.is_file())
    with WholeFolder(out, size) as scratch:
        shutil.copytree(source, scratch, dirs_exist_ok=True, ignore=hub.only_the_adapter)
        _describe(target, "LoRA adapter", scratch)
        some = prompts(target.recipe)
        expected = asked(target.load(), target.recipe, some)
        copied = load_policy(target.recipe.model, adapter=scratch)
        say(agree(expected, asked(copied, target.recipe, some), "the exported adapter"))
    return out


def export_merged(target: Target, out: Path, say: Say) -> Path:
    """A plain 16-bit model. A run in 4 bits is compared, and merged, on its base in 16 bits: never into 4 bits."""
    merge(target, out, say)
    return out


def merge(target: Target, out: Path, say: Say, *, copies: int = 1) -> list[str]:
    """Write and check the merged model; the greedy answers that it and the run's policy give.

    copies: how often the disk must hold the model, where something as large is to be made of it.
    """
    whole, some = in_16_bits(target), prompts(target.recipe)
    policy = whole.load()
    expected = asked(policy, target.recipe, some)
    size = sum(weight.numel() * weight.element_size() for weight in policy.model.parameters())
    with WholeFolder(out, size * copies) as scratch:
        policy.merge_adapter()
        policy.save_adapter(scratch)  # without an adapter left, this is the model and its tokenizer
        _describe(target, "merged model", scratch)
        del policy
        merged = load_policy(plain(whole, scratch))
        say(agree(expected, asked(merged, target.recipe, some), "the merged model"))
    return expected


def export_hub(target: Target, repo: str, say: Say, *, public: bool = False) -> str:
    """Upload the checked adapter to a hub repository, private unless `public`. Returns its address."""
    if wrong := hub_mistake(repo):  # before the model is loaded
        raise PolicyError(f"--repo {repo}: {wrong}")
    with TemporaryDirectory() as folder:
        adapter = export_adapter(target, Path(folder) / "adapter", say)
        try:
            address = hub.open_repository(repo, public=public)
            hub.upload(repo, adapter, f"Adapter of step {target.step}, with its model card")
        except Exception as error:  # of the hub's libraries, which share no class
            raise PolicyError(f"--repo {repo}: {hub.why(error)}") from error
    return address


def _adapter(target: Target) -> Path:
    if target.adapter is None or target.run is None:
        raise PolicyError(f"{target.name} is no run folder: only a run has something to export")
    target.run.refuse_links()  # what one leads to would be handed on
    return target.adapter


def _describe(target: Target, kind: str, folder: Path) -> None:
    assert target.run is not None  # `_adapter` refused the others
    (folder / "README.md").write_text(card(target.recipe, target.run, target.step, kind), "utf-8")


def in_16_bits(target: Target) -> Target:
    """The run on its base in 16 bits, without vLLM."""
    _adapter(target)
    model = target.recipe.model.model_copy(update={"load_in_4bit": False, "fast_inference": False})
    return replace(target, recipe=target.recipe.model_copy(update={"model": model}))


def plain(target: Target, folder: Path) -> Model:
    """The merged model in this folder, loaded as the run loads its own."""
    return target.recipe.model.model_copy(update={"name": str(folder), "revision": None})


def parent(out: Path) -> Path:
    """Return the folder that is to hold it, made if need be."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.parent


def is_empty_folder(path: Path, *, but_for: str = "") -> bool:
    """Return whether it is a folder with nothing in it, or nothing but this name."""
    return path.is_dir() and all(inside.name == but_for for inside in path.iterdir())


class WholeFolder:
    """A folder that is filled as a whole or not at all; refused where there is something or the disk is too full.

    An empty folder that exists is filled in its place: it may be a mount point, which cannot be replaced.
    """

    def __init__(self, out: Path, size: float) -> None:
        """Size: bytes to be written. Raises PolicyError before anything is."""
        self.out, self._in_place = out, is_empty_folder(out, but_for=PART)
        if out.exists() and not self._in_place:
            raise PolicyError(f"{out} exists already and is not an empty folder; name another folder")
        self.scratch = out / PART if self._in_place else out.with_name(f".{out.name}{PART}")
        free = shutil.disk_usage(out if self._in_place else parent(out)).free
        if free < size * ROOM:
            raise PolicyError(
                f"{out}: {size * ROOM / 2**30:.2f} GiB are needed and {free / 2**30:.2f} GiB are free; name a folder "
                "on another disk"
            )

    def __enter__(self) -> Path:
        """The scratch folder to fill."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        return self.scratch

    def __exit__(self, kind: object, *_: object) -> None:
        """Put it in its place, or take it away."""
        if kind is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
        elif self._in_place:
            for made in self.scratch.iterdir():
                made.rename(self.out / made.name)
            self.scratch.rmdir()
        else:
            self.scratch.rename(self.out)
