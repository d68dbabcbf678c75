"""The storage tests of the embedded AWS, run unchanged on the simulation's AWS in memory.

So what the simulated month finds in the product is the product's, and not a habit of the AWS that it runs on.
"""

import os

import pytest

from meeting_agents import wiring
from tests.component.test_journal import *  # noqa: F403
from tests.component.test_lease import *  # noqa: F403
from tests.component.test_rate_limiter import *  # noqa: F403
from tests.component.test_tokens import *  # noqa: F403
from tests.component.test_track import *  # type: ignore[assignment]  # noqa: F403 - each has helpers of its own
from tests.simulation.memory_aws import MemoryAws

LACKING = {
    "test_a_new_entry_is_an_insertion_in_the_stream": "the world makes its own stream from `MemoryDynamoDb.observe`",
    "test_a_lease_has_one_holder_at_a_time": "who waits at a table without network moves the clock past the lease",
}
"""Tests that need something that this AWS lacks, and the reason."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> MemoryAws:
    """Replace the embedded AWS for all tests that are imported above."""
    memory = MemoryAws()
    monkeypatch.setattr(wiring, "_session", lambda: memory.session(os.environ["AWS_ACCESS_KEY_ID"]))
    return memory


@pytest.fixture(autouse=True)
def _is_possible(request: pytest.FixtureRequest) -> None:
    if reason := LACKING.get(request.node.originalname):
        pytest.skip(reason)
