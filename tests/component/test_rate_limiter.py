"""Cronofy's limits hold for all functions together, also across the seconds of the clock."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.aws.rate_limiter import MARGIN, Limits, wait
from meeting_agents.errors import RateLimited, StoreUnavailable
from tests.bench.rush import most_within, rush
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws

LIMITS = Limits(5, 20)


@pytest.fixture
def limited_desk(aws: EmbeddedAws) -> Iterator[Desk]:
    """A desk with low limits. The name is its own because `test_storage` imports the fixtures of several files."""
    with Desk(aws, LIMITS) as desk:
        yield desk


@given(pauses=st.lists(st.floats(0, 3), max_size=200), delays=st.lists(st.floats(0, 1), max_size=200))
def test_no_period_has_more_requests_than_its_limit(pauses: list[float], delays: list[float]) -> None:
    """Requests come at any time, and each needs up to a second to arrive."""
    now, counts, arrived = 1000.0, dict[int, int](), list[float]()
    for pause, delay in zip(pauses, delays, strict=False):
        now += pause
        if wait(counts, LIMITS, now) == 0:
            counts[int(now)] = counts.get(int(now), 0) + 1
            arrived.append(now + delay)
    assert most_within(1, arrived) <= LIMITS.per_second
    assert most_within(60, arrived) <= LIMITS.per_minute


@given(pauses=st.lists(st.floats(0, 1), min_size=30, max_size=60))
def test_the_wait_is_as_long_as_necessary(pauses: list[float]) -> None:
    """Afterwards a request is within the limits, and a moment earlier it is not."""
    now, counts = 1000.0, dict[int, int]()
    for pause in pauses:
        now += pause
        if seconds := wait(counts, LIMITS, now):
            assert wait(counts, LIMITS, now + seconds - 0.01) > 0
            now += seconds
            assert wait(counts, LIMITS, now) == 0
        counts[int(now)] = counts.get(int(now), 0) + 1


def test_processes_at_the_same_time_get_no_more_permits_than_the_limit(limited_desk: Desk) -> None:
    """Each of eight processes has its own counts; the others get a time to wait."""
    limiters = [limited_desk.rate_limiter() for _ in range(8)]

    def permitted(number: int) -> bool:
        try:
            limiters[number % 8].permit("us")
        except RateLimited as error:
            waits.append(error.retry_after)
            return False
        return True

    waits = list[int]()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(permitted, range(40))) == LIMITS.per_second
    assert set(waits) <= {1, 2, 3}


def test_each_data_center_has_limits_of_its_own(limited_desk: Desk) -> None:
    """Each has its own application."""
    for _ in range(LIMITS.per_second):
        limited_desk.rate_limiter().permit("us")
    with pytest.raises(RateLimited):
        limited_desk.rate_limiter().permit("us")
    assert limited_desk.rate_limiter().permit("de").data_center == "de"


def test_a_minute_has_its_own_limit(limited_desk: Desk) -> None:
    """Five requests in each three seconds, then twenty in the minute; the next one after a minute and the margin."""
    permits = list[float]()
    limiter = limited_desk.rate_limiter()
    while len(permits) < 2 * LIMITS.per_minute:
        try:
            limiter.permit("us")
        except RateLimited as error:
            limited_desk.sleep(error.retry_after)
        else:
            permits.append(limited_desk.seconds())
    assert most_within(1, permits) == LIMITS.per_second
    assert most_within(60 + MARGIN, permits) == LIMITS.per_minute
    assert max(after - before for before, after in pairwise(permits)) > 50


def test_the_sweep_leaves_a_share_to_callers_who_wait(limited_desk: Desk) -> None:
    """Four fifths of five requests are four."""
    for _ in range(4):
        limited_desk.rate_limiter().permit("us", share=0.8)
    with pytest.raises(RateLimited):
        limited_desk.rate_limiter().permit("us", share=0.8)
    limited_desk.rate_limiter().permit("us")


def test_four_times_the_limit_of_a_minute_arrives_and_none_is_refused(aws: EmbeddedAws) -> None:
    """All are requested in one minute; the sweep sends the rest during half of each minute, within its share.

    A tenth of Cronofy's real limits, on a virtual clock; the benchmark sends 2,000.
    """
    limits, requests = Limits(5, 50), 200
    result = rush(aws, limits, requests)
    assert result["at_once"] >= limits.per_minute * 0.9
    assert result["agents_at_cronofy"] == result["requests"] == requests
    assert result["statuses"] == {"202": requests}
    assert result["most_in_a_second"] <= limits.per_second
    assert result["most_in_a_minute"] <= limits.per_minute
    assert result["minutes"] < 10


def test_without_the_table_there_is_no_permit(limited_desk: Desk) -> None:
    """The requests of the other functions are unknown then."""
    limited_desk.agents_table = "no_such_table"
    with pytest.raises(StoreUnavailable):
        limited_desk.rate_limiter().permit("us")
