"""Cronofy's limits are kept by all together, whatever the seconds of the clock cut in two."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.errors import LimitReached, StoreUnavailable
from meeting_agents.lifecycle import State
from meeting_agents.pacing import MARGIN, Limits, wait
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws

LIMITS = Limits(5, 20)


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws, LIMITS) as desk:
        yield desk


def most_within(seconds: float, sent: list[float]) -> int:
    """The most requests that any stretch of this length held."""
    return max((sum(at - seconds < other <= at for other in sent) for at in sent), default=0)


@given(pauses=st.lists(st.floats(0, 3), max_size=200), delays=st.lists(st.floats(0, 1), max_size=200))
def test_no_stretch_of_time_holds_more_than_a_limit(pauses: list[float], delays: list[float]) -> None:
    """However requests come, and though each may need up to a second to arrive."""
    now, counts, arrived = 1000.0, dict[int, int](), list[float]()
    for pause, delay in zip(pauses, delays, strict=False):
        now += pause
        if wait(counts, LIMITS, now) == 0:
            counts[int(now)] = counts.get(int(now), 0) + 1
            arrived.append(now + delay)
    assert most_within(1, arrived) <= LIMITS.per_second
    assert most_within(60, arrived) <= LIMITS.per_minute


@given(pauses=st.lists(st.floats(0, 1), min_size=30, max_size=60))
def test_whoever_waits_as_long_as_told_may_go_on(pauses: list[float]) -> None:
    """And a moment earlier they may not."""
    now, counts = 1000.0, dict[int, int]()
    for pause in pauses:
        now += pause
        if seconds := wait(counts, LIMITS, now):
            assert wait(counts, LIMITS, now + seconds - 0.01) > 0
            now += seconds
            assert wait(counts, LIMITS, now) == 0
        counts[int(now)] = counts.get(int(now), 0) + 1


def test_many_at_once_get_as_many_permits_as_there_are(desk: Desk) -> None:
    """Eight processes, each with what it remembers; the others are told how long to wait."""
    pacings = [desk.pacing() for _ in range(8)]

    def permitted(number: int) -> bool:
        try:
            pacings[number % 8].permit("us")
        except LimitReached as error:
            waits.append(error.retry_after)
            return False
        return True

    waits = list[int]()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(permitted, range(40))) == LIMITS.per_second
    assert set(waits) <= {1, 2, 3}


def test_each_data_center_has_limits_of_its_own(desk: Desk) -> None:
    """They are six applications."""
    for _ in range(LIMITS.per_second):
        desk.pacing().permit("us")
    with pytest.raises(LimitReached):
        desk.pacing().permit("us")
    assert desk.pacing().permit("de").data_center == "de"


def test_a_minute_has_its_own_limit(desk: Desk) -> None:
    """Five each three seconds, until there have been twenty; the next after a minute and the margin."""
    permits = list[float]()
    pacing = desk.pacing()
    while len(permits) < 2 * LIMITS.per_minute:
        try:
            pacing.permit("us")
        except LimitReached as error:
            desk.sleep(error.retry_after)
        else:
            permits.append(desk.seconds())
    assert most_within(1, permits) == LIMITS.per_second
    assert most_within(60 + MARGIN, permits) == LIMITS.per_minute
    assert max(after - before for before, after in pairwise(permits)) > 50


def test_the_sweep_leaves_a_share_to_callers_who_wait(desk: Desk) -> None:
    """Four fifths of five are four."""
    for _ in range(4):
        desk.pacing().permit("us", share=0.8)
    with pytest.raises(LimitReached):
        desk.pacing().permit("us", share=0.8)
    desk.pacing().permit("us")


def test_four_times_what_a_minute_allows_arrives_and_nothing_is_refused(aws: EmbeddedAws) -> None:
    """Requested within one minute; the sweep delivers the rest, for half of each minute, within its share.

    In a fifth of Cronofy's real size: 400 agents against 10 requests a second and 100 a minute, on a clock of our own.
    """
    limits, wanted = Limits(10, 100), 400
    with Desk(aws, limits) as desk:
        sent = list[float]()
        desk.http.event_hooks["request"] = [lambda _: sent.append(desk.seconds())]
        asked = [desk.schedule(f"key_{number}") for number in range(wanted)]
        first = desk.provisioning()
        for one in asked:
            told = first.ask(one)
            assert told.record.state in (State.SCHEDULED, State.REQUESTED)
            desk.sleep(60 / wanted)
            desk.track(one.agent_id)
        assert len(sent) >= limits.per_minute * 0.9
        sweeps = 0
        while len(sent) < wanted:
            sweeps += 1
            assert sweeps < 10
            began = desk.now
            sweep(desk, until=began + timedelta(seconds=30))
            desk.now = began + timedelta(seconds=60)
        assert len(desk.cronofy.agents) == len(sent) == wanted
        assert {request.status for request in desk.cronofy.requests} == {202}
        assert most_within(1, sent) <= limits.per_second
        assert most_within(60, sent) <= limits.per_minute


def sweep(desk: Desk, until: datetime) -> None:
    """As `functions/sweep` does: each that is due, waiting for Cronofy's limits as long as there is time."""
    provisioning = desk.provisioning()
    for agent in list(desk.journal().due(desk.now)):
        while desk.now < until:
            try:
                provisioning.retry(agent)
            except LimitReached:
                desk.sleep(1)
            else:
                desk.track(agent)
                break


def test_without_the_table_nobody_is_let_through(desk: Desk) -> None:
    """Then nobody knows what the others send."""
    desk.agents_table = "no_such_table"
    with pytest.raises(StoreUnavailable):
        desk.pacing().permit("us")
