"""`make mutate`: every mutant of the rules against their tests, kept in `found.json` beside this.

The exit status is 0 if enough were killed.

A mutant runs in a fork that has loaded everything but the rules themselves, so that it costs little more than its tests
until the first that fails.
"""

import argparse
import ast
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pydantic  # noqa: F401 - loaded once, for all forks
import pytest
from hypothesis import is_hypothesis_test

from tests.mutation.mutants import Mutant, changed, mutants
from tests.mutation.survivors import FOUND, REASONS, found

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    "cronofy.signature": ["tests/unit/cronofy/test_signature.py"],
    "domain.model": ["tests/unit/domain/test_model.py", "tests/unit/domain/test_lifecycle.py"],
    "domain.record": [
        "tests/unit/domain/test_model.py",
        "tests/unit/domain/test_reports.py",
        "tests/unit/domain/test_attempts.py",
        "tests/unit/domain/test_incidents.py",
        "tests/unit/domain/test_silences.py",
        "tests/unit/domain/test_rescue.py",
    ],
    "domain.attempts": ["tests/unit/domain/test_attempts.py", "tests/unit/domain/test_reports.py"],
    "domain.reports": ["tests/unit/domain/test_reports.py", "tests/unit/domain/test_attempts.py"],
    "domain.state_machine": ["tests/unit/domain/test_lifecycle.py"],
    "domain.verdicts": ["tests/unit/domain/test_lifecycle.py"],
    "domain.incidents": [
        "tests/unit/domain/test_incidents.py",
        "tests/unit/domain/test_archive.py",
        "tests/unit/domain/test_rescue.py",
        "tests/unit/domain/test_reports.py",
        "tests/unit/domain/test_profiles.py",
        "tests/unit/domain/test_lifecycle.py",
    ],
    "domain.situation": ["tests/unit/domain/test_incidents.py", "tests/unit/domain/test_alerts.py"],
    "domain.groups": ["tests/unit/domain/test_groups.py", "tests/unit/domain/test_drills.py"],
    "domain.history": ["tests/unit/domain/test_history.py"],
    "domain.acknowledgement": ["tests/unit/domain/test_history.py"],
    "domain.alerts": [
        "tests/unit/domain/test_alerts.py",
        "tests/unit/domain/test_silences.py",
        "tests/unit/domain/test_rescue.py",
    ],
    "domain.lifecycle": [
        "tests/unit/domain/test_lifecycle.py",
        "tests/unit/domain/test_reports.py",
        "tests/unit/domain/test_receipts.py",
        "tests/unit/domain/test_archive.py",
        "tests/unit/domain/test_rescue.py",
        "tests/unit/domain/test_silences.py",
    ],
    "domain.responses": [
        "tests/unit/domain/test_reports.py",
        "tests/unit/domain/test_lifecycle.py",
        "tests/unit/domain/test_incidents.py",
    ],
    "domain.deadlines": [
        "tests/unit/domain/test_reports.py",
        "tests/unit/domain/test_lifecycle.py",
        "tests/unit/domain/test_silences.py",
        "tests/system/test_template.py",
    ],
    "domain.grace_periods": [
        "tests/unit/domain/test_reports.py",
        "tests/unit/domain/test_rescue.py",
        "tests/unit/domain/test_lifecycle.py",
        "tests/system/test_template.py",
    ],
    "domain.bindings": ["tests/unit/domain/test_bindings.py"],
    "domain.erasures": ["tests/unit/domain/test_erasures.py"],
    "domain.archive": ["tests/unit/domain/test_archive.py"],
    "domain.drills": ["tests/unit/domain/test_drills.py"],
    "domain.labels": ["tests/unit/domain/test_labels.py"],
    "domain.overdue": [
        "tests/unit/domain/test_overdue.py",
        "tests/unit/domain/test_archive.py",
        "tests/unit/domain/test_rescue.py",
    ],
    "domain.receipts": ["tests/unit/domain/test_receipts.py"],
    "domain.silences": ["tests/unit/domain/test_silences.py", "tests/unit/api/test_silence_request.py"],
    "domain.readings": ["tests/unit/domain/test_readings.py", "tests/unit/domain/test_profiles.py"],
    "domain.rescue": ["tests/unit/domain/test_rescue.py"],
    "domain.profiles": ["tests/unit/domain/test_profiles.py"],
    "domain.identity": ["tests/unit/api/test_bodies.py"],
    "cronofy.userinfo": ["tests/unit/cronofy/test_userinfo.py"],
    "cronofy.json_text": ["tests/unit/api/test_bodies.py"],
    "cronofy.subscriptions": ["tests/unit/cronofy/test_subscriptions.py", "tests/unit/api/test_bodies.py"],
    "announcement": ["tests/unit/test_announcement.py", "tests/unit/api/test_bodies.py"],
    "api.strict_json": ["tests/unit/api/test_bodies.py"],
    "api.bodies": ["tests/unit/api/test_bodies.py"],
    "api.views": ["tests/unit/api/test_bodies.py"],
}
"""The modules whose rules are mutated, and the tests that must notice."""
MIN_KILLED = 0.9
TIMEOUT_SECONDS = 120
"""Seconds after which a mutant that never ends counts as killed."""
PROCESSES = 2
_REWRITE = "ignore::pytest.PytestAssertRewriteWarning"  # of what is loaded before pytest runs


def path_of(name: str) -> Path:
    return ROOT / "layers/shared/meeting_agents" / f"{name.replace('.', '/')}.py"


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module of the layer in its changed form."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name, self.tree = f"meeting_agents.{name}", tree

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.tree, f"{self.name} (changed)", "exec"), module.__dict__)  # noqa: S102 - a module is code


class PlainFirst:
    """A plugin that runs tests with generated cases last, because they are the slowest."""

    @staticmethod
    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: is_hypothesis_test(getattr(item, "obj", None)))


def start(name: str, tree: ast.Module, tests: Sequence[str]) -> int:
    """Start the tests against a module; the process's id. Its status is 0 if no test notices."""
    child = os.fork()
    if child:
        return child
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    signal.alarm(TIMEOUT_SECONDS)
    sys.meta_path.insert(0, Changed(name, tree))
    status = 1
    try:
        options = ["-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", _REWRITE]
        status = int(pytest.main([*options, *tests], plugins=[PlainFirst()]))
    finally:
        os._exit(status)


def survivors(name: str, source: str, every: Sequence[Mutant], tests: Sequence[str]) -> list[Mutant]:
    """The mutants that no test notices."""
    running: dict[int, Mutant] = {}
    alive = []
    waiting = list(reversed(every))
    while waiting or running:
        while waiting and len(running) < PROCESSES:
            mutant = waiting.pop()
            running[start(name, changed(source, mutant), tests)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if os.waitstatus_to_exitcode(status) == 0:
            alive.append(mutant)
    return sorted(alive, key=lambda mutant: mutant.line)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutate")
    parser.add_argument("names", nargs="*", metavar="module", help="only these modules")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth mutant")
    options = parser.parse_args()
    began = time.monotonic()
    is_enough = True
    kept = {}
    for name, tests in RULES.items():
        if options.names and name not in options.names:
            continue
        source = path_of(name).read_text(encoding="utf-8")
        unchanged = start(name, ast.parse(source), tests)
        if os.waitpid(unchanged, 0)[1]:
            print(f"{name}: its tests fail as it is")
            return 1
        every = mutants(source)[:: options.every]
        alive = survivors(name, source, every, tests)
        share = 1 - len(alive) / len(every)
        print(f"{name}: {len(every)} mutants, {share:.1%} killed", flush=True)
        for mutant in alive:
            reason = REASONS.get(name, {}).get(mutant.name, "NO REASON GIVEN")
            print(f"  line {mutant.line}: {mutant.name}: {reason}")
        is_enough &= share >= MIN_KILLED
        kept[name] = {"mutants": len(every), "survivors": [mutant.name for mutant in alive]}
    print(f"{time.monotonic() - began:.0f} s")
    if options.every == 1:
        before = found()["modules"] if FOUND.exists() else {}
        written = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "modules": before | kept}
        FOUND.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0 if is_enough else 1


if __name__ == "__main__":
    sys.exit(main())
