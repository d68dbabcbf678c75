"""The mutation run in short; `make mutate` does all of it."""

import subprocess
import sys

import pytest

from tests.mutation.__main__ import MIN_KILLED, RULES, path_of
from tests.mutation.mutants import mutants
from tests.mutation.survivors import REASONS, found
from tests.sandbox.deployment import ROOT


def test_changes_of_the_signature_check_are_noticed() -> None:
    """Some of them, each by a test that fails."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--every", "3", "cronofy.signature"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100.0% killed" in done.stdout


@pytest.mark.parametrize("name", REASONS)
def test_no_reason_outlives_its_mutant(name: str) -> None:
    """Each excused mutant exists."""
    source = path_of(name).read_text(encoding="utf-8")
    assert REASONS[name].keys() <= {mutant.name for mutant in mutants(source)}


def test_the_last_full_run_noticed_enough_and_every_survivor_is_excused() -> None:
    """All mutated modules are checked."""
    modules = found()["modules"]
    assert modules.keys() == RULES.keys()
    for name, module in modules.items():
        assert 1 - len(module["survivors"]) / module["mutants"] >= MIN_KILLED
        assert {*module["survivors"]} <= REASONS.get(name, {}).keys()
