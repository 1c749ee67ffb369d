"""The doctor: each finding from what it would look like on other machines, and one real look at this one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from socialr1_lite.doctor import Finding, Gpu, __main__, machine, packages, trials
from socialr1_lite.doctor.__main__ import report
from socialr1_lite.policy.machine import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
T4 = Gpu("Tesla T4", 15.0, (7, 5))
A100 = Gpu("NVIDIA A100-SXM4-80GB", 79.3, (8, 0))


def lowest_versions() -> dict[str, str]:
    """Versions that satisfy every requirement: each lower bound itself."""
    bounds = {}
    for wanted in packages.requirements():
        low = re.search(r">=([\d.]+)", str(wanted.specifier))
        assert low, f"{wanted} has no lower bound"
        bounds[packages.canonical(wanted.name)] = low[1]
    return bounds | {packages.canonical(name): version for name, version in packages.NODEPS.items()}


def only(findings) -> Finding:
    [finding] = findings
    return finding


def test_requirements_come_from_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.importlib.metadata, "requires", lambda _: [])  # an installed package's own list
    names = {wanted.name for wanted in packages.requirements()}
    assert {"torch", "trl", "gradio"} <= names
    assert names >= packages.NEEDED_TO_TRAIN


def test_the_nodeps_versions_are_those_of_the_file() -> None:
    lines = (ROOT / "requirements-nodeps.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pinned == packages.NODEPS


def test_the_torch_of_a_cpu_set_up_is_a_tested_one() -> None:
    pin = re.search(r"^CPU_TORCH := torch==([\d.]+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    [torch] = [wanted for wanted in packages.requirements() if wanted.name == "torch"]
    assert pin and torch.specifier.contains(pin[1])


def test_tested_versions_are_all_right() -> None:
    assert {finding.state for finding in packages.check_packages(lowest_versions())} == {"ok"}


@pytest.mark.parametrize(
    ("change", "name", "state", "remedy"),
    [
        ({"trl": None}, "trl", "fix", "pip install 'trl<=1.15.0,>=1.12'"),
        ({"gradio": None}, "gradio", "note", "pip install 'gradio<7,>=6.31'"),
        ({"transformers": "5.99.0"}, "transformers", "note", "pip install 'transformers"),
        ({"unsloth": None}, "unsloth", "note", "pip install --no-deps unsloth==2026.10.9"),
        ({"unsloth": "2025.1.1"}, "unsloth", "note", "pip install --no-deps unsloth==2026.10.9"),
    ],
)
def test_a_missing_or_untested_package_gets_its_line(change, name, state, remedy) -> None:
    versions = {key: version for key, version in (lowest_versions() | change).items() if version}
    finding = only(finding for finding in packages.check_packages(versions) if finding.state != "ok")
    assert (finding.name, finding.state) == (name, state)
    assert finding.remedy.startswith(remedy)


def test_a_local_build_of_torch_counts_as_its_release() -> None:
    findings = packages.check_packages(lowest_versions() | {"torch": "2.13.0+cpu"})
    assert {finding.state for finding in findings} == {"ok"}


@pytest.mark.parametrize(
    ("versions", "system", "environment", "name", "state"),
    [
        ({"mlx": "0.32"}, "darwin", {}, "unsloth + mlx", "note"),
        ({"unsloth": "2026.10.9", "unsloth-zoo": "2026.9.1"}, "linux", {}, "unsloth + unsloth_zoo", "note"),
        ({}, "linux", {"UNSLOTH_DISABLE_CPU_FALLBACK": "1"}, "environment", "note"),
        ({"vllm": "0.14.1"}, "linux", {"UNSLOTH_VLLM_STANDBY": "1"}, "vllm", "fix"),
        ({"vllm": "0.10.2"}, "linux", {"UNSLOTH_VLLM_STANDBY": "1"}, "vllm", "fix"),
        ({"vllm": "0.14.1"}, "linux", {}, "vllm", "note"),
        ({"vllm": "0.32.0"}, "linux", {}, "vllm", "note"),
        ({"vllm": "0.21.0"}, "linux", {"UNSLOTH_VLLM_STANDBY": "1"}, "vllm", "ok"),
        ({"torchao": "0.10.0", "peft": "0.21.2"}, "linux", {}, "torchao + peft", "fix"),
        ({"torchao": "0.15.0+cu128", "peft": "0.21.2"}, "linux", {}, "torchao + peft", "fix"),
    ],
)
def test_known_bad_combinations(versions, system, environment, name, state) -> None:
    finding = only(packages.check_combinations(versions, system, environment))
    assert (finding.name, finding.state) == (name, state)
    assert bool(finding.remedy) == (state != "ok")


def test_a_torchao_that_peft_refuses_goes_and_peft_would_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colab brings 0.10. The bound is PEFT's own, asked of the installed PEFT."""
    import peft.import_utils as theirs

    versions = {"torchao": "0.10.0", "peft": "0.21.2"}
    finding = only(packages.check_combinations(versions, "linux", {}))
    assert "0.10.0" in finding.found and "ImportError" in finding.found
    assert finding.remedy == "pip uninstall -y torchao"
    monkeypatch.setattr(theirs.importlib.util, "find_spec", lambda name: object())
    for version, refused in (("0.15.9", True), (packages.OLDEST_TORCHAO, False), ("0.18.0", False)):
        monkeypatch.setattr(theirs.importlib_metadata, "version", lambda name, version=version: version)
        theirs.is_torchao_available.cache_clear()
        with pytest.raises(ImportError) if refused else contextlib.nullcontext():
            theirs.is_torchao_available()
        assert bool(list(packages.check_combinations(versions | {"torchao": version}, "linux", {}))) == refused
    theirs.is_torchao_available.cache_clear()
    assert not list(packages.check_combinations({"torchao": "0.10.0"}, "linux", {})), "without PEFT nobody asks"


def test_another_vllm_comes_with_the_torch_that_it_needs() -> None:
    """The file holds the one resolve there is; a bare `pip install vllm` takes another torch."""
    remedy = only(packages.check_combinations({"vllm": "0.33.0"}, "linux", {})).remedy
    assert remedy == "pip install -r requirements-vllm.txt"
    assert (ROOT / remedy.split()[-1]).is_file()


def test_optional_packages_that_have_broken_runs_are_told_with_their_versions() -> None:
    found = packages.check_optional({"triton": "3.9.0", "xformers": "0.0.40"}).found
    assert found == "vllm -, triton 3.9.0, torchao -, xformers 0.0.40"
    assert set(packages.OPTIONAL) <= set(PACKAGES), "environment.json tells the same"


def test_the_driver_and_the_cuda_of_torch_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = machine.read_gpu("Tesla T4, 15360, 7.5, 580.65.06")
    assert gpu == replace(T4, driver="580.65.06")
    assert "driver 580.65.06" in only(machine.check_gpus([gpu])).found
    taken = {"backend": "unsloth", "device": "cuda", "torch_cuda": "13.0"}
    monkeypatch.setattr(trials, "trial", lambda code: (taken, ""))
    assert trials.try_backend([gpu])[1].found == "auto takes unsloth on cuda (torch is built for CUDA 13.0)"


def test_what_four_bits_really_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "trial", lambda code: ({"device": "cuda"}, ""))
    found = trials.try_4bit("unsloth").found
    assert "unsloth/NAME-unsloth-bnb-4bit" in found and "model.revision" in found
    assert "unsloth" not in trials.try_4bit("transformers").found


def test_combinations_that_are_fine_are_not_mentioned() -> None:
    assert not list(packages.check_combinations(lowest_versions(), "linux", {}))
    assert not list(packages.check_combinations({"mlx": "0.32"}, "linux", {}))
    assert not list(packages.check_combinations({"unsloth": "1", "unsloth-zoo": "1"}, "darwin", {}))


def test_expandable_segments_with_standby_must_be_fixed() -> None:
    environment = {"UNSLOTH_VLLM_STANDBY": "1", "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    states = [finding.state for finding in packages.check_combinations({"vllm": "0.22.0"}, "linux", environment)]
    assert states == ["ok", "fix"]


def test_a_companion_built_for_another_torch_must_be_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = {"torchvision": ["numpy", "torch==2.13.0"], "xformers": ["torch>=2.10"]}
    monkeypatch.setattr(packages.importlib.metadata, "requires", lambda name: needs[name])
    versions = {"torchvision": "0.28.0", "xformers": "0.0.40"}
    assert not list(packages.check_torch_partners(versions | {"torch": "2.13.0+cpu"}))
    finding = only(packages.check_torch_partners(versions | {"torch": "2.12.1"}))
    assert finding == Finding(
        "torch + torchvision",
        "fix",
        "torchvision 0.28.0 was built for torch==2.13.0, and torch is 2.12.1",
        "pip uninstall -y torchvision",
    )


def test_gpus_are_read_from_the_driver() -> None:
    assert machine.read_gpu("Tesla T4, 15360, 7.5") == T4
    assert machine.read_gpu("No devices were found") is None
    assert machine.read_gpu("Strange, [N/A], 7.5") is None


def test_each_generation_of_gpu_is_told_what_it_lacks() -> None:
    old = Gpu("Tesla P100", 16.0, (6, 0))
    findings = list(machine.check_gpus([T4, A100, old]))
    assert [finding.state for finding in findings] == ["note", "ok", "note"]
    assert "15 GiB" in findings[0].found and "no bfloat16" in findings[0].found
    assert only(machine.check_gpus([])).state == "note"


def test_a_processor_without_native_bfloat16_is_told() -> None:
    assert "amx_bf16" in machine.check_processor({"avx2", "amx_bf16"}).found
    assert "float32" in machine.check_processor({"avx2", "avx512f"}).found
    assert "not known" in machine.check_processor(set()).found


def test_small_machines_are_told() -> None:
    assert machine.check_memory(7.9).state == "note"
    assert machine.check_memory(8.1).state == "ok"
    assert machine.check_memory(None).state == "note"
    assert machine.check_disk(1.9).state == "fix"
    assert machine.check_disk(2.1).state == "ok"
    assert machine.check_python((3, 10)).state == "fix"
    assert machine.check_python((3, 12)).state == "ok"


def test_a_stale_compiled_cache_is_found(tmp_path: Path) -> None:

    assert not list(packages.check_compiled_cache(tmp_path / "none"))
    assert not list(packages.check_compiled_cache(tmp_path))  # as new as can be
    os.utime(tmp_path, (0, 0))
    assert only(packages.check_compiled_cache(tmp_path)).remedy == f"rm -r {tmp_path}"


def test_a_trial_that_fails_in_any_way_is_one_line() -> None:
    assert trials.trial("print('noise'); print('{\"a\": 1}')") == ({"a": 1}, "")
    assert trials.trial("raise OSError('no\\nsuch library')") == ({}, "such library")
    assert trials.trial("import os; os._exit(3)") == ({}, "the trial process ended with status 3")
    assert trials.trial("print('hello')") == ({}, "the trial gave no answer")
    assert trials.trial("pass") == ({}, "the trial gave no answer")
    assert trials.trial("import time; time.sleep(9)", seconds=0.3) == ({}, "no answer within 0.3 seconds")


@pytest.mark.parametrize(
    ("taken", "problem", "gpus", "state", "words"),
    [
        ({"backend": "unsloth", "device": "cpu"}, "", [], "ok", "auto takes unsloth on cpu"),
        ({"backend": "unsloth", "device": "cuda"}, "", [A100], "ok", "on cuda"),
        ({"backend": "transformers", "device": "cpu"}, "", [A100], "fix", "though the driver shows NVIDIA A100"),
        ({}, "ImportError: no", [], "fix", "ImportError: no"),
        ({"refused": "Tesla T4 is here, but torch cannot use it"}, "", [T4], "fix", "but torch cannot use it"),
    ],
)
def test_the_backend_finding(monkeypatch, taken, problem, gpus, state, words) -> None:
    monkeypatch.setattr(trials, "trial", lambda code: (taken, problem))
    backend, finding = trials.try_backend(gpus)
    assert (finding.state, backend) == (state, {} if "refused" in taken else taken)
    assert words in finding.found


@pytest.mark.slow
def test_the_backend_trial_refuses_as_a_training_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked in a real process, with a driver that this CPU build of torch cannot use."""
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '470.10, Tesla T4'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    backend, finding = trials.try_backend([T4])
    assert backend == {} and finding.state == "fix"
    assert "Tesla T4 with NVIDIA driver 470.10 is here" in finding.found and "update the driver" in finding.found


def test_4_bit_that_does_not_work_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "trial", lambda code: ({}, "ImportError: libbitsandbytes"))
    finding = trials.try_4bit()
    assert finding.state == "note" and "keep model.load_in_4bit: false" in finding.found


def test_the_report_says_what_to_type_and_the_verdict() -> None:
    fine = Finding("torch", "ok", "2.13.0")
    broken = Finding("trl", "fix", "not installed", "pip install trl")
    assert report([fine, broken], {}).splitlines()[-3:] == [
        "               type: pip install trl",
        "",
        "Training cannot work yet; to fix: trl.",
    ]
    assert report([fine], {"backend": "unsloth", "device": "cpu"}).endswith("unsloth backend on cpu.")
    assert "--quick" in report([fine], {})


@pytest.mark.parametrize(("state", "status"), [("note", 0), ("fix", 2)])
def test_the_exit_status_is_2_only_when_training_cannot_work(monkeypatch, capsys, state, status) -> None:
    monkeypatch.setattr(__main__, "examine", lambda quick: ([Finding("x", state, "y")], {}))
    monkeypatch.setattr(sys, "argv", ["doctor", "--json"])
    assert __main__.main() == status
    output = json.loads(capsys.readouterr().out)
    assert output["ready"] is (status == 0)
    assert output["findings"] == [{"name": "x", "state": state, "found": "y", "remedy": ""}]


def test_a_quick_look_loads_no_heavy_library() -> None:
    code = (
        "import sys; from socialr1_lite.doctor.__main__ import examine; examine(quick=True); "
        "print([name for name in ('torch', 'transformers', 'unsloth', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.essential
def test_this_machine_can_train_and_quantise() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "socialr1_lite.doctor", "--json"], capture_output=True, text=True, cwd=ROOT
    )
    output = json.loads(done.stdout)
    assert done.returncode == 0 and output["ready"], output
    states = {finding["name"]: finding["state"] for finding in output["findings"]}
    assert states["backend"] == "ok" and states["4-bit"] == "ok" and states["embedded model"] == "ok"
