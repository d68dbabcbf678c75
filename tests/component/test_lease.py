"""A lease: one holder at a time, none for ever."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from meeting_agents.aws.lease import LEASE_SECONDS, LEASE_WAIT_SECONDS
from meeting_agents.errors import LeaseTimeout, StoreUnavailable
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


def test_a_lease_has_one_holder_at_a_time(desk: Desk) -> None:
    """Three wait for it, and each gets it."""
    holders, counts = list[int](), list[int]()

    def work(number: int) -> None:
        with desk.lease("work").acquire():
            holders.append(number)
            time.sleep(0.02)
            counts.append(len(holders))
            holders.remove(number)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert counts == [1] * 3


def test_work_that_fails_releases_the_lease(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.lease("work").acquire():
        raise ZeroDivisionError
    began = desk.now
    with desk.lease("work").acquire():
        assert desk.now == began


def test_leases_of_different_names_are_independent(desk: Desk) -> None:
    began = desk.now
    with desk.lease("work").acquire(), desk.lease("other").acquire():
        assert desk.now == began


def test_the_lease_of_a_holder_that_died_ends(desk: Desk) -> None:
    assert desk.lease("work")._hold("dead", desk.seconds() + LEASE_SECONDS)
    began = desk.seconds()
    with desk.lease("work").acquire():
        assert LEASE_SECONDS <= desk.seconds() - began < LEASE_SECONDS + 1


def test_waiting_for_a_lease_times_out(desk: Desk) -> None:
    """The holder keeps it longer than a lease lasts; the caller retries."""
    assert desk.lease("work")._hold("slow", desk.seconds() + 1000)
    began = desk.seconds()
    with pytest.raises(LeaseTimeout, match="work"), desk.lease("work").acquire():
        pytest.fail("the lease has two holders")
    assert LEASE_WAIT_SECONDS < desk.seconds() - began < LEASE_WAIT_SECONDS + 1


def test_without_the_table_no_lease_is_acquired(desk: Desk) -> None:
    desk.agents_table = "no_such_table"
    with pytest.raises(StoreUnavailable), desk.lease("work").acquire():
        pytest.fail("the holder is unknown")
