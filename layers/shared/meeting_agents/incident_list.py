"""The incidents that people look at: those that are open, of any day, or all of a span of days.

An index has the agents with an open incident as of their last entry. Since incidents open and end by time as well, each
that is shown is decided from its agent's journal: those of one page at most, read side by side.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import batched, islice
from typing import Any

from meeting_agents.alerting.agent_alert import AgentAlert, provider_of
from meeting_agents.alerting.group_alert import GroupAlert
from meeting_agents.alerting.message import Links
from meeting_agents.alerting.runbook import next_steps, summary
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import timestamp
from meeting_agents.delivery import repeatable_request
from meeting_agents.domain.acknowledgement import Acknowledgement, acknowledgement_of
from meeting_agents.domain.alerts import OwedAlert
from meeting_agents.domain.bindings import EVERYTHING, Binding
from meeting_agents.domain.groups import Group, GroupState, Waiting, group_of, is_over, silent_after
from meeting_agents.domain.history import PastIncident, past_incidents
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.labels import Labels, WantedLabels, matches
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import AlertStatus, IncidentType, Meeting, Severity
from meeting_agents.domain.record import LastAlert
from meeting_agents.domain.rescue import second_agent
from meeting_agents.domain.silences import Hold, Quiet
from meeting_agents.domain.verdicts import Step
from meeting_agents.errors import Refusal

CONCURRENT_READS = 16
"""Journals that are read at the same time."""
MAX_GROUPS = 100
"""Groups whose incident is over that one list shows, the latest."""
MAX_JOURNALS = 200
"""Journals that are read for one page; a page that needs more ends early, with a position for the next one."""


class IncidentStatus(StrEnum):
    """The two things that a list says of an incident."""

    OPEN = "open"
    OVER = "over"
    """It was open, or it is a notice, which never is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The incidents to list. An empty value selects all."""

    types: frozenset[IncidentType] = frozenset()
    severities: frozenset[Severity] = frozenset()
    account: str = ""
    data_center: str = ""
    labels: WantedLabels = field(default_factory=dict, hash=False)
    binding: Binding = EVERYTHING
    """Of the caller."""
    start: datetime | None = None
    """The meeting is then or later, by its start, or by its end if that was not reported."""
    end: datetime | None = None
    """The meeting is before."""

    @property
    def of_record(self) -> dict[str, Sequence[str]] | None:
        """The values that attributes of a record must have; None: no record has them."""
        values: dict[str, Sequence[str]] = {
            name: (value,) for name, value in (("account", self.account), ("data_center", self.data_center)) if value
        }
        of_labels = {f"labels.{name}": values for name, values in self.labels.items()}
        return self.binding.narrowed({**values, **of_labels})

    def since(self, start: datetime | None) -> "Filter":
        """Return the same filter for meetings that are at a time or later."""
        return replace(self, start=start)

    def selects(self, type_: IncidentType, severity: Severity) -> bool:
        """Return True if an incident has a type and a severity of these."""
        return (not self.types or type_ in self.types) and (not self.severities or severity in self.severities)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedIncident:
    """An incident of an agent or of a group of agents, with what a person needs who looks at it."""

    dedup_key: str
    """The same as in its alerts."""
    type: IncidentType
    status: IncidentStatus
    severity: Severity
    opened_at: datetime
    over_at: datetime | None = None
    summary: str
    """A sentence: what is wrong."""
    detail: str
    """The facts behind it; may be empty."""
    next_steps: tuple[str, ...]
    last_alert: LastAlert | None
    """None: people were not alerted of it yet."""
    acknowledgement: Acknowledgement | None
    account: str = ""
    data_center: str = ""
    # of an agent
    agent_id: str = ""
    title: str = ""
    """The title of its meeting in quotes, or the best name that it has."""
    meeting: Meeting | None = None
    calendar_id: str = ""
    event_id: str = ""
    scheduling_key: str = ""
    labels: Labels = field(default_factory=dict, hash=False)
    silenced: Hold | None = None
    """The silence, or the quiet hours, by which messages about it are held back now."""
    timeline: tuple[Step, ...] = ()
    retry_problem: str = ""
    """The reason why Cronofy cannot be asked again; empty: it can."""
    # of a group
    group: Group | None = None
    """The group itself; of an agent the group with which it shares the incident, if people were alerted of that."""
    agents: tuple[Waiting, ...] = ()
    """The agents that wait, the earliest meeting first."""

    @property
    def is_of_group(self) -> bool:
        return not self.agent_id


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """Some incidents. `last`: the position of the next page, empty if this is the last one."""

    incidents: tuple[ListedIncident, ...]
    last: str


class IncidentList:
    """The lists of incidents. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(
        self,
        journal: Journal,
        groups: Groups,
        links: Links,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        quiet: Callable[[], Quiet] = Quiet,
    ) -> None:
        self._journal = journal
        self._groups = groups
        self._links = links
        self._clock = clock
        self._quiet = quiet

    def open(self, wanted: Filter, limit: int, position: str = "") -> IncidentPage:
        """Return the incidents that are open, of at most `limit` agents, the latest meeting first.

        Those of groups come first, on the first page. `position`: the `last` of the page before. A page may have fewer
        agents than `limit` although more follow.
        """
        now, quiet = self._clock(), self._quiet()
        incidents = [] if position else list(self._of_groups(wanted, now, quiet))
        after = timestamp(wanted.start) if wanted.start else ""
        before = position or (timestamp(wanted.end) if wanted.end else "")
        of_record = wanted.of_record
        rows = iter(()) if of_record is None else self._journal.query_open(after, before, of_record, now)
        agents = journals = 0
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            for chunk in batched(rows, limit, strict=False):
                of_agents = pool.map(lambda row: self._open_of(row["pk"], wanted, now, quiet), chunk)
                for row, found in zip(chunk, of_agents, strict=True):
                    incidents += found
                    agents += bool(found)
                    journals += 1
                    if agents == limit or journals == MAX_JOURNALS:
                        return IncidentPage(tuple(incidents), row["open_listed"])
        return IncidentPage(tuple(incidents), "")

    def of_agents(self, agent_ids: Iterable[str], wanted: Filter) -> tuple[ListedIncident, ...]:
        """Return the incidents of these agents, open or over, in the order of the agents."""
        now, quiet = self._clock(), self._quiet()
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            found = pool.map(lambda agent_id: self._all_of(agent_id, wanted, now, quiet), agent_ids)
            return tuple(incident for incidents in found for incident in incidents)

    def of_groups(self, wanted: Filter) -> tuple[ListedIncident, ...]:
        """Return the open incidents of accounts and data centers that people were alerted of."""
        return tuple(self._of_groups(wanted, self._clock(), self._quiet()))

    def all_of_groups(self, wanted: Filter, start: datetime, end: datetime) -> tuple[ListedIncident, ...]:
        """Return the incidents of groups that were open between two times: those that are, and the last of each group.

        One that was over is known only until the next incident of its group; what its agents were is not kept.
        """
        past = [
            self._past_of_group(group, state, state.last, state.last.at)
            for group, state in islice(self._groups.over_since(start), MAX_GROUPS)
            if state.last and not wanted.labels and _selects(wanted, group, state.last.severity)
        ]
        return tuple(incident for incident in (*self.of_groups(wanted), *past) if incident.opened_at < end)

    def of_group(self, group: Group) -> ListedIncident | None:
        """Return the incident of a group; None if people know that it is over, or were not alerted of it."""
        state, now = self._groups.read(group), self._clock()
        if state.last is None or not state.is_firing:
            return None
        if is_over(group, state, now):
            return self._past_of_group(group, state, state.last, now)
        return self._of_group(group, state, state.last, now, self._quiet())

    # ---------------------------------------------------------------------------------------------------------- agents

    def _open_of(self, agent_id: str, wanted: Filter, now: datetime, quiet: Quiet) -> list[ListedIncident]:
        entries = self._journal.read(agent_id, now)
        steps = timeline(entries)
        incidents = open_incidents(steps[-1].after, self._journal.grace_periods, now) if steps else ()
        past = (PastIncident(incident=incident, over_at=None) for incident in incidents)
        return list(self._listed(agent_id, entries, steps, past, wanted, now, quiet))

    def _all_of(self, agent_id: str, wanted: Filter, now: datetime, quiet: Quiet) -> list[ListedIncident]:
        entries = self._journal.read(agent_id, now)
        steps = timeline(entries)
        past = past_incidents(steps, self._journal.grace_periods, now) if steps else ()
        return list(self._listed(agent_id, entries, steps, past, wanted, now, quiet))

    def _listed(
        self,
        agent_id: str,
        entries: Sequence[StoredEntry],
        steps: Sequence[Step],
        incidents: Iterable[PastIncident],
        wanted: Filter,
        now: datetime,
        quiet: Quiet,
    ) -> Iterator[ListedIncident]:
        provider = provider_of(stored.raw for stored in entries if stored.raw)
        retry_problem = self._retry_problem(entries, now) if steps else ""
        for past in incidents:
            incident, record = past.incident, steps[-1].after
            if not wanted.selects(incident.type, incident.severity):
                continue
            last = record.alerts.get(incident.key)
            owed = OwedAlert(AlertStatus.FIRING, incident, last.count if last else 0)
            second = second_agent(record, incident.attempt, self._journal.grace_periods, now)
            alert = AgentAlert(
                agent_id=agent_id, owed=owed, record=record, at=now, provider=provider, second_agent=second
            )
            attempt = alert.attempt
            names: dict[str, Any] = alert.names
            if not wanted.binding.covers(names["account"], record.labels):  # others may have come since it was stored
                continue
            yield ListedIncident(
                dedup_key=alert.dedup_key,
                type=incident.type,
                status=IncidentStatus.OVER if past.over_at else IncidentStatus.OPEN,
                severity=incident.severity,
                opened_at=incident.opened_at,
                over_at=past.over_at,
                summary=f"{alert.noun} {summary(alert)}",
                detail=alert.explanation,
                next_steps=() if past.over_at else next_steps(alert),
                last_alert=last,
                acknowledgement=acknowledgement_of(incident, steps),
                agent_id=agent_id,
                title=alert.title,
                meeting=record.meeting if attempt is record.current else attempt.meeting,
                labels=record.labels,
                silenced=None if past.over_at else quiet.of_incident(agent_id, record, incident, now),
                timeline=tuple(steps),
                retry_problem=retry_problem,
                group=group_of(record, incident.type) if last and last.is_included else None,
                **names,
            )

    def _retry_problem(self, entries: Sequence[StoredEntry], now: datetime) -> str:
        try:
            repeatable_request(entries, self._journal.grace_periods, now)
        except Refusal as refusal:
            return refusal.detail
        return ""

    # ---------------------------------------------------------------------------------------------------------- groups

    def _of_groups(self, wanted: Filter, now: datetime, quiet: Quiet) -> Iterator[ListedIncident]:
        """Iterate over the incidents of groups: open, and people were alerted of them."""
        for group in self._groups.firing():
            state = self._groups.read(group)
            if state.last is None or not state.is_firing or is_over(group, state, now):
                continue
            if not _selects(wanted, group, state.last.severity):
                continue
            incident = self._of_group(group, state, state.last, now, quiet)
            if not wanted.labels or any(matches(agent.labels, wanted.labels) for agent in incident.agents):
                yield incident

    def _of_group(
        self, group: Group, state: GroupState, last: LastAlert, now: datetime, quiet: Quiet
    ) -> ListedIncident:
        agents = tuple(self._groups.waiting(group, silent_after(state), now))
        alert = self._alert(group, state, last, agents, now)
        silenced = quiet.of_group(group, last.severity, now)
        facts = {"detail": alert.detail, "next_steps": alert.next_steps, "agents": agents, "silenced": silenced}
        return _incident(group, state, last, status=IncidentStatus.OPEN, summary=alert.summary, **facts)

    def _past_of_group(self, group: Group, state: GroupState, last: LastAlert, over_at: datetime) -> ListedIncident:
        alert = self._alert(group, state, last, (), over_at)
        facts = {"detail": "", "next_steps": (), "over_at": over_at}
        return _incident(group, state, last, status=IncidentStatus.OVER, summary=alert.summary, **facts)

    def _alert(
        self, group: Group, state: GroupState, last: LastAlert, agents: tuple[Waiting, ...], at: datetime
    ) -> GroupAlert:
        return GroupAlert(
            group=group,
            status=AlertStatus.FIRING,
            severity=last.severity,
            state=state,
            agents=agents,
            at=at,
            links=self._links,
        )


def _incident(group: Group, state: GroupState, last: LastAlert, **facts: Any) -> ListedIncident:
    account, data_center = _names(group)
    return ListedIncident(
        dedup_key=group.key,
        type=group.type,
        severity=last.severity,
        opened_at=state.opened_at or last.at,
        last_alert=last,
        acknowledgement=state.acknowledgement,
        account=account,
        data_center=data_center,
        group=group,
        **facts,
    )


def _selects(wanted: Filter, group: Group, severity: Severity) -> bool:
    account, data_center = _names(group)
    is_named = wanted.account in ("", account) and wanted.data_center in ("", data_center)
    return is_named and wanted.selects(group.type, severity) and wanted.binding.covers_group(group)


def _names(group: Group) -> tuple[str, str]:
    """Return the account and the data center of a group; at least one of them is empty."""
    return (
        group.name if group.type is IncidentType.ACCOUNT_DISCONNECTED else "",
        group.name if group.type is IncidentType.CALLBACKS_MISSING else "",
    )
