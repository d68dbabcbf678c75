"""The order of incidents, and the outcomes of a day by hour."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from meeting_agents.domain.model import IncidentType, State
from meeting_agents.widget.facts import AgentSummary, DayTally, Outcome, Overview, Viewer, by_urgency, outcome_of
from meeting_agents.widget.hours import render_hours

NOW = datetime(2026, 4, 29, 15, 50, tzinfo=UTC)
HOUR = timedelta(hours=1)


def agent(name: str, start: timedelta, incident: IncidentType = IncidentType.FAILED, **fields: Any) -> AgentSummary:
    values: dict[str, Any] = {"start": NOW + start, "end": NOW + start + HOUR} | fields
    return AgentSummary(agent_id=name, state=State.FAILED, title=name, incident=incident, **values)


def test_what_can_still_be_saved_comes_first_and_the_earliest_of_it() -> None:
    """Then what is over, the latest first."""
    agents = [
        agent("last week", -168 * HOUR),
        agent("tomorrow", 20 * HOUR),
        agent("over an hour ago", -2 * HOUR),
        agent("runs", -HOUR / 2),
        agent("silent after its end", -HOUR / 4, IncidentType.NOT_FINISHED),
        agent("in hand", HOUR / 8, is_acknowledged=True),
        agent("soon", HOUR / 4),
        agent("over and in hand", -2 * HOUR, is_acknowledged=True),
    ]
    assert [one.agent_id for one in by_urgency(agents, NOW)] == [
        "runs",
        "soon",
        "tomorrow",
        "in hand",
        "silent after its end",
        "over an hour ago",
        "last week",
        "over and in hand",
    ]


def test_a_meeting_without_an_end_lasts_as_long_as_is_assumed() -> None:
    row = {"pk": "ma_1", "state": "failed", "since": "2026-04-29T12:00:00.000Z", "incident": "failed"}
    assert AgentSummary.of(row, 4 * HOUR).can_be_saved(NOW)
    assert not AgentSummary.of(row, 3 * HOUR).can_be_saved(NOW)


@pytest.mark.parametrize("query", ["BOARD", "event-7", "acc_1", "key-9", "ma_x", ""])
def test_a_query_finds_a_title_a_name_or_an_account_in_any_case(query: str) -> None:
    found = AgentSummary(
        agent_id="ma_x",
        state=State.SCHEDULED,
        start=NOW,
        end=NOW,
        title="Board meeting",
        event_id="event-7",
        scheduling_key="key-9",
        account="acc_1",
    )
    assert found.matches(query)
    assert not found.matches("another")


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_outcome_and_an_incident_is_one(state: State) -> None:
    assert outcome_of(state, has_incident=True) is Outcome.WRONG
    assert outcome_of(state, has_incident=False) in Outcome


def test_an_agent_is_counted_in_the_local_hour_of_its_start_and_one_of_another_day_is_not() -> None:
    midnight = datetime(2026, 4, 29, tzinfo=timezone(2 * HOUR))
    tally = DayTally(midnight, NOW)
    tally.add(datetime(2026, 4, 29, 15, 30, tzinfo=UTC), Outcome.COMPLETE)
    tally.add(datetime(2026, 4, 28, 21, 59, tzinfo=UTC), Outcome.COMPLETE)
    tally.add(datetime(2026, 4, 29, 22, 0, tzinfo=UTC), Outcome.COMPLETE)
    assert [hour for hour, counts in enumerate(tally.hours) if counts] == [17]
    assert (tally.count(), tally.count(Outcome.COMPLETE), tally.count(Outcome.WRONG)) == (1, 1, 0)


def test_one_incident_among_a_thousand_agents_of_an_hour_is_seen() -> None:
    """Its part of the bar is not rounded away; an empty day has no picture."""
    tally = DayTally(NOW.replace(hour=0, minute=0), NOW)
    overview = Overview(now=NOW, viewer=Viewer(zone=UTC), today=tally, assumed_duration=HOUR)
    assert render_hours(overview) == ""
    for _ in range(1000):
        tally.add(NOW, Outcome.COMPLETE)
    tally.add(NOW, Outcome.WRONG)
    html = render_hours(overview)
    assert '<i class="ma-wrong" style="height:4%"></i><i class="ma-complete" style="height:100%"></i>' in html
    assert "1 with an incident, 1,000 complete" in html
