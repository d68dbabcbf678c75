"""The mutation run in short; `make mutate` does all of it."""

import subprocess
import sys
import tomllib

import pytest

from tests.mutation.mutants import mutants
from tests.sandbox.deployment import ROOT

REASONS: dict[str, dict[str, str]] = tomllib.loads((ROOT / "tests/mutation/survivors.toml").read_text(encoding="utf-8"))


def test_changes_of_the_signature_check_are_noticed() -> None:
    """Some of them, each by a test that fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--every", "3", "signature"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100.0% killed" in done.stdout


@pytest.mark.parametrize("name", REASONS)
def test_no_reason_outlives_its_mutant(name: str) -> None:
    """What is excused is there."""
    source = (ROOT / "layers/shared/meeting_agents" / f"{name}.py").read_text(encoding="utf-8")
    assert REASONS[name].keys() <= {mutant.name for mutant in mutants(source)}
