"""The reading of what the overview shows: bounded queries of indexes, and the journals of one page."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from meeting_agents.aws.days import Days, Span, share_of
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import timestamp
from meeting_agents.cronofy.payloads import HOSTS
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.groups import Group
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import IncidentType, State
from meeting_agents.incident_list import Filter, IncidentList, IncidentStatus, ListedIncident
from meeting_agents.widget.facts import (
    PAGE_SIZE,
    AgentDetails,
    AgentSummary,
    DayTally,
    Overview,
    Viewer,
    by_urgency,
    outcome_of,
)

COUNTING_SECONDS = 12
"""The longest time for which the agents of a day are counted; a page says if there are more."""
KEPT_PER_SECOND = 2_000
"""A count is kept for a second for so many agents in it, since each of them is paid for whenever it is counted."""
MAX_SEARCHED = 5_000
"""The agents of a day among which a query searches: their titles are read as well."""
MAX_OPEN = 500
"""The open incidents that are read of the days around now, and as many of the days before and after."""
SHOWN_PAST, SHOWN_NEXT, SHOWN_FOUND = 20, 10, 30
"""The agents that are shown of the last 24 hours, of those that come next, and of those that a query finds."""
_LISTED = ("pk", "listed", "state", "since", "meeting", "incident", "event_id", "scheduling_key", "account", "labels")
_COUNTED = ("listed", "state", "incident")
_A_DAY, _AN_HOUR = timedelta(days=1), timedelta(hours=1)


class OverviewReader:
    """Reads what the pages show. Every method raises `StoreUnavailable` and `StoreRejected`.

    `subscribers`: returns the number of confirmed subscribers of the alerts, or None.
    """

    def __init__(
        self,
        journal: Journal,
        days: Days,
        groups: Groups,
        incidents: IncidentList,
        subscribers: Callable[[], int | None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._days = days
        self._groups = groups
        self._incidents = incidents
        self._subscribers = subscribers
        self._clock = clock
        self._tallies: dict[datetime, DayTally] = {}
        """Those of many agents, by the local midnight."""
        self._assumed_duration = journal.grace_periods.assumed_meeting_duration

    def overview(self, viewer: Viewer, query: str, page: int) -> Overview:
        """Return a page of the overview. `query`: a part of a title or a name; empty: all. `page`: from 1."""
        now = self._clock()
        midnight = now.astimezone(viewer.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        groups = () if query else self._incidents.of_groups(Filter())
        agents, is_partial = self._open(now, {agent.agent_id for group in groups for agent in group.agents})
        found = [agent for agent in agents if agent.matches(query)]
        page = min(page, max(1, -(-len(found) // PAGE_SIZE)))
        shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return Overview(
            now=now,
            viewer=viewer,
            today=self._tally(midnight, now),
            assumed_duration=self._assumed_duration,
            cards=self._cards(shown),
            open_count=len(found),
            is_open_partial=is_partial,
            groups=groups,
            recent=self._found(query, now, midnight + _A_DAY) if query else self._recent(now, midnight + _A_DAY),
            heard_at=self._heard_at(),
            subscribers=self._subscribers(),
            query=query,
            page=page,
        )

    def details(self, agent_id: str) -> AgentDetails | None:
        """Return an agent in full; None if there is no such agent."""
        now = self._clock()
        entries = self._journal.read(agent_id, now)
        steps = timeline(entries)
        if not steps:
            return None
        record = steps[-1].after
        listed = self._incidents.of_agents([agent_id], Filter())
        incidents = [incident for incident in listed if incident.status is IncidentStatus.OPEN]
        return AgentDetails(
            agent_id=agent_id,
            now=now,
            record=record,
            timeline=steps,
            incidents=incidents,
            retry_problem=incidents[0].retry_problem if incidents else "",
            deadline=deadline(record, self._journal.grace_periods),
        )

    def _open(self, now: datetime, covered: set[str]) -> tuple[list[AgentSummary], bool]:
        """Return the agents with an open incident that no group covers, by urgency, and whether there are more.

        The index has the latest meeting first, so the days around now are read by themselves.
        """
        before, after = timestamp(now - _A_DAY), timestamp(now + 2 * _A_DAY)
        agents: dict[str, AgentSummary] = {}
        is_partial = False
        for start, end in ((before, after), (after, ""), ("", before)):
            rows = list(islice(self._journal.query_open(start, end, {}, now), MAX_OPEN + 1))
            is_partial = is_partial or len(rows) > MAX_OPEN
            listed = (AgentSummary.of(row, self._assumed_duration) for row in rows[:MAX_OPEN])
            agents |= {agent.agent_id: agent for agent in listed if agent.agent_id not in covered}
        return by_urgency(agents.values(), now), is_partial

    def _cards(self, agents: list[AgentSummary]) -> list[ListedIncident]:
        """Return the most important open incident of each agent, as its journal has it."""
        listed = self._incidents.of_agents([agent.agent_id for agent in agents], Filter())
        first: dict[str, ListedIncident] = {}
        for incident in listed:
            if incident.status is IncidentStatus.OPEN:
                first.setdefault(incident.agent_id, incident)
        return list(first.values())

    def _tally(self, midnight: datetime, now: datetime) -> DayTally:
        """Return the outcomes of a day, counted now or, if they are many, some minutes ago."""
        self._tallies = {begins: tally for begins, tally in self._tallies.items() if _is_fresh(tally, now)}
        if midnight not in self._tallies:
            self._tallies[midnight] = self._count(midnight, now)
        return self._tallies[midnight]

    def _count(self, midnight: datetime, now: datetime) -> DayTally:
        tally, until = DayTally(midnight, now), time.monotonic() + COUNTING_SECONDS
        hours = [
            Span(start, start + _AN_HOUR, _usual(start, now)) for start in (midnight + n * _AN_HOUR for n in range(24))
        ]
        for counted in self._days.count(hours, _COUNTED, now):
            if time.monotonic() > until and (counted.rows or counted.usual):
                tally.is_partial = True
                break
            for row in counted.rows:
                start = datetime.fromisoformat(row["listed"].partition("#")[0])
                tally.add(start, outcome_of(State(row["state"]), has_incident=bool(row.get("incident"))))
            if counted.span:
                tally.add(counted.span.start, outcome_of(counted.span.usual, has_incident=False), counted.usual)
        return tally

    def _recent(self, now: datetime, until: datetime) -> list[AgentSummary]:
        past = self._days.between(now - _A_DAY, now, now, _LISTED, is_newest_first=True, page_size=share_of(SHOWN_PAST))
        coming = self._days.between(now, until, now, _LISTED, page_size=share_of(SHOWN_NEXT))
        rows = [*reversed(list(islice(coming, SHOWN_NEXT))), *islice(past, SHOWN_PAST)]
        return [AgentSummary.of(row, self._assumed_duration) for row in rows]

    def _found(self, query: str, now: datetime, until: datetime) -> list[AgentSummary]:
        def matching() -> Iterator[AgentSummary]:
            rows = self._days.between(now - _A_DAY, until, now, _LISTED, is_newest_first=True)
            for row in islice(rows, MAX_SEARCHED):
                agent = AgentSummary.of(row, self._assumed_duration)
                if agent.matches(query):
                    yield agent

        return list(islice(matching(), SHOWN_FOUND))

    def _heard_at(self) -> dict[str, datetime]:
        groups = {name: Group(IncidentType.CALLBACKS_MISSING, name) for name in HOSTS}
        heard = {name: self._groups.read(group).heard_at for name, group in groups.items()}
        return {name: at for name, at in heard.items() if at}


def _usual(hour: datetime, now: datetime) -> State:
    """Return the state in which most agents are whose meetings start in an hour."""
    return State.COMPLETE if hour + _AN_HOUR < now else State.SCHEDULED


def _is_fresh(tally: DayTally, now: datetime) -> bool:
    return now - tally.counted_at < timedelta(seconds=tally.count() // KEPT_PER_SECOND)
