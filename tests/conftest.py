"""What several test files share: the real benchmark files' folder and one invented scenario with its facts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from socialr1_lite.scenario import Claim, Facts, Scenario

REPOSITORY = Path(__file__).resolve().parent.parent
BENCHMARKS = REPOSITORY.parent / "shared" / "data" / "benchmarks"

# Nothing under test may phone home, and a viewer must not either.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

# A busy machine is slow, not wrong. In CI the same examples every time, so that a red run can be had again.
settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ, print_blob=True
)
settings.load_profile("ours")

SCENARIO = Scenario(
    id="invented/0",
    story=(
        "Mara puts the violin in the green trunk and leaves the attic. "
        "While she is away, Tomas moves the violin to the wicker basket. "
        "Mara comes back to play."
    ),
    question="Where will Mara look for the violin first?",
    options=("the wicker basket", "the green trunk", "the kitchen shelf"),
    gold=(1,),
    dimension="belief",
    source="invented",
    shortcuts=("reality", "", "distractor"),
    facts=Facts(
        people=("Mara", "Tomas"),
        things=("violin", "green trunk", "wicker basket"),
        sentences=(
            "Mara puts the violin in the green trunk and leaves the attic.",
            "While she is away, Tomas moves the violin to the wicker basket.",
            "Mara comes back to play.",
        ),
        cues=(0, 1),
        claims=(Claim(("Mara",), "violin", "is in", "green trunk", rivals=("wicker basket",)),),
        goal=Claim(("Mara",), "Mara", "wants to", "play the violin"),
    ),
    meta={"order": 1},
)


@pytest.fixture
def scenario() -> Scenario:
    """A false-belief question whose gold answer is option B."""
    return SCENARIO


@pytest.fixture(scope="session")
def benchmarks_dir() -> Path:
    """The folder of real benchmark files; without it a test skips on a desk and fails in CI."""
    if not BENCHMARKS.is_dir():
        message = f"the benchmark files are not at {BENCHMARKS}"
        if os.environ.get("CI"):
            pytest.fail(message + "; CI must not pass without them")
        pytest.skip(message)
    return BENCHMARKS


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer Llama (byte-level vocabulary, SmolLM2's chat template); made in a second."""
    from tests.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny"))
