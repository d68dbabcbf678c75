"""The changes of incidents, forwarded to channels: each gets those it is owed now, and those it took are recorded.

The request comes first and the entry follows: if the function dies between the two, the change is sent twice, with the
same key, by which a pager knows it again.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import extract_tb
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
from meeting_agents.domain.groups import ChannelFailure, Group, GroupState, Subject, Waiting, group_of, silent_after
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import AlertStatus, ChangeType, Entry, EntryType, IncidentType, Severity
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.receipts import number_of, owed_actions, owed_changes
from meeting_agents.domain.record import LastAlert, Receipt, Record
from meeting_agents.domain.rescue import second_agent
from meeting_agents.domain.silences import Quiet, Target
from meeting_agents.domain.verdicts import Step
from meeting_agents.errors import MeetingAgentsError

CONCURRENT_READS = 16
"""Journals that are read at the same time."""
PATIENCE = timedelta(minutes=10)
"""A channel that takes nothing for so long is an incident."""
MAX_TOGETHER = 50
"""The incidents in one message for a chat."""
LONGEST_WAIT = timedelta(hours=1)
"""A channel that wants to be left alone for longer is tried after this time."""
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
    """A channel refused a change of them for good, and nothing else of them waits."""
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
        quiet: Callable[[], Quiet],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal = journal
        self._groups = groups
        self._channels = channels
        self._sender = sender
        self._links = links
        self._read_quiet = quiet
        self._quiet = Quiet()
        self._clock = clock
        self._sleep = sleep
        self._covered: dict[tuple[str, Group], bool] = {}
        self._is_one_unusable = False
        self.forwarded = Forwarded()

    def forward(self, agent_ids: Collection[str], groups: Collection[Group], has_time: Callable[[], bool]) -> Forwarded:
        """Send what the channels are owed about these agents and groups. `has_time`: False if none more may begin.

        While a channel is stored wrongly, what it wants is not known: all of them are looked at again.
        """
        self._quiet = self._read_quiet()
        with ThreadPoolExecutor(CONCURRENT_READS) as pool:
            found = list(pool.map(self._read, sorted(agent_ids)))
        agents = [agent for agent in found if agent]
        with ThreadPoolExecutor(max(1, len(self._channels))) as pool:  # a channel that hangs holds up no other
            list(pool.map(lambda channel: self._serve(channel, agents, sorted(groups), has_time), self._channels))
        if self._is_one_unusable:
            self.forwarded.failed |= {*agent_ids, *groups}
        self.forwarded.refused -= self.forwarded.failed
        return self.forwarded

    def report(self, name: str, problem: str) -> None:
        """Record that a channel cannot be used as it is stored: once, as each write calls the function again."""
        self._is_one_unusable = True
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
            if is_new and not _wants(channel, each.change):
                refused.add(each.key)
            if each.key not in refused and each.change.action in kind.actions:
                yield each

    def _of_agent(self, channel: Channel, agent: _Agent) -> Iterator[Owed]:
        now, record = self._clock(), agent.record

        def gets_group(type_: IncidentType) -> bool:
            group = group_of(record, type_)
            if group and (channel.name, group) not in self._covered:  # an outage has many agents and one group
                self._covered[channel.name, group] = self._gets(channel, group)
            return group is not None and self._covered[channel.name, group]

        for owed in owed_changes(record, channel.name, self._journal.grace_periods, now, gets_group):
            is_resolved = owed.action is ChangeType.RESOLVE and owed.last.status is AlertStatus.RESOLVED
            status = AlertStatus.RESOLVED if is_resolved else AlertStatus.FIRING
            before = record.receipts.get((channel.name, owed.incident.key))
            number = number_of(owed.action, owed.last, before)
            alerted = OwedAlert(status, owed.incident, number, owed.last.reminders)
            alert = AgentAlert(
                agent_id=agent.agent_id,
                owed=alerted,
                record=record,
                at=now,
                provider=agent.provider,
                second_agent=second_agent(record, owed.incident.attempt, self._journal.grace_periods, now),
            )
            acknowledgement = acknowledgement_of(owed.incident, agent.steps)
            change = change_of_agent(owed.action, alert, self._links, acknowledgement)
            yield Owed(agent.agent_id, change, owed.incident.attempt, before)

    def _of_group(self, channel: Channel, group: Group) -> Iterator[Owed]:
        state = self._groups.read(group)
        if state.last is None or group == _group(channel.name):
            return
        before, is_acknowledged = state.receipts.get(channel.name), state.acknowledgement is not None
        for action in owed_actions(state.last, before, is_open=state.is_firing, is_acknowledged=is_acknowledged):
            number = number_of(action, state.last, before)
            yield Owed(group, self._change_of_group(action, group, state, state.last, number), 0, before)

    def _change_of_group(
        self, action: ChangeType, group: Group, state: GroupState, last: LastAlert, number: int
    ) -> Change:
        alert = GroupAlert(
            group=group,
            status=last.status,
            severity=last.severity,
            state=state,
            agents=self._waiting(group, state),
            at=self._clock(),
            links=self._links,
            reminder=last.reminders,
        )
        return change_of_group(action, alert, number, state.acknowledgement)

    def _gets(self, channel: Channel, group: Group) -> bool:
        """Return True if a channel has the incident of a group, or wants it: then that is its word about the agents."""
        state = self._groups.read(group)
        if _is_known(state.receipts.get(channel.name)) or state.last is None:
            return True
        return _wants(channel, self._change_of_group(ChangeType.TRIGGER, group, state, state.last, state.last.count))

    def _waiting(self, group: Group, state: GroupState) -> tuple[Waiting, ...]:
        """Return the agents that a group's message names: those that no silence is for, as in the group's alert."""
        now = self._clock()
        agents = self._groups.waiting(group, silent_after(state), now) if state.is_firing else ()
        return tuple(agent for agent in agents if not self._quiet.of_agent(Target.of_waiting(agent), now))

    # ------------------------------------------------------------------------------------------------- send and record

    def _serve(
        self, channel: Channel, agents: Sequence[_Agent], groups: Sequence[Group], has_time: Callable[[], bool]
    ) -> None:
        """Send what a channel is owed, until it takes no more."""
        subjects: set[Subject] = {*(agent.agent_id for agent in agents), *groups}
        try:
            owed = list(self._owed(channel, agents, groups))
            subjects = {each.subject for each in owed}
            if not owed:
                return
            failure = self._groups.read(_group(channel.name)).failure
            if failure and self._is_closed(channel, failure):
                self.forwarded.failed |= subjects
                self._alert_if_lasting(channel.name, failure)
                return
            self._send_all(channel, owed, failure is not None, has_time)
        except Exception as error:  # noqa: BLE001 - an error of one channel holds up no other
            problem = _words_of(error)
            self.forwarded.problems.append((channel.name, Outcome.LATER, problem))
            self.forwarded.failed |= subjects
            if not isinstance(error, MeetingAgentsError):
                with suppress(MeetingAgentsError):  # it is recorded next time
                    self._fail(channel.name, ChannelFailure(since=self._clock(), problem=problem), is_certain=False)

    def _send_all(self, channel: Channel, owed: list[Owed], is_failing: bool, has_time: Callable[[], bool]) -> None:
        messages = {each.key: each.before.message for each in owed if _is_known(each.before) and each.before}
        counts = {each.key: each.before.count if each.before else 0 for each in owed}
        alone = set[tuple[Subject, str]]()
        while owed:
            now = self._clock()
            parcel, together = _next_parcel(channel, owed, messages, alone, now)
            if not has_time():
                self.forwarded.failed |= {each.subject for each in owed}
                return
            answer = self._sender.send(channel, parcel)
            if not answer.is_taken:
                self.forwarded.problems.append((channel.name, answer.outcome, answer.problem))
            if answer.is_taken:
                if is_failing:
                    self._groups.record_success(channel.name, self._clock())
                    is_failing = False
                message = answer.message + (SHARED if answer.message and together[1:] else "")
                for each in together:
                    known = "" if answer.is_gone else messages.get(each.key)
                    messages[each.key] = self._record(channel, each, counts[each.key], known or message)
                    counts[each.key] += 1
                owed = [each for each in owed if each not in together]
            elif answer.outcome is not Outcome.REFUSED:
                self.forwarded.failed |= {each.subject for each in owed}
                self._fail(channel.name, _failure(channel, answer, now), is_certain=answer.outcome is Outcome.OFF)
                return
            elif together[1:]:
                alone |= {each.key for each in together}  # one of them may be the cause
            else:
                self.forwarded.refused.add(together[0].subject)
                owed = [each for each in owed if each.key != together[0].key]
            if owed:
                self._sleep(kind_of(channel).pause)

    def _record(self, channel: Channel, owed: Owed, count: int, message: str) -> str:
        """Record that a channel took a change. Return the id of the message that it has about the incident now."""
        self._append_receipt(channel, owed, count, message)
        self.forwarded.taken.append((channel.name, owed.change))
        return "" if owed.change.action is ChangeType.RESOLVE else message

    def _append_receipt(self, channel: Channel, owed: Owed, count: int, message: str) -> None:
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
        if failure.fingerprint != channel.fingerprint:
            return False
        return failure.is_off or (failure.retry_at is not None and self._clock() < failure.retry_at)

    def _fail(self, name: str, failure: ChannelFailure, *, is_certain: bool) -> None:
        """Record a failure. After a while, or if it is certain to last, people are alerted."""
        recorded = self._groups.record_failure(name, failure)
        self._alert_if_lasting(name, recorded, is_certain=is_certain)

    def _alert_if_lasting(self, name: str, failure: ChannelFailure, *, is_certain: bool = False) -> None:
        if is_certain or failure.is_off or failure.since + PATIENCE <= self._clock():
            self.forwarded.failing.add(_group(name))


def _next_parcel(
    channel: Channel,
    owed: Sequence[Owed],
    messages: Mapping[tuple[Subject, str], str],
    alone: Collection[tuple[Subject, str]],
    now: datetime,
) -> tuple[Parcel, list[Owed]]:
    """Return what is sent next: the first change, and in a chat those that can be sent with it.

    `alone`: the incidents of which each is sent by itself.
    """

    def position(each: Owed) -> tuple[int, int, int, str]:
        change = each.change
        action, severity = _ACTIONS.index(change.action), _SEVERITIES.index(change.severity)
        return action, severity, change.reminder, messages.get(each.key, "")

    firsts: dict[tuple[Subject, str], Owed] = {}
    for each in owed:
        firsts.setdefault(each.key, each)  # the changes of an incident keep their order
    first = min(firsts.values(), key=position)
    is_shared = kind_of(channel).is_chat and first.key not in alone
    alike = [each for each in firsts.values() if position(each) == position(first) and each.key not in alone]
    together = alike[:MAX_TOGETHER] if is_shared else [first]
    message = messages.get(first.key, "")
    changes = tuple(each.change for each in together)
    return Parcel(changes, now, message.removesuffix(SHARED), not message.endswith(SHARED)), together


def _wants(channel: Channel, change: Change) -> bool:
    """Return True if a new incident is for a channel. One that fails has no account and no label, and is for all."""
    if change.type is IncidentType.CHANNEL_FAILING:
        channel = replace(channel, account=frozenset(), data_center=frozenset(), label={})
    return channel.wants(change)


def _is_known(before: Receipt | None) -> bool:
    """Return True if the channel has the incident open, so that its message can be found again."""
    return before is not None and before.action is not ChangeType.RESOLVE


def _failure(channel: Channel, answer: Answer, now: datetime) -> ChannelFailure:
    wait = answer.retry_after if answer.retry_after and math.isfinite(answer.retry_after) else 0.0
    retry_at = now + timedelta(seconds=min(wait, LONGEST_WAIT.total_seconds())) if wait else None
    is_off = answer.outcome is Outcome.OFF
    return ChannelFailure(
        since=now, problem=answer.problem, retry_at=retry_at, is_off=is_off, fingerprint=channel.fingerprint
    )


def _words_of(error: Exception) -> str:
    """Return the words for an error. The message of an error that was not expected may have the secret address."""
    if isinstance(error, MeetingAgentsError):
        return error.detail
    line = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in line {line.lineno} of {Path(line.filename).name}"


def _group(name: str) -> Group:
    return Group(IncidentType.CHANNEL_FAILING, name)
