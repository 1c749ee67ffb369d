# make train   set up, then train the embedded default recipe with GRPO and the SIP reward stack
# make test    set up, then run the tests that fit into ten minutes
# make setup   only the set-up: .venv with everything in it; does nothing when nothing changed
#              LOCK=requirements-lock-cpu.txt takes the versions of a lock (each says for which Python and machine)
# make viewer  set up, then look at the runs in a browser
# make lint    ruff and mypy
# make faults  set up, then kill trainings at random moments, damage their folders, and run every other trial of faults
# make gpu-check   set up, then train a few steps here and compare with the plan; writes gpu-check.json
# make doctor  what this machine can do, and the line to type for each missing thing

PYTHON ?= python3
RECIPE ?= recipes/cpu_smollm2.yaml
RUNS ?= runs
TESTS ?= tests
# Test files run beside each other, each on one thread: a tiny model gains nothing from a second one.
WORKERS ?= logical
LOCK ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile
STAMP := $(VENV)/.complete
REQUIREMENTS := requirements.txt requirements-nodeps.txt pyproject.toml $(LOCK)

# Without an NVIDIA GPU this release installs as a CPU build; an open range would fetch several gigabytes of CUDA.
CPU_TORCH := torch==2.13.0
# The default CUDA build of torch is for CUDA 13 and needs this driver; an older driver takes a build for CUDA 12:
# make TORCH_INDEX=https://download.pytorch.org/whl/cu126
CUDA_13_DRIVER := 580
TORCH_INDEX ?=
DRIVER := nvidia-smi --query-gpu=driver_version --format=csv,noheader

.PHONY: setup train test test-all faults lint viewer doctor gpu-check clean

setup: $(STAMP)

# Written last, so that an interrupted set-up is taken up again.
$(STAMP): $(REQUIREMENTS) Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	@driver=$$($(DRIVER) 2>/dev/null | head -n 1); \
	    if [ -n "$$driver" ] && [ -z "$(TORCH_INDEX)" ] && [ "$${driver%%.*}" -lt $(CUDA_13_DRIVER) ]; then \
	    echo "NVIDIA driver $$driver is too old for torch's CUDA 13 build, which needs $(CUDA_13_DRIVER) or newer; update it," \
	        "or take the CUDA 12.6 build of $(CPU_TORCH):" \
	        "make TORCH_INDEX=https://download.pytorch.org/whl/cu126 $(or $(MAKECMDGOALS),setup)"; exit 2; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; \
	    then if [ -n "$(TORCH_INDEX)" ]; then $(PIP) install '$(CPU_TORCH)' --index-url '$(TORCH_INDEX)'; \
	        else echo "== NVIDIA GPU found: pip chooses the CUDA build of torch"; fi; \
	    else echo "== no NVIDIA GPU: $(CPU_TORCH)"; $(PIP) install '$(CPU_TORCH)'; fi
	$(PIP) install $(LOCK:%=-r %) -r requirements.txt -e '.[dev]'
	$(PIP) install --no-deps -r requirements-nodeps.txt
	@touch $(STAMP)

train: setup
	$(BIN)/python -m socialr1_lite.train $(RECIPE)

test: setup
	$(PYTEST) $(TESTS) -m "not slow or essential"

# Browsers one at a time: two of them time out on two cores.
test-all: setup
	$(PYTEST) $(TESTS) --ignore tests/viewer
	$(PYTEST) -n 0 tests/viewer

# What docs/faults.md counts; the first command alone: python -m tests.faults --help
FAULTS := tests/faults tests/training/test_soundness.py tests/training/test_full_disk.py tests/training/test_shortage.py \
    tests/training/test_session.py tests/training/test_launch.py tests/training/test_determinism.py \
    tests/training/test_reward_model.py tests/recipe/test_hostile.py tests/policy/test_rendering.py tests/evaluation/test_odd_reports.py \
    tests/evaluation/test_answering.py tests/test_errors.py

faults: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults
	$(PYTEST) $(FAULTS)

lint: setup
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

viewer: setup
	$(BIN)/python app.py $(RUNS)

doctor: setup
	$(BIN)/python -m socialr1_lite.doctor

gpu-check: setup
	$(BIN)/python -m socialr1_lite.doctor --gpu-check

clean:
	rm -rf $(VENV) artifacts build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache unsloth_compiled_cache
