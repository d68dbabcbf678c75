"""Cronofy's limits hold for all functions together, also across the seconds of the clock."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.rate_limiter import MAX_WAIT, MINUTE, SECOND, Limits, RateLimiter, Sent
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


@given(
    pauses=st.lists(st.floats(0, 3), max_size=200),
    delays=st.lists(st.floats(0, 0.099), max_size=200),
    limits=st.builds(Limits, st.integers(1, 50), st.integers(1, 100)),
)
def test_no_period_has_more_requests_than_its_limit(pauses: list[float], delays: list[float], limits: Limits) -> None:
    """Requests come at any time, wait for theirs, and each needs up to a tenth of a second to arrive."""
    now, sent, arrived = 1000.0, Sent(), list[float]()
    for pause, delay in zip(pauses, delays, strict=False):
        now += pause
        at = sent.next_at(limits, now)
        if at - now <= MAX_WAIT:
            sent = sent.with_one_at(at)
            arrived.append(at + delay)
    assert most_within(1, arrived) <= limits.per_second
    assert most_within(60, arrived) <= limits.per_minute


@given(pauses=st.lists(st.floats(0, 1), min_size=30, max_size=60))
def test_the_wait_is_as_long_as_necessary(pauses: list[float]) -> None:
    """At the next time a request is within the limits, and a moment earlier it is not."""
    now, sent = 1000.0, Sent()
    for pause in pauses:
        now += pause
        at = sent.next_at(LIMITS, now)
        if at > now:
            assert sent.next_at(LIMITS, max(now, at - 0.01)) == pytest.approx(at)
        assert sent.next_at(LIMITS, at) == at
        sent, now = sent.with_one_at(at), at


@pytest.mark.parametrize(("limits", "wanted"), [(Limits(), 2_000), (Limits(50, 3_000), 3_000)])
def test_the_whole_allowance_is_used(limits: Limits, wanted: int) -> None:
    """If there is always a request that waits, nine tenths of the limit of a second are sent, and all of a minute's."""
    at, sent, times = 1000.0, Sent(), list[float]()
    for _ in range(wanted):
        at = sent.next_at(limits, at)
        sent = sent.with_one_at(at)
        times.append(at)
    assert most_within(1, times) >= 0.9 * limits.per_second
    if limits.per_minute < 60 * limits.per_second:
        assert most_within(MINUTE, times) == limits.per_minute
        for first, later in zip(times, times[limits.per_minute :], strict=False):
            assert later - first <= MINUTE + 1


def test_twenty_callers_at_half_the_rate_are_never_refused(limited_desk: Desk) -> None:
    """Each of 160 requests gets its time at once or a moment later, in twenty processes with states of their own."""
    limited_desk.limits = Limits()
    limiters = [limited_desk.rate_limiter() for _ in range(20)]
    times = list[float]()
    for number in range(160):
        limiters[number % 20].permit("us")
        times.append(limited_desk.seconds())
        limited_desk.sleep(1 / 27)
    assert times[-1] - times[0] < 1.5 * 160 / 27  # here a lost race stops the clock of all
    assert most_within(1, times) <= 50


def test_processes_at_the_same_time_get_no_more_permits_than_the_limit(limited_desk: Desk) -> None:
    """Each of eight processes has its own state; the others get a time to wait."""
    table = Table(limited_desk._client("dynamodb"), limited_desk.agents_table)
    limiters = [RateLimiter(table, LIMITS, lambda: 1000.0, lambda s: time.sleep(min(s, 0.02))) for _ in range(8)]

    def permitted(number: int) -> bool:
        try:
            limiters[number % 8].permit("us")
        except RateLimited as error:
            waits.append(error.retry_after)
            return False
        return True

    waits = list[int]()
    with ThreadPoolExecutor(8) as pool:
        permits = sum(pool.map(permitted, range(40)))
    assert permits == 1 + int(MAX_WAIT * LIMITS.per_second / SECOND)
    assert set(waits) == {3}


def test_a_clock_that_is_ahead_stops_no_one(limited_desk: Desk) -> None:
    """The time of one request is an hour ahead; the next one does not wait for it."""
    limiter, now = limited_desk.rate_limiter(), limited_desk.now
    limited_desk.now += timedelta(hours=1)
    limiter.permit("us")
    limited_desk.now = now
    limiter.permit("us")
    assert limited_desk.now == now


def test_each_data_center_has_limits_of_its_own(limited_desk: Desk) -> None:
    """Each has its own application."""
    for _ in range(LIMITS.per_minute):
        limited_desk.rate_limiter().permit("us")
    with pytest.raises(RateLimited):
        limited_desk.rate_limiter().permit("us")
    assert limited_desk.rate_limiter().permit("de").data_center == "de"


def test_a_minute_has_its_own_limit(limited_desk: Desk) -> None:
    """Twenty requests in four seconds; the next one after a minute and the margin."""
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
    assert most_within(MINUTE, permits) == LIMITS.per_minute
    assert max(after - before for before, after in pairwise(permits)) > 50


def test_the_sweep_leaves_a_share_to_callers_who_wait(limited_desk: Desk) -> None:
    """Four fifths of twenty requests are sixteen."""
    for _ in range(16):
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
