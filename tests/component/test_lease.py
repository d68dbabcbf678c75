"""A lease has one holder at a time, and no holder keeps it for ever."""

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


def test_a_lease_is_held_by_one_at_a_time(desk: Desk) -> None:
    """Of three that want it at once, each gets it, one after the other."""
    holders, most = list[int](), list[int]()

    def work(number: int) -> None:
        with desk.lease("work").acquire():
            holders.append(number)
            time.sleep(0.02)
            most.append(len(holders))
            holders.remove(number)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert most == [1] * 3


def test_a_lease_is_released_also_by_work_that_fails(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.lease("work").acquire():
        raise ZeroDivisionError
    began = desk.now
    with desk.lease("work").acquire():
        assert desk.now == began


def test_leases_of_different_names_are_independent(desk: Desk) -> None:
    began = desk.now
    with desk.lease("work").acquire(), desk.lease("other").acquire():
        assert desk.now == began


def test_a_lease_whose_holder_died_is_taken_over_when_it_ends(desk: Desk) -> None:
    assert desk.lease("work")._hold("dead", desk.seconds() + LEASE_SECONDS)
    began = desk.seconds()
    with desk.lease("work").acquire():
        assert LEASE_SECONDS <= desk.seconds() - began < LEASE_SECONDS + 1


def test_a_wait_that_takes_too_long_ends(desk: Desk) -> None:
    """Whoever holds it longer than a lease lasts: it is the caller's caller that tries again."""
    assert desk.lease("work")._hold("slow", desk.seconds() + 1000)
    began = desk.seconds()
    with pytest.raises(LeaseTimeout, match="work"), desk.lease("work").acquire():
        pytest.fail("two at a time")
    assert LEASE_WAIT_SECONDS < desk.seconds() - began < LEASE_WAIT_SECONDS + 1


def test_without_the_table_nothing_is_done(desk: Desk) -> None:
    desk.agents_table = "no_such_table"
    with pytest.raises(StoreUnavailable), desk.lease("work").acquire():
        pytest.fail("nobody knows who holds it")
