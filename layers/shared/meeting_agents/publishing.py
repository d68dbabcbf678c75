"""The alerts that are owed, decided at the moment of sending, published, and journalled.

The message comes first and the entry follows: if the function dies between the two, the alert is published twice, with
the same `dedup_key`, which is better than never.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from aws_lambda_powertools import Logger

from meeting_agents.alerting.agent_alert import AgentAlert, provider_of
from meeting_agents.alerting.group_alert import GroupAlert
from meeting_agents.alerting.grouping import group_alerts
from meeting_agents.alerting.message import Alert, Links
from meeting_agents.aws.event_triggers import TriggerSupport
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import is_probe, timestamp
from meeting_agents.aws.silences import Silences
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.delivery import data_center_without_call
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.groups import (
    COVERING,
    Group,
    GroupState,
    Waiting,
    is_news,
    is_open,
    is_over,
    owed_reminder,
    silent_after,
    waits_from,
)
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import AlertStatus, Entry, EntryType, IncidentType, Severity
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import LastAlert, Record
from meeting_agents.domain.rescue import second_agent
from meeting_agents.domain.silences import Hold, Quiet, Target
from meeting_agents.errors import MessageRejected, TopicUnavailable

logger = Logger(child=True)  # its lines have the fields of the function's own logger

CONCURRENT_READS = 16
"""Journals that are read at the same time: a batch may be about a thousand agents."""
_SEVERITIES = list(Severity)


@dataclass(slots=True)
class Published:
    """The result: the messages that were published, and the agents and groups whose alerts failed."""

    messages: list[tuple[Alert | GroupAlert, Sequence[AgentAlert]]] = field(default_factory=list)
    """Each with the alerts of agents that it says."""
    failed_agents: set[str] = field(default_factory=set)
    failed_groups: set[Group] = field(default_factory=set)
    subscribers: int | None = None
    """The confirmed subscribers of the alerts; None: unknown, or not counted because nothing was published."""


class Publisher:
    """Publishes the alerts of agents and of their groups. One copy at a time, under a lease."""

    def __init__(
        self,
        journal: Journal,
        groups: Groups,
        topic: AlertsTopic,
        links: Links,
        event_triggers: TriggerSupport,
        silences: Silences,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._groups = groups
        self._topic = topic
        self._links = links
        self._event_triggers = event_triggers
        self._silences = silences
        self._quiet = Quiet()
        self._clock = clock
        self.published = Published()
        self._is_counted = False

    def publish(self, agent_ids: Collection[str], groups: Collection[Group] = ()) -> Published:
        """Publish the alerts that these agents owe now, and those about their groups and about other `groups`.

        An announcement only says which agent to look at: the alerts are decided from the journal as it is now, so that
        none is wrong because it is late, doubled or overtaken. The alert of a probe is journalled, but not published.
        One that a silence or quiet hours hold back is journalled as such, and stays owed.
        """
        self._quiet = self._silences.quiet()
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            owed = [alert for alerts in pool.map(self._owed, sorted(agent_ids)) for alert in alerts]
        probes, others = _parted(owed, lambda alert: is_probe(alert.agent_id))
        others = self._without_held(others, self._silence_of)
        members: dict[Group, list[AgentAlert]] = {group: [] for group in sorted(groups)}
        alone: list[AgentAlert] = []
        for alert in others:
            group = alert.group
            (members.setdefault(group, []) if group else alone).append(alert)
        for group, alerts in members.items():
            alone += self._publish_group(group, alerts)
        included, alone = _parted(alone, lambda alert: alert.is_resolved and alert.is_included)
        self._record_included(included)
        alone = self._without_held(alone, lambda alert: self._quiet.of_severity(alert.severity, alert.at))
        for message in group_alerts(alone, self._links):
            self._publish_agents(message)
        self._record(probes, ReasonCode.PROBE_NOT_PUBLISHED)
        return self.published

    def _owed(self, agent_id: str) -> list[AgentAlert]:
        """Return the alerts that an agent owes according to its journal."""
        now = self._clock()
        entries = self._journal.read(agent_id, now)
        record = fold(stored.entry for stored in entries)
        provider = provider_of(stored.raw for stored in entries if stored.raw)
        data_center = data_center_without_call(entries, record, self._journal.grace_periods.conference)
        lacks_call = bool(data_center) and self._event_triggers.have_come(data_center)
        return [
            AgentAlert(
                agent_id=agent_id,
                owed=owed,
                record=record,
                at=now,
                provider=provider,
                second_agent=second_agent(record, owed.incident.attempt, self._journal.grace_periods, now),
                lacks_call=lacks_call,
            )
            for owed in alerting_owed(record, self._journal.grace_periods, now)
        ]

    def _without_held(
        self, alerts: Sequence[AgentAlert], hold_of: Callable[[AgentAlert], Hold | None]
    ) -> list[AgentAlert]:
        """Return the alerts that are not held back, and journal the others."""
        sent: list[AgentAlert] = []
        for alert in alerts:
            hold = None if alert.is_resolved else hold_of(alert)
            if hold:
                self._record_held(alert, hold)
            else:
                sent.append(alert)
        return sent

    def _silence_of(self, alert: AgentAlert) -> Hold | None:
        return self._quiet.of_agent(Target.of(alert.agent_id, alert.record, alert.type), alert.at)

    def _publish_agents(self, message: Alert) -> None:
        agents = {agent.agent_id for agent in message.agents}
        if message.is_resolved and agents & self.published.failed_agents:
            return  # a resolved alert never comes before the firing one that failed
        if self._send(message, message.agents):
            self._record(message.agents, ReasonCode.ALERT_PUBLISHED)
        else:
            self.published.failed_agents |= agents

    # ---------------------------------------------------------------------------------------------------------- groups

    def _publish_group(self, group: Group, members: Sequence[AgentAlert]) -> list[AgentAlert]:
        """Publish the alert that is owed about a group; return the alerts of its members that it does not cover."""
        state = self._groups.read(group)
        if is_over(group, state, self._clock()):
            if not self._resolve(group, state, members):
                self.published.failed_groups.add(group)
                self.published.failed_agents |= {alert.agent_id for alert in members}
                return []
            state = self._groups.read(group)
        now = self._clock()
        firing, resolved = _parted(members, lambda alert: not alert.is_resolved)
        if group.type is IncidentType.ACCOUNT_DISCONNECTED and not state.is_disconnected:
            return resolved  # over for all of them, though their requests were not sent again yet
        waiting = self._waiting(group, state, firing) if firing or not members else []
        waiting = [agent for agent in waiting if not self._quiet.of_agent(Target.of_waiting(agent), now)]
        ids = {agent.agent_id for agent in waiting}
        covered, alone = _parted(firing, lambda alert: alert.agent_id in ids)
        if not is_open(group, state, len(waiting)):
            return list(members)
        if not (covered or not members):
            return list(members)
        if hold := self._quiet.of_group(group, _severity_of(group, covered), now):
            for alert in covered:
                self._record_held(alert, hold)
            return [*alone, *resolved]
        if self._fire(group, state, covered, waiting):
            self._record_included(covered)
        else:
            self.published.failed_groups.add(group)
            self.published.failed_agents |= {alert.agent_id for alert in members}
        return [*alone, *resolved]

    def _waiting(self, group: Group, state: GroupState, members: Sequence[AgentAlert]) -> list[Waiting]:
        """Return the agents that wait: those of the index, and members that it does not have yet."""
        now = self._clock()
        after = silent_after(replace(state, heard_at=state.heard_before) if state.is_firing else state)
        indexed = {agent.agent_id: agent for agent in self._groups.waiting(group, after, now)}
        grace_periods = self._journal.grace_periods
        for alert in members:
            if after is None or waits_from(alert.record, alert.owed.incident, grace_periods) > after:
                indexed[alert.agent_id] = _waiting(alert)
        return sorted(indexed.values(), key=lambda agent: (agent.meeting.start or now, agent.agent_id))

    def _fire(self, group: Group, state: GroupState, members: Sequence[AgentAlert], waiting: Sequence[Waiting]) -> bool:
        """Tell people of a group's incident, unless they know. Return False if that failed."""
        now = self._clock()
        severity = _severity_of(group, members)
        escalation = self._journal.grace_periods.escalation
        reminders = {alert.owed.reminder for alert in members} or {owed_reminder(group, state, escalation, now)}
        news = [number for number in reminders if is_news(state, severity, number, waiting, now)]
        if not news:
            return True
        alert = GroupAlert(
            group=group,
            status=AlertStatus.FIRING,
            severity=severity,
            state=state,
            agents=tuple(waiting),
            at=now,
            links=self._links,
            reminder=max(news),
        )
        return self._send_group(alert, members)

    def _resolve(self, group: Group, state: GroupState, members: Sequence[AgentAlert]) -> bool:
        """Tell people that a group's incident is over; its agents owe their own alerts again. False if that failed."""
        last = state.last
        if last is None:
            return True
        still = self._still_waiting(group, state, [alert for alert in members if not alert.is_resolved])
        alert = GroupAlert(
            group=group,
            status=AlertStatus.RESOLVED,
            severity=last.severity,
            state=state,
            agents=tuple(agent for agent, _ in still),
            at=self._clock(),
            links=self._links,
        )
        return self._send_group(alert, (), lambda: self._uncover(group, still))

    def _still_waiting(
        self, group: Group, state: GroupState, members: Sequence[AgentAlert]
    ) -> list[tuple[Waiting, Record]]:
        """Return the agents that wait still, by their journals: the index may be a moment behind."""
        now = self._clock()
        agents = self._waiting(group, state, members)
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            journals = pool.map(lambda agent: self._journal.read(agent.agent_id, now), agents)
            records = [fold(stored.entry for stored in entries) for entries in journals]
        return [
            (agent, record)
            for agent, record in zip(agents, records, strict=True)
            if any(incident.type is agent.type for incident in open_incidents(record, self._journal.grace_periods, now))
        ]

    def _uncover(self, group: Group, agents: Sequence[tuple[Waiting, Record]]) -> None:
        """Journal that the alert about the group says nothing more about these agents: each owes its own again."""
        for agent, record in agents:
            for key, last in record.alerts.items():
                number, type_ = key.split("/")
                is_covered = last.is_included and last.status is AlertStatus.FIRING
                if is_covered and COVERING.get(IncidentType(type_)) is group.type:
                    reason = Reason.of(ReasonCode.GROUP_RESOLVED, incident=type_, group=group.key)
                    entry = Entry(
                        key=f"alerted#{key}#{AlertStatus.RESOLVED}#{last.count}",
                        kind=EntryType.ALERTED,
                        at=self._clock(),
                        attempt=int(number),
                        cause=IncidentType(type_),
                        status=AlertStatus.RESOLVED,
                        severity=last.severity,
                        reason=reason,
                    )
                    self._journal.append(agent.agent_id, entry)

    def _send_group(
        self, alert: GroupAlert, members: Sequence[AgentAlert], then: Callable[[], None] = lambda: None
    ) -> bool:
        """Publish an alert about a group, and record it after `then`; return False if it failed."""
        if not self._send(alert, members):
            return False
        then()
        last = LastAlert(
            status=alert.status,
            severity=alert.severity,
            at=alert.at,
            count=alert.number + 1,
            reminders=alert.reminder,
        )
        self._groups.record_alert(alert.group, alert.state, last)
        return True

    # ---------------------------------------------------------------------------------------------- publish and journal

    def _send(self, message: Alert | GroupAlert, alerts: Sequence[AgentAlert]) -> bool:
        if not self._is_counted:
            self._is_counted, self.published.subscribers = True, self._count_subscribers()
        try:
            self._topic.publish(message.subject, message.message, message.attributes)
        except (TopicUnavailable, MessageRejected) as error:
            logger.error("alert not published", code=error.code, detail=error.detail, agents=len(alerts))
            return False
        self.published.messages.append((message, alerts))
        return True

    def _count_subscribers(self) -> int | None:
        """Count the subscribers of the alerts; None if that fails, since an alert matters more than the count."""
        try:
            return self._topic.subscribers()
        except TopicUnavailable as error:
            logger.warning("subscribers could not be counted", detail=error.detail)
            return None

    def _record(self, alerts: Sequence[AgentAlert], outcome: ReasonCode) -> None:
        subscribers = self.published.subscribers
        count = "unknown" if subscribers is None else str(subscribers)
        count = "" if outcome is ReasonCode.PROBE_NOT_PUBLISHED else count
        for alert in alerts:
            self._record_alerted(alert, Reason.of(outcome, incident=alert.type, status=alert.status, subscribers=count))

    def _record_held(self, alert: AgentAlert, hold: Hold) -> None:
        """Journal that an alert is held back, unless the journal says so already."""
        self._silences.hold(hold, alert.agent_id, alert.at)
        incident = alert.owed.incident
        held = alert.record.held.get(incident.key)
        if held and (held.severity, held.until) == (alert.severity, hold.until):
            return
        values = {"incident": alert.type, "status": alert.status, "silence": hold.name}
        reason = Reason.of(ReasonCode.ALERT_SILENCED, **values, until=timestamp(hold.until))
        key = f"{incident.key}#{alert.owed.number}#{held.count if held else 0}"
        self._append(alert, EntryType.SILENCED, key, reason, until=hold.until)

    def _record_included(self, alerts: Sequence[AgentAlert]) -> None:
        for alert in alerts:
            group = alert.group
            key = group.key if group else COVERING[alert.type]
            reason = Reason.of(ReasonCode.ALERT_INCLUDED, incident=alert.type, status=alert.status, group=key)
            self._record_alerted(alert, reason)

    def _record_alerted(self, alert: AgentAlert, reason: Reason) -> None:
        key = f"{alert.owed.incident.key}#{alert.status}#{alert.owed.number}"
        self._append(alert, EntryType.ALERTED, key, reason)

    def _append(
        self, alert: AgentAlert, kind: EntryType, key: str, reason: Reason, until: datetime | None = None
    ) -> None:
        entry = Entry(
            key=f"{kind}#{key}",
            kind=kind,
            at=self._clock(),
            attempt=alert.owed.incident.attempt,
            cause=alert.type,
            status=alert.status,
            severity=alert.severity,
            reminder=alert.owed.reminder,
            until=until,
            reason=reason,
        )
        self._journal.append(alert.agent_id, entry)


def _severity_of(group: Group, members: Sequence[AgentAlert]) -> Severity:
    """Return the severity of a group's incident."""
    if group.type is not IncidentType.ACCOUNT_DISCONNECTED:
        return Severity.CRITICAL
    return min((alert.severity for alert in members), key=_SEVERITIES.index, default=Severity.WARNING)


def _waiting(alert: AgentAlert) -> Waiting:
    record = alert.record
    return Waiting(
        agent_id=alert.agent_id,
        type=alert.type,
        meeting=record.meeting,
        event_id=record.event_id,
        scheduling_key=record.identity.scheduling_key if record.identity else "",
        acknowledged_at=record.acknowledged_at,
        account=alert.names["account"],
        data_center=alert.names["data_center"],
        labels=record.labels,
    )


def _parted(
    alerts: Iterable[AgentAlert], belongs: Callable[[AgentAlert], bool]
) -> tuple[list[AgentAlert], list[AgentAlert]]:
    """Return the alerts that belong, and the others."""
    parts: tuple[list[AgentAlert], list[AgentAlert]] = ([], [])
    for alert in alerts:
        parts[not belongs(alert)].append(alert)
    return parts
