"""A run's adapter in a hub repository: `run.push_to_hub` while it trains, `export --to hub` afterwards.

A repository is private unless told otherwise, and one commit holds everything of one step. What training pushes goes
from a thread of its own that nothing waits for but the end of the run, and no failure of it reaches the training.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread

from socialr1_lite.errors import PolicyError, first_line
from socialr1_lite.progress import clock
from socialr1_lite.recipe import Recipe
from socialr1_lite.redaction import HIDDEN, redact
from socialr1_lite.runlog import RunFolder
from socialr1_lite.training.card import TAG, card
from socialr1_lite.training.folder import cold_start_folder
from socialr1_lite.training.ranks import Ranks

WAIT_S = 600.0  # for the last push, at the end of a run [ours]
STATUS = {
    401: "the hub does not know the token; log in anew (`hf auth login`) or set HF_TOKEN",
    402: "the hub asks for payment, as it does for more private storage than is free",
    403: "the token has no right to write there; take one that has: https://huggingface.co/settings/tokens",
    409: "the name is taken",
}


def open_repository(repo: str, *, public: bool) -> str:
    """Return the repository's address, made if need be. Raises PolicyError for another's, or one seen otherwise."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        return str(api.create_repo(repo, private=not public))
    except HfHubHTTPError as error:  # also where the token may write to it and make none
        try:
            there = api.model_info(repo)
        except HfHubHTTPError:
            raise error from None
    if bool(there.private) is public:
        raise PolicyError(f"it is there and {'private' if public else 'public'}; change that, or take another name")
    if TAG not in (there.tags or ()) and {one.rfilename for one in there.siblings or ()} - {".gitattributes"}:
        raise PolicyError("the name is taken by a repository that no run of this package filled; take another name")
    return f"{api.endpoint}/{repo}"


def upload(repo: str, folder: Path, message: str) -> None:
    """Commit all files of the folder at once, the hub's token in none of them."""
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # they would run through the steps
    token, files = (get_token() or HIDDEN).encode(), [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        if path.suffix != ".safetensors" and token in (held := path.read_bytes()):
            path.write_bytes(held.replace(token, HIDDEN.encode()))
    added = [CommitOperationAdd(path.relative_to(folder).as_posix(), path) for path in files]
    HfApi().create_commit(repo, added, commit_message=message, num_threads=1)


def why(error: Exception) -> str:
    """Say in one line, without a secret, why the hub did not take it."""
    from httpx import TransportError
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    said = first_line(error)
    if isinstance(error, HfHubHTTPError) and (told := STATUS.get(error.response.status_code)):
        said = f"{told} ({error.server_message})" if error.server_message else told
    elif isinstance(error, (TransportError, OfflineModeIsEnabled)):
        said = f"no connection to the hub ({said})"
    return redact(" ".join(said.split()))


def only_the_adapter(folder: str, names: list[str]) -> set[str]:
    """Of a checkpoint folder, leave the optimizer, the random states and PEFT's empty model card (for copytree)."""
    begins = ("adapter_model", "adapter_config", "chat_template", "tokenizer", "special_", "vocab", "merges")
    return {name for name in names if not name.startswith(begins)}


class HubPushes:
    """Pushes a run's newest adapter to `run.push_to_hub`, if the recipe names one; at its end waits for the last push.

    say: prints one line.
    """

    def __init__(self, recipe: Recipe, run: RunFolder, ranks: Ranks, say: Callable[[str], None]) -> None:
        self._repo = recipe.run.push_to_hub if ranks.main else None
        self._recipe, self._run, self._say = recipe, run, say
        self._jobs: SimpleQueue[tuple[Path | None, int] | None] = SimpleQueue()  # None: the last one was before it
        self._thread = Thread(target=self._work, daemon=True)  # keeps no process alive
        self._address = self._told = ""
        self._asked = self._pushed = -1  # steps

    def __enter__(self) -> HubPushes:
        """See to the repository at once: what is wrong with it shows before there is a checkpoint."""
        if self._repo:
            self._thread.start()
            self._jobs.put((None, 0))
        return self

    def push(self, adapter: Path, step: int) -> None:
        """Push the adapter in this folder soon, and return at once."""
        if self._repo:
            self._asked = step
            self._jobs.put((adapter, step))

    def __exit__(self, *_: object) -> None:
        """Wait for the last push, not for ever, and say where it is or how to make up for it."""
        if self._asked < 0:
            return
        self._say(f"waiting for the push to {self._repo}, {clock(WAIT_S)} at most")
        self._jobs.put(None)
        self._thread.join(WAIT_S)
        if self._pushed == self._asked:
            self._say(f"adapter of step {self._pushed} at {self._address}")
        else:
            by_hand = f"python -m socialr1_lite.export {self._run.path} --to hub --repo {self._repo}"
            self._say(f"warning: the adapter of step {self._asked} is not at {self._repo}; to push it: {by_hand}")

    def _work(self) -> None:
        last = False
        while not last:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            last = jobs[-1] is None
            if waited := [job for job in jobs if job is not None]:
                self._try(*waited[-1])  # the newest is worth it, those before it no longer

    def _try(self, adapter: Path | None, step: int) -> None:
        repo = str(self._repo)
        try:
            if not self._address:
                self._address = open_repository(repo, public=False)
                self._say(f"each checkpoint's adapter goes to {self._address} (private)")
            if adapter is not None:
                with TemporaryDirectory() as folder:  # a checkpoint may be dropped while it is on its way
                    self._gather(Path(folder), adapter, step)
                    upload(repo, Path(folder), f"Step {step} of {self._recipe.grpo.max_steps}")
                self._pushed, self._told = step, ""
        except Exception as error:  # whatever it is, training goes on
            if (reason := why(error)) != self._told:
                self._say(f"note: nothing gets to {repo}: {reason}; each checkpoint tries again")
            self._told = reason

    def _gather(self, folder: Path, adapter: Path, step: int) -> None:
        recipe, run = self._recipe, self._run
        shutil.copytree(adapter, folder, dirs_exist_ok=True, ignore=only_the_adapter)
        if recipe.warmup.steps and recipe.warmup.merge:  # then the base is not the published one
            shutil.copytree(cold_start_folder(run), folder / "cold_start", ignore=only_the_adapter)
        (folder / "README.md").write_text(card(recipe, run, step, "LoRA adapter"), "utf-8")
        (folder / "recipe.yaml").write_text(recipe.to_yaml(), "utf-8")
        whole = run.metrics.read_bytes().rpartition(b"\n")[:2] if run.metrics.is_file() else ()
        (folder / "metrics.jsonl").write_bytes(b"".join(whole))  # without a line that is half written
