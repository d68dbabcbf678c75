"""Fixtures for every test: one embedded AWS for each test process, and one running sandbox on it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.runtime import stories
from tests.runtime.everything import Written, everything
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import Stage

ON_THE_SCENE = {
    f"test_{name}.py"
    for name in ("bench", "crash", "erasure", "expiry", "failed_alerts", "order", "policies", "secrecy", "subscribers")
}
"""Files whose tests share the scene, which is slow to set up; they begin first, because together they take longest."""

settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")  # the speed of a machine proves nothing


class ByFile(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """The tests of a file run in one process, and those of all that share the scene."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "scene" if Path(file).name in ON_THE_SCENE else file


@pytest.hookimpl(optionalhook=True)  # `-p no:xdist` knows no such hook
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in ON_THE_SCENE)


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    """An AWS for all tests of this process. A test that needs it empty uses an account of its own."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def stage(aws: EmbeddedAws) -> Iterator[Stage]:
    """The deployed stack with short grace periods. Tests share it: each uses calendar events of its own."""
    with Stage(aws) as stage:
        yield stage


@pytest.fixture(scope="session")
def scene() -> Iterator[stories.Scene]:
    """The deployed stack whose functions run step by step. A test that uses it begins with `platform.forget()`."""
    with stories.scene() as scene:
        yield scene


@pytest.fixture(scope="session")
def written(scene: stories.Scene) -> Written:
    """The texts and calls of all stories, errands and rejected requests."""
    return everything(scene)
