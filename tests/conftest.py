"""What every test may use: one embedded AWS for each test process, and one running sandbox on it."""

from collections.abc import Iterator

import pytest

from tests.runtime import stories
from tests.runtime.everything import Written, everything
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import Stage


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and all that use the scene too; begin with those, the longest."""
    for item in items:
        group = "scene" if "scene" in getattr(item, "fixturenames", ()) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "scene" not in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    """An AWS for all tests of this process. A test that wants it empty takes an account of its own."""
    with EmbeddedAws() as aws:
        yield aws


@pytest.fixture(scope="session")
def stage(aws: EmbeddedAws) -> Iterator[Stage]:
    """The deployed stack with short graces. Tests share it: each uses calendar events of its own."""
    with Stage(aws) as stage:
        yield stage


@pytest.fixture(scope="session")
def scene() -> Iterator[stories.Scene]:
    """The deployed stack whose functions run one step at a time. Whoever uses it begins with `platform.forget()`."""
    with stories.scene() as scene:
        yield scene


@pytest.fixture(scope="session")
def written(scene: stories.Scene) -> Written:
    """Every story told, and after them whatever may be refused: what was written anywhere, and what was called."""
    return everything(scene)
