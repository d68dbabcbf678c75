"""What every test may use: one embedded AWS for each test process, and one running sandbox on it."""

from collections.abc import Iterator

import pytest

from tests.runtime import stories
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import Stage


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
