"""The notebooks: clean as they lie in the repository, run from an empty folder, and clear about what is missing.

Colab and Kaggle are played by folders, a fake google.colab and a local git repository of this working tree.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socialr1_lite.errors import RunLogError
from socialr1_lite.recipe import load_recipe
from socialr1_lite.runlog import RunFolder, lock

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
BY_NAME = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
COLAB, KAGGLE, CPU = (
    REPOSITORY / "notebooks" / f"{name}.ipynb" for name in ("colab_t4", "kaggle_t4x2", "quickstart_cpu")
)
ALONE = pytest.mark.parametrize("path", [COLAB, KAGGLE], ids=lambda path: path.stem)
DRIVE = """
from pathlib import Path


def mount(folder):
    (Path(folder) / "MyDrive").mkdir(parents=True)
"""


def read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_all_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["colab_t4", "kaggle_t4x2", "quickstart_cpu"]


@BY_NAME
def test_nothing_of_a_run_is_kept_in_it(path: Path) -> None:
    for cell in read(path).cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


@BY_NAME
def test_what_it_imports_and_runs_of_the_project_exists(path: Path) -> None:
    """A renamed module or name is seen here at once, not by the long run of every cell."""
    found = 0
    for source in code(read(path)):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("socialr1_lite"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
                found += 1
            elif isinstance(node, ast.Constant) and str(node.value).startswith("socialr1_lite."):
                assert importlib.util.find_spec(node.value), node.value
                found += 1
    assert found >= 4


@BY_NAME
def test_what_only_colab_has_is_imported_inside_a_try(path: Path) -> None:
    for source in code(read(path)):
        tree = ast.parse(source)  # no shell escapes either: a failing one would not stop the notebook
        tried = {node for one in ast.walk(tree) if isinstance(one, ast.Try) for node in ast.walk(one)}
        colab = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("google.colab")
        ]
        assert set(colab) <= tried


# --- the first two code cells, run in this process: where the project comes from, and what is installed


class Session:
    """A new session in an empty folder: its environment, its commands, and the cells played in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.commands: list[list[str]] = []
        self.status: dict[str, int] = {}  # module -> exit status
        self._monkeypatch = monkeypatch
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        for name in [name for name in os.environ if name.startswith("SOCIALR1_")]:
            monkeypatch.delenv(name)
        self.set(CONTENT=folder, KAGGLE=folder, SMOKE=1)
        for name in ("PYTHONPATH", "CUDA_VISIBLE_DEVICES"):  # set by the notebooks: put back afterwards
            monkeypatch.setenv(name, "")
        monkeypatch.setattr(subprocess, "Popen", self._popen)

    def set(self, **settings: object) -> None:
        for name, value in settings.items():
            self._monkeypatch.setenv(f"SOCIALR1_{name}", str(value))

    def _popen(self, command: list[str], **settings: Any) -> Any:
        if command[0] != sys.executable:  # git
            return REAL_POPEN(command, **settings)
        module = command[command.index("-m") + 1]
        self.commands.append(command[command.index("-m") + 1 :])
        return FakeProcess(self.status.get(module, 0))

    def on_colab(
        self, mount: Callable[[str], None] = lambda folder: None, upload: dict[str, bytes] | None = None
    ) -> None:
        colab, drive, files = (types.ModuleType(f"google.colab{part}") for part in ("", ".drive", ".files"))
        drive.mount, files.upload = mount, lambda: upload or {}
        colab.drive, colab.files = drive, files
        for module in (colab, drive, files):
            self._monkeypatch.setitem(sys.modules, module.__name__, module)

    def without(self, *missing: str, **versions: str) -> None:
        """Play the installed packages: these are missing, those have these versions."""
        find, version = importlib.util.find_spec, importlib.metadata.version
        known = lambda name: None if name in missing else object() if name in versions else find(name)  # noqa: E731
        self._monkeypatch.setattr(importlib.util, "find_spec", known)
        self._monkeypatch.setattr(importlib.metadata, "version", lambda name: versions.get(name) or version(name))

    def play(self, path: Path, cells: int = 2) -> dict[str, Any]:
        names: dict[str, Any] = {}
        for source in code(read(path))[:cells]:
            exec(compile(source, path.name, "exec"), names)
        return names

    def stopped(self, path: Path, cells: int = 2) -> str:
        """The one line that the cells end with."""
        with pytest.raises(Exception) as caught:
            self.play(path, cells)
        assert type(caught.value).__name__ == "Stop", caught.value
        [line] = caught.value._render_traceback_()
        assert "\n" not in line
        return line


REAL_POPEN = subprocess.Popen


class FakeProcess:
    def __init__(self, status: int) -> None:
        self.returncode, self.stdout = status, iter(())

    def __enter__(self) -> FakeProcess:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    return Session(tmp_path / "session", monkeypatch)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of this working tree, changes that are not committed included."""
    folder = tmp_path_factory.mktemp("project") / "repository"
    git = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    for line in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "The working tree."]):
        author = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(folder), *author, *line], check=True)
    return folder


@pytest.fixture(scope="session")
def archive(tree: Path) -> Path:
    """Its zip, in a folder of its own as a code host makes it."""
    made = tree.parent / "project.zip"
    subprocess.run(
        ["git", "-C", str(tree), "archive", "--prefix=socialr1_lite-main/", "-o", str(made), "HEAD"], check=True
    )
    return made


@ALONE
def test_without_an_address_one_line_says_both_ways(path: Path, session: Session) -> None:
    line = session.stopped(path)
    assert "REPOSITORY" in line and "zip" in line and "first cell" in line
    assert not list(session.folder.iterdir()) and not session.commands


@ALONE
def test_it_never_looks_above_its_folder(
    path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(tree, checkout)
    assert "where is the project?" in Session(checkout / "mine", monkeypatch).stopped(path)


def test_the_quick_start_does_not_look_above_its_checkout(session: Session) -> None:
    assert "no checkout" in session.stopped(CPU, cells=1)


@ALONE
def test_a_checkout_is_used_where_the_notebook_lies_in_one(
    path: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tree, tmp_path / "checkout")
    shutil.rmtree(tmp_path / "checkout" / "notebooks")
    session = Session(tmp_path / "checkout" / "notebooks", monkeypatch)
    assert session.play(path)["PROJECT"] == tmp_path / "checkout"


@ALONE
def test_the_address_is_cloned_once(path: Path, session: Session, tree: Path) -> None:
    session.set(REPOSITORY=tree.as_uri())
    project = session.play(path)["PROJECT"]
    assert project == session.folder / "project"
    assert (project / "recipes" / "colab_t4_qwen3_1.7b.yaml").is_file()
    assert session.commands[-1] == ["socialr1_lite.doctor", "--quick"]
    session.set(REPOSITORY="file:///nowhere")
    assert session.play(path)["PROJECT"] == project, "it is there already"


@ALONE
def test_an_address_that_cannot_be_cloned_leaves_nothing_behind(path: Path, session: Session) -> None:
    session.set(REPOSITORY=(session.folder / "nowhere").as_uri())
    assert "git could not clone it" in session.stopped(path)
    assert not list(session.folder.iterdir())


@ALONE
def test_another_repository_is_refused(path: Path, session: Session, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for line in (["init", "-q", str(other)], ["-C", str(other), "commit", "-q", "--allow-empty", "-m", "Nothing."]):
        subprocess.run(["git", "-c", "user.name=test", "-c", "user.email=test@localhost", *line], check=True)
    session.set(REPOSITORY=other.as_uri())
    assert "is not the project" in session.stopped(path)
    assert not list(session.folder.iterdir())


def test_colab_takes_a_zip(session: Session, archive: Path) -> None:
    session.set(ARCHIVE=archive)
    assert (session.play(COLAB)["PROJECT"] / "socialr1_lite" / "__init__.py").is_file()


def test_colab_takes_an_uploaded_zip(session: Session, archive: Path) -> None:
    session.on_colab(upload={"project (1).zip": archive.read_bytes()})
    session.set(ARCHIVE="upload")
    assert (session.play(COLAB)["PROJECT"] / "socialr1_lite" / "__init__.py").is_file()


def zipped(**files: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return written.getvalue()


@pytest.mark.parametrize(
    ("upload", "said"),
    [({}, "not a zip"), ({"a.zip": b"text"}, "not a zip"), ({"a.zip": zipped(README="text")}, "is not the project")],
)
def test_another_upload_is_refused(session: Session, upload: dict[str, bytes], said: str) -> None:
    session.on_colab(upload=upload)
    session.set(ARCHIVE="upload")
    assert said in session.stopped(COLAB)
    assert not list(session.folder.iterdir())


def test_an_upload_is_for_colab(session: Session) -> None:
    session.set(ARCHIVE="upload")
    assert "the path of the zip" in session.stopped(COLAB)


@pytest.mark.parametrize("as_folder", [True, False])
def test_kaggle_takes_the_zip_from_its_inputs(session: Session, archive: Path, as_folder: bool) -> None:
    """Kaggle unpacks a zip that is attached as a dataset; where it did not, the file lies there."""
    (session.folder / "working").mkdir()
    place = session.folder / "input" / "my-data"
    place.mkdir(parents=True)
    if as_folder:
        zipfile.ZipFile(archive).extractall(place)
    else:
        shutil.copy(archive, place / "socialr1_lite.zip")
    project = session.play(KAGGLE)["PROJECT"]
    assert project == session.folder / "working" / "project", "inputs are read-only"
    assert (project / "socialr1_lite" / "__init__.py").is_file()


def test_the_run_lies_on_drive_where_there_is_one(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    mounted: list[str] = []
    session.on_colab(mounted.append)
    assert session.play(COLAB, cells=1)["RUN"].parent == session.folder / "drive" / "MyDrive" / "socialr1_lite"
    assert mounted == [str(session.folder / "drive")]


def training(session: Session) -> list[str]:
    """The training command after the first five cells."""
    session.play(COLAB, cells=5)
    [command] = [one for one in session.commands if one[0] == "socialr1_lite.train" and "--run-dir" in one]
    return command


def test_checkpoints_are_made_on_the_local_disk_where_the_run_lies_on_drive(session: Session, tree: Path) -> None:
    session.set(REPOSITORY=tree.as_uri())
    session.on_colab()
    settings = [one for one in training(session) if "=" in one]
    assert settings == [f"run.scratch={session.folder / 'checkpoints'}"]
    load_recipe(REPOSITORY / "recipes" / "colab_t4_qwen3_1.7b.yaml", settings)


def test_without_drive_checkpoints_are_made_where_they_stay(session: Session, tree: Path) -> None:
    session.set(REPOSITORY=tree.as_uri())
    assert not [one for one in training(session) if "=" in one]


def test_the_lock_of_a_lost_session_is_told_as_it_is_met(tmp_path: Path) -> None:
    """The words are those of the real error, the minutes those of the lock, and what is typed removes that file."""
    [cell] = [cell.source for cell in read(COLAB).cells if cell.source.startswith("## Train")]
    run = RunFolder.create(tmp_path / "run")
    with run.lock(), pytest.raises(RunLogError) as met:
        run.lock().acquire()
    words = re.split(r"process \d+ on \S+ last sign of life \d+ s ago|/\S*/run\b", str(met.value))
    assert len(words) == 4 and all(part.strip() in cell for part in words)
    assert lock.SILENT_S == 600 and "ten minutes" in cell
    assert '(RUN / "train.lock").unlink()' in cell and run.lock().path.name == "train.lock"


def test_a_drive_that_was_refused_is_no_end(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(folder: str) -> None:
        raise ValueError("mount failed")

    session.on_colab(refuse)
    assert session.play(COLAB, cells=1)["RUN"].parent == session.folder / "runs"
    assert "no Drive (mount failed): the run is lost with this session" in capsys.readouterr().out


def test_colab_without_a_gpu_says_where_it_is_chosen(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.on_colab()
    session.set(SMOKE=0)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "Change runtime type" in session.stopped(COLAB)


# --- installing


def pip(session: Session) -> list[list[str]]:
    return [command[1:] for command in session.commands if command[0] == "pip"]


@ALONE
def test_nothing_is_installed_where_everything_is_there(path: Path, session: Session, tree: Path) -> None:
    session.set(REPOSITORY=tree.as_uri())
    session.play(path)
    assert not pip(session)


@ALONE
@pytest.mark.parametrize(
    ("torch", "python", "wanted"),
    [
        ("2.11.0+cu128", (3, 12, 11), "requirements-lock-colab.txt"),
        ("2.12.1+cu130", (3, 12, 11), "requirements.txt"),  # the runtime has moved on
        ("2.11.0+cu128", (3, 13, 1), "requirements.txt"),
    ],
)
def test_the_torch_of_the_runtime_stays(
    path: Path,
    session: Session,
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    torch: str,
    python: tuple[int, ...],
    wanted: str,
) -> None:
    session.set(REPOSITORY=tree.as_uri())
    session.without("trl", "unsloth", torch=torch)
    monkeypatch.setattr(sys, "version_info", python)
    project = session.play(path)["PROJECT"]
    [first, second] = pip(session)
    constraints = session.folder / "constraints.txt"
    assert first == ["install", "-q", "-r", str(project / wanted), "-c", str(constraints)]
    assert second == ["install", "-q", "--no-deps", "-r", str(project / "requirements-nodeps.txt")]
    assert constraints.read_text() == f"torch=={torch}\n"


@ALONE
@pytest.mark.parametrize(("version", "removed"), [("0.10.0", True), ("0.16.0", False), ("0.18.0+cu128", False)])
def test_a_torchao_that_peft_refuses_goes(
    path: Path, session: Session, tree: Path, version: str, removed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    session.on_colab()
    session.set(REPOSITORY=tree.as_uri())
    session.without(torchao=version)
    session.play(path)
    assert pip(session) == ([["uninstall", "-q", "-y", "torchao"]] if removed else [])
    assert (f"removing torchao {version}: PEFT refuses it" in capsys.readouterr().out) == removed


def test_on_a_machine_of_ones_own_torchao_stays(session: Session, tree: Path) -> None:
    session.set(REPOSITORY=tree.as_uri())
    session.without(torchao="0.10.0")
    session.play(COLAB)
    assert not pip(session)


@ALONE
def test_a_command_that_fails_ends_with_one_line(path: Path, session: Session, tree: Path) -> None:
    session.set(REPOSITORY=tree.as_uri())
    session.without("trl", torch="2.11.0")
    session.status["pip"] = 1
    assert "pip ended with status 1" in session.stopped(path)


# --- what only Kaggle has: a switch for the internet, and two cards


@pytest.fixture
def cards(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have an nvidia-smi that lists so many cards, in a session that is no smoke run."""

    def have(count: int) -> None:
        session.set(SMOKE=0)
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\n" + "".join(f"echo 'GPU {i}: Tesla T4 (UUID: GPU-{i})'\n" for i in range(count)))
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")

    return have


def test_internet_that_is_switched_off_is_said(
    session: Session, cards: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    cards(2)
    monkeypatch.setattr(socket, "create_connection", fail)
    line = session.stopped(KAGGLE)
    assert "switch on *Internet*" in line and "name resolution" in line


@pytest.mark.parametrize(("found", "wanted"), [(0, 1), (1, 2)])
def test_cards_that_are_not_there_are_said(
    session: Session, cards: Callable[[int], None], found: int, wanted: int
) -> None:
    cards(found)
    session.set(CARDS=wanted)
    line = session.stopped(KAGGLE)
    assert f"{found} GPUs here, {wanted} wanted" in line and "GPU T4 x2" in line


def test_three_cards_are_not_to_be_had(session: Session) -> None:
    session.set(CARDS=3)
    assert "allowed: 1, 2" in session.stopped(KAGGLE)


@pytest.mark.parametrize("wanted", [1, 2])
def test_one_card_or_two(session: Session, tree: Path, wanted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    popen = subprocess.Popen

    def remember(command: list[str], **settings: Any) -> Any:
        if "--run-dir" in command:
            seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
        return popen(command, **settings)

    monkeypatch.setattr(subprocess, "Popen", remember)
    session.set(REPOSITORY=tree.as_uri(), CARDS=wanted)
    names = session.play(KAGGLE, cells=4)
    training = session.commands[-1]
    recipe = ["socialr1_lite.train", "recipes/colab_t4_qwen3_1.7b.yaml"]
    if wanted == 1:
        assert training == [*recipe, "--run-dir", str(names["RUN"]), "--smoke"]
        assert seen == ["0"]
    else:
        halved = ["run.processes=2", "grpo.gradient_accumulation_steps=4"]  # 8 in the recipe: the same batch on two
        torchrun = ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
        assert training == [*torchrun, *recipe, *halved, "--run-dir", str(names["RUN"]), "--smoke"]
        assert seen == ["0,1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0", "everything else sees one card"


@pytest.mark.parametrize("recipe", ["colab_t4_qwen3_1.7b", "colab_t4_qwen3_4b"])
def test_two_cards_train_on_the_same_batch(recipe: str) -> None:
    from socialr1_lite.recipe import load_recipe

    path = REPOSITORY / "recipes" / f"{recipe}.yaml"
    one = load_recipe(path)
    half = one.grpo.gradient_accumulation_steps // 2
    two = load_recipe(path, ["run.processes=2", f"grpo.gradient_accumulation_steps={half}"])
    assert two.completions_per_step == one.completions_per_step


# --- in a kernel


def execute(notebook: Any, folder: Path, **settings: Any) -> None:
    nbclient = pytest.importorskip("nbclient")
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=resources, **settings).execute()


def output(cell: Any) -> str:
    return "".join(shown.get("text", "") for shown in cell.outputs)


@ALONE
def test_a_missing_address_is_one_line_in_a_kernel_too(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIALR1_SMOKE", "1")
    monkeypatch.delenv("SOCIALR1_REPOSITORY", raising=False)
    notebook = read(path)
    with pytest.raises(Exception, match="where is the project"):
        execute(notebook, tmp_path)
    [error] = [shown for cell in notebook.cells for shown in cell.get("outputs", []) if shown.output_type == "error"]
    [line] = error.traceback
    assert line.startswith("STOPPED: where is the project?") and "\n" not in line
    assert not list(tmp_path.iterdir())


@pytest.fixture
def executed(path: Path, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The notebook after all its cells, and then the training cell once more; those for a cloud in an empty folder."""
    fakes, work = tmp_path / "fakes", tmp_path / "work"
    work.mkdir()
    settings: dict[str, object] = {"SMOKE": 1, "REPOSITORY": tree.as_uri()}
    if path == COLAB:
        package = fakes / "google" / "colab"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "drive.py").write_text(DRIVE)
        settings["CONTENT"] = work
    elif path == KAGGLE:
        (tmp_path / "working").mkdir()
        settings |= {"KAGGLE": tmp_path, "CARDS": 2}
        monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    else:
        settings["ROOT"] = work
    if recipe := os.environ.get("SOCIALR1_TEST_RECIPE"):  # a quicker one, while the notebooks are worked on
        settings |= {"RECIPE": recipe, "SMOKE": 0}
    for name, value in settings.items():
        monkeypatch.setenv(f"SOCIALR1_{name}", str(value))
    monkeypatch.setenv("PYTHONPATH", str(fakes))
    notebook = read(path)
    [training] = [cell for cell in notebook.cells if cell.cell_type == "code" and '"--run-dir", RUN' in cell.source]
    notebook.cells.append(training.copy())
    execute(notebook, path.parent if path == CPU else work)
    return notebook


@pytest.mark.slow
@BY_NAME
def test_every_cell_runs_and_training_again_has_nothing_to_do(path: Path, executed: Any, tmp_path: Path) -> None:
    shown = [output(cell) for cell in executed.cells if cell.cell_type == "code"]
    assert "is complete" in shown[-1] and "nothing to do" in shown[-1]
    assert any(" usable: " in one for one in shown), "the plan was not shown"
    [run] = [folder.parent.parent for folder in tmp_path.rglob("adapter/adapter_model.safetensors")]
    if path == KAGGLE:
        assert run == tmp_path / "working" / "colab_t4_qwen3_1.7b-smoke"
        assert Path(f"{run}.zip").is_file()
    else:
        assert any("<iframe" in str(cell.outputs) for cell in executed.cells if cell.cell_type == "code"), "no viewer"
    if path == COLAB:
        assert run == tmp_path / "work" / "drive" / "MyDrive" / "socialr1_lite" / "colab_t4_qwen3_1.7b-smoke"
        assert list(run.parent.glob("*-adapter/adapter_model.safetensors")), "nothing was exported"
    if path != CPU:
        assert any("the project lies in " + str(tmp_path) in one for one in shown), "another project was used"
        assert (run / "evaluation" / "stories.json").is_file(), "nothing was evaluated"
