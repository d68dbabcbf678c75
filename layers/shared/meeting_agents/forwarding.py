"""The changes of incidents, forwarded to channels: each gets those it is owed now, and those it took are recorded.

The request comes first and the entry follows: if the function dies between the two, the change is sent twice, with the
same key, by which a pager knows it again.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from meeting_agents.alerting.agent_alert import AgentAlert, provider_of
from meeting_agents.alerting.change import Change, change_of_agent, change_of_group
from meeting_agents.alerting.group_alert import GroupAlert
from meeting_agents.alerting.message import Links
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.channels.channel import Answer, Channel, Outcome, Parcel
from meeting_agents.channels.kinds import kind_of
from meeting_agents.domain.acknowledgement import acknowledgement_of
from meeting_agents.domain.alerts import OwedAlert
from meeting_agents.domain.groups import ChannelFailure, Group, silent_after
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import AlertStatus, ChangeType, Entry, EntryType, IncidentType, Severity
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.receipts import owed_actions, owed_changes
from meeting_agents.domain.record import Receipt, Record
from meeting_agents.domain.verdicts import Step
from meeting_agents.errors import MeetingAgentsError

type Subject = str | Group
"""An agent's id, or a group."""

CONCURRENT_READS = 16
"""Journals that are read at the same time."""
PATIENCE = timedelta(minutes=10)
"""A channel that takes nothing for so long is an incident."""
MAX_TOGETHER = 50
"""The incidents in one message for a chat."""
SHARED = "+"
"""Ends the stored id of a message that is about several incidents."""
_ACTIONS, _SEVERITIES = list(ChangeType), list(Severity)


class Sender(Protocol):
    """Sends to channels: `ChannelClient`."""

    def send(self, channel: Channel, parcel: Parcel) -> Answer:
        """Send once, and return the meaning of the answer."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A change that a channel has not taken yet. `before`: the last one of the incident that it took."""

    subject: Subject
    change: Change
    attempt: int
    before: Receipt | None

    @property
    def key(self) -> tuple[Subject, str]:
        return self.subject, self.change.dedup_key


@dataclass(slots=True)
class Forwarded:
    """The result: what was taken, and the subjects to look at again."""

    taken: list[tuple[str, Change]] = field(default_factory=list)
    """Each change with the name of the channel."""
    problems: list[tuple[str, Outcome, str]] = field(default_factory=list)
    """Channels that did not take something, and why."""
    failed: set[Subject] = field(default_factory=set)
    """To look at again: a channel did not take their changes yet."""
    refused: set[Subject] = field(default_factory=set)
    """A channel refused a change of them for good."""
    retry_after: float = 0.0
    """Seconds until it makes sense to look again."""
    failing: set[Group] = field(default_factory=set)
    """Channels of which people must be alerted."""


@dataclass(frozen=True, slots=True)
class _Agent:
    """An agent as its journal has it now."""

    agent_id: str
    steps: Sequence[Step]
    provider: str

    @property
    def record(self) -> Record:
        return self.steps[-1].after


class Forwarder:
    """Forwards what channels are owed. One copy at a time, under a lease."""

    def __init__(
        self,
        journal: Journal,
        groups: Groups,
        channels: Sequence[Channel],
        sender: Sender,
        links: Links,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal = journal
        self._groups = groups
        self._channels = channels
        self._sender = sender
        self._links = links
        self._clock = clock
        self._sleep = sleep
        self.forwarded = Forwarded()

    def forward(self, agent_ids: Collection[str], groups: Collection[Group], has_time: Callable[[], bool]) -> Forwarded:
        """Send what the channels are owed about these agents and groups. `has_time`: False if none more may begin."""
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            found = list(pool.map(self._read, sorted(agent_ids)))
        agents = [agent for agent in found if agent]
        with ThreadPoolExecutor(max(1, len(self._channels))) as pool:  # a channel that hangs holds up no other
            list(pool.map(lambda channel: self._serve(channel, agents, sorted(groups), has_time), self._channels))
        return self.forwarded

    def report(self, name: str, problem: str) -> None:
        """Record that a channel cannot be used as it is stored: once, as each write calls the function again."""
        failure = self._groups.read(_group(name)).failure
        if failure is None or failure.problem != problem:
            self._fail(name, ChannelFailure(since=self._clock(), problem=problem), is_certain=True)
        self.forwarded.failing.add(_group(name))

    def test(self, channel: Channel) -> list[tuple[ChangeType, Answer]]:
        """Send a test incident to a channel, from trigger to resolve, and return each answer."""
        now, answers, message = self._clock(), list[tuple[ChangeType, Answer]](), ""
        for action in (action for action in _ACTIONS if action in kind_of(channel).actions):
            answer = self._sender.send(channel, Parcel((self._test_change(channel, action, now),), now, message))
            answers.append((action, answer))
            if not answer.is_taken:
                return answers
            message = message or answer.message
            self._sleep(kind_of(channel).pause)
        self.forget(channel.name)
        return answers

    def forget(self, name: str) -> None:
        """Forget that a channel failed: it works, or is no longer stored."""
        if self._groups.read(_group(name)).failure:
            self._groups.record_success(name, self._clock())

    def forget_others(self, names: Collection[str]) -> None:
        """Forget the failures of all channels but these, as far as their incidents are open: they are not stored."""
        for group in self._groups.firing():
            if group.type is IncidentType.CHANNEL_FAILING and group.name not in names:
                self.forget(group.name)
                self.forwarded.failing.add(group)

    def _test_change(self, channel: Channel, action: ChangeType, now: datetime) -> Change:
        return Change(
            action=action,
            dedup_key=f"channel_test/{channel.name}/{now:%Y%m%dT%H%M%S}",
            number=1,
            type=IncidentType.CHANNEL_FAILING,
            severity=Severity.WARNING,
            summary=f"Test of channel {channel.name}: nothing is wrong",
            component=channel.name,
            source=self._links.stack,
            at=now,
            detail="Somebody ran make channel-test.",
            next_steps=("Nothing to do: it is acknowledged and over within seconds.",),
            note="by the test itself" if action is ChangeType.ACKNOWLEDGE else "",
        )

    # ----------------------------------------------------------------------------------------------------- what is owed

    def _read(self, agent_id: str) -> _Agent | None:
        entries = self._journal.read(agent_id, self._clock())
        provider = provider_of(stored.raw for stored in entries if stored.raw)
        return _Agent(agent_id, timeline(entries), provider) if entries else None

    def _owed(self, channel: Channel, agents: Iterable[_Agent], groups: Iterable[Group]) -> Iterator[Owed]:
        owed = [each for agent in agents for each in self._of_agent(channel, agent)]
        owed += [each for group in groups for each in self._of_group(channel, group)]
        kind, refused = kind_of(channel), set[tuple[Subject, str]]()
        for each in owed:
            is_new = each.before is None or each.before.action is ChangeType.RESOLVE
            if is_new and not channel.wants(each.change):
                refused.add(each.key)
            if each.key not in refused and each.change.action in kind.actions:
                yield each

    def _of_agent(self, channel: Channel, agent: _Agent) -> Iterator[Owed]:
        now, record = self._clock(), agent.record
        for owed in owed_changes(record, channel.name, self._journal.grace_periods, now):
            is_resolved = owed.action is ChangeType.RESOLVE and owed.last.status is AlertStatus.RESOLVED
            status = AlertStatus.RESOLVED if is_resolved else AlertStatus.FIRING
            alerted = OwedAlert(status, owed.incident, owed.last.count, owed.last.reminders)
            alert = AgentAlert(agent_id=agent.agent_id, owed=alerted, record=record, at=now, provider=agent.provider)
            acknowledgement = acknowledgement_of(owed.incident, agent.steps)
            change = change_of_agent(owed.action, alert, self._links, acknowledgement)
            before = record.receipts.get((channel.name, owed.incident.key))
            yield Owed(agent.agent_id, change, owed.incident.attempt, before)

    def _of_group(self, channel: Channel, group: Group) -> Iterator[Owed]:
        state, now = self._groups.read(group), self._clock()
        if state.last is None or group == _group(channel.name):
            return
        before, is_acknowledged = state.receipts.get(channel.name), state.acknowledgement is not None
        for action in owed_actions(state.last, before, is_open=state.is_firing, is_acknowledged=is_acknowledged):
            alert = GroupAlert(
                group=group,
                status=state.last.status,
                severity=state.last.severity,
                state=state,
                agents=tuple(self._groups.waiting(group, silent_after(state), now)) if state.is_firing else (),
                at=now,
                links=self._links,
                reminder=state.last.reminders,
            )
            yield Owed(group, change_of_group(action, alert, state.last.count, state.acknowledgement), 0, before)

    # ------------------------------------------------------------------------------------------------- send and record

    def _serve(
        self, channel: Channel, agents: Sequence[_Agent], groups: Sequence[Group], has_time: Callable[[], bool]
    ) -> None:
        """Send what a channel is owed, until it takes no more."""
        owed = list(self._owed(channel, agents, groups))
        if not owed:
            return
        subjects = {each.subject for each in owed}
        try:
            failure = self._groups.read(_group(channel.name)).failure
            if failure and self._is_closed(channel, failure):
                self.forwarded.failed |= subjects
                self._alert_if_lasting(channel.name, failure)
                return
            self._send_all(channel, owed, failure is not None, has_time)
        except MeetingAgentsError as error:  # a table did not answer
            self.forwarded.problems.append((channel.name, Outcome.LATER, error.detail))
            self.forwarded.failed |= subjects

    def _send_all(self, channel: Channel, owed: list[Owed], is_failing: bool, has_time: Callable[[], bool]) -> None:
        messages = {each.key: each.before.message for each in owed if _is_known(each.before) and each.before}
        counts = {each.key: each.before.count if each.before else 0 for each in owed}
        while owed:
            now = self._clock()
            parcel, together = _next_parcel(channel, owed, messages, now)
            if not has_time():
                self.forwarded.failed |= {each.subject for each in owed}
                return
            answer = self._sender.send(channel, parcel)
            if not answer.is_taken:
                self.forwarded.problems.append((channel.name, answer.outcome, answer.problem))
            if answer.outcome is Outcome.REFUSED:
                self.forwarded.refused |= {each.subject for each in together}
            elif not answer.is_taken:
                self.forwarded.failed |= {each.subject for each in owed}
                self._fail(channel.name, _failure(channel, answer, now), is_certain=answer.outcome is Outcome.OFF)
                return
            if answer.is_taken and is_failing:
                self._groups.record_success(channel.name, self._clock())
                is_failing = False
            for each in together if answer.is_taken else ():
                known = "" if answer.is_gone else messages.get(each.key)
                message = known or answer.message + (SHARED if answer.message and together[1:] else "")
                messages[each.key] = message
                self._record(channel, each, counts[each.key], message)
                self.forwarded.taken.append((channel.name, each.change))
                counts[each.key] += 1
            owed = [each for each in owed if each not in together]
            if owed:
                self._sleep(kind_of(channel).pause)

    def _record(self, channel: Channel, owed: Owed, count: int, message: str) -> None:
        change = owed.change
        if isinstance(owed.subject, Group):
            receipt = Receipt(
                action=change.action, number=change.number, count=count + 1, at=self._clock(), message=message
            )
            self._groups.record_receipt(owed.subject, channel.name, receipt)
            return
        values = {"channel": channel.name, "action": change.action, "incident": change.type, "number": change.number}
        entry = Entry(
            key=f"delivered#{channel.name}#{owed.attempt}/{change.type}#{count}",
            kind=EntryType.DELIVERED,
            at=self._clock(),
            attempt=owed.attempt,
            cause=change.type,
            severity=change.severity,
            reminder=change.reminder,
            reason=Reason.of(ReasonCode.DELIVERED, **values, message=message),
        )
        self._journal.append(owed.subject, entry)

    def _is_closed(self, channel: Channel, failure: ChannelFailure) -> bool:
        """Return True if nothing may be sent to a channel that failed before."""
        if failure.off:
            return failure.off == channel.fingerprint
        wait = (failure.retry_at - self._clock()).total_seconds() if failure.retry_at else 0.0
        self.forwarded.retry_after = max(self.forwarded.retry_after, wait)
        return wait > 0

    def _fail(self, name: str, failure: ChannelFailure, *, is_certain: bool) -> None:
        """Record a failure. After a while, or if it is certain to last, people are alerted."""
        recorded = self._groups.record_failure(name, failure)
        wait = (failure.retry_at - self._clock()).total_seconds() if failure.retry_at else 0.0
        self.forwarded.retry_after = max(self.forwarded.retry_after, wait)
        self._alert_if_lasting(name, recorded, is_certain=is_certain)

    def _alert_if_lasting(self, name: str, failure: ChannelFailure, *, is_certain: bool = False) -> None:
        if is_certain or failure.off or failure.since + PATIENCE <= self._clock():
            self.forwarded.failing.add(_group(name))


def _next_parcel(
    channel: Channel, owed: Sequence[Owed], messages: dict[tuple[Subject, str], str], now: datetime
) -> tuple[Parcel, list[Owed]]:
    """Return what is sent next: the first change, and in a chat those that can be told with it."""

    def position(each: Owed) -> tuple[int, int, int, str]:
        change = each.change
        action, severity = _ACTIONS.index(change.action), _SEVERITIES.index(change.severity)
        return action, severity, change.reminder, messages.get(each.key, "")

    first = min(owed, key=position)
    alike = [each for each in owed if position(each) == position(first)] if kind_of(channel).is_chat else [first]
    together = alike[:MAX_TOGETHER]
    message = messages.get(first.key, "")
    changes = tuple(each.change for each in together)
    return Parcel(changes, now, message.removesuffix(SHARED), not message.endswith(SHARED)), together


def _is_known(before: Receipt | None) -> bool:
    """Return True if the channel has the incident open, so that its message can be found again."""
    return before is not None and before.action is not ChangeType.RESOLVE


def _failure(channel: Channel, answer: Answer, now: datetime) -> ChannelFailure:
    retry_at = now + timedelta(seconds=answer.retry_after) if answer.retry_after else None
    off = channel.fingerprint if answer.outcome is Outcome.OFF else ""
    return ChannelFailure(since=now, problem=answer.problem, retry_at=retry_at, off=off)


def _group(name: str) -> Group:
    return Group(IncidentType.CHANNEL_FAILING, name)
