"""Due agents, checked: the entries of missed deadlines, after a look at the calendar and the conferencing profile.

A silent agent may be in a meeting that a person moved or deleted. Its calendar is read before the entry of its missed
deadline is appended, and once a day, in threads of their own and within a budget: an entry is a few seconds late at
most, and an agent for which there is no time is not held up. The conferencing profile of a meeting without a conference
is looked at in the same threads.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import compress
from types import TracebackType
from typing import Self

from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.calendars import Calendars
from meeting_agents.domain.groups import Group
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Entry, IncidentType, Reading
from meeting_agents.domain.overdue import Finding, find_missed, is_retry_due
from meeting_agents.domain.profiles import KnownProfiles, profile_entry
from meeting_agents.domain.readings import (
    SILENCE,
    Calendar,
    calendar_of,
    is_profile_due,
    is_reading_due,
    is_settled,
    known_since,
    next_look,
    reading_entry,
)
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import is_rescue_due
from meeting_agents.errors import MeetingAgentsError, Outage, UnknownAccount
from meeting_agents.profiles import Profiles

RECHECK_AFTER = timedelta(minutes=5)
"""The time for which an agent is not due after a check that found nothing: others wait behind it."""
NOTHING_AHEAD = timedelta(days=1)
"""The same for an agent of which nothing is expected any more: its record is older than the last reading's time."""
MAX_FAILURES = 5
"""Calendars that could not be read, after which a sweep reads no more."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Readings of one kind: the most calendars in a sweep, how many at once, and the part of Cronofy's limits."""

    calendars: int
    threads: int
    share: float
    seconds: float = 5.0
    """After an agent was taken, by which its entry is appended, even if Cronofy does not answer."""


URGENT = Lane(calendars=200, threads=8, share=0.8)
"""Before a critical alert."""
DAILY = Lane(calendars=60, threads=2, share=0.4)
"""Sixty calendars a minute are 86,400 a day. The profiles of an account count as a calendar."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking some agents."""

    findings: Sequence[tuple[str, Finding]] = ()
    """Missed deadlines that no earlier sweep found."""
    errors: Sequence[tuple[str, Exception]] = ()
    """Agents that could not be checked."""
    readings: Sequence[tuple[str, Entry]] = ()
    """Meetings that are new at another time, or deleted."""
    failure: str = ""
    """The reason why a calendar could not be read; empty for one that was, or without one."""
    is_calendar: bool = False
    profiles: Sequence[tuple[str, Entry]] = ()
    """Meetings that are new without their conferencing profile, or with it again."""
    profile_failure: str = ""
    """The reason why an account's profiles could not be read."""
    are_profiles_read: bool = False


class CalendarLanes:
    """Calendars that are read while the sweep goes on, and the profiles of their accounts.

    `has_time`: False if no more requests may begin. `profiles`: None: no profile is looked at.
    """

    def __init__(
        self,
        journal: Journal,
        calendars: Callable[[], Calendars],
        has_time: Callable[[], bool],
        urgent: Lane = URGENT,
        daily: Lane = DAILY,
        profiles: Callable[[], Profiles] | None = None,
    ) -> None:
        self.urgent = urgent
        self.daily = daily
        self._journal = journal
        self._calendars = calendars
        self._profiles = profiles
        self._has_time = has_time
        self._pools: dict[Lane, ThreadPoolExecutor] = {}
        self._jobs: dict[Lane, list[Future[Checked]]] = {urgent: [], daily: []}
        self._failures = 0

    def __enter__(self) -> Self:
        self._pools = {lane: ThreadPoolExecutor(lane.threads) for lane in self._jobs}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=kind is not None)

    def take(self, lane: Lane, records: Mapping[str, Record]) -> set[str]:
        """Take the agents whose calendars are read, and return them. Their entries are appended here."""
        calendars: dict[Calendar, dict[str, Record]] = {}
        for agent_id, record in records.items():
            if calendar := calendar_of(record):
                calendars.setdefault(calendar, {})[agent_id] = record
        taken: set[str] = set()
        for calendar, agents in calendars.items():
            if len(self._jobs[lane]) >= lane.calendars or not self._may_read():
                break
            until = time.monotonic() + lane.seconds
            self._jobs[lane].append(self._pools[lane].submit(self._look, lane, calendar, agents, until))
            taken |= agents.keys()
        return taken

    def look_again(self, firing: Iterable[Group], groups: Groups) -> list[Checked]:
        """Look again at the profiles of accounts whose alert is firing, and wait for it: none of their agents is due.

        Those beyond the lane's budget come in a later sweep: by then the profiles of the others are not due.
        """
        accounts = [group for group in firing if group.type is IncidentType.ACCOUNT_DISCONNECTED]
        due = [group for group in accounts if self._profiles and self._profiles().is_time(group.name)]
        until = time.monotonic() + self.daily.seconds
        pool = self._pools[self.daily]
        jobs = [pool.submit(self._look_at_group, group, groups, until) for group in due[: self.daily.calendars]]
        return [job.result() for job in jobs]

    def results(self) -> Iterator[Checked]:
        """Iterate over the results, the urgent ones first, and wait for each."""
        for jobs in self._jobs.values():
            for job in jobs:
                yield job.result()

    def _may_read(self) -> bool:
        return self._failures < MAX_FAILURES and self._has_time()

    def _look(self, lane: Lane, calendar: Calendar, agents: Mapping[str, Record], until: float) -> Checked:
        """Read a calendar and append what follows; if it cannot be read, what followed without it."""
        grace_periods, began = self._journal.grace_periods, datetime.now(UTC)
        is_calendar = lane is not self.daily or any(is_reading_due(r, grace_periods, began) for r in agents.values())
        readings, failure = self._read(lane, calendar, agents, until) if is_calendar else ({}, "")
        now, entries, settled = datetime.now(UTC), list[tuple[str, Entry]](), dict[str, datetime]()
        findings: list[tuple[str, Finding]] = []
        waiting: dict[str, Record] = {}
        for agent_id, record in agents.items():
            reading = readings.get(record.event_id)
            entry = reading_entry(record, reading, now) if reading else None
            after = fold([entry], record) if entry else record
            missed = find_missed(after, grace_periods, now)
            entries += [(agent_id, entry)] if entry else []
            findings += [(agent_id, finding) for finding in missed]
            if not entry and not missed:
                settled[agent_id] = next_look(record, grace_periods, now) or now + NOTHING_AHEAD
                if is_profile_due(record, grace_periods, now):
                    waiting[agent_id] = record
        looked = self._look_at_profiles(calendar.account, waiting, until) if waiting else _Looked()
        for agent_id in settled if failure else waiting if looked.is_unknown else ():
            settled[agent_id] = min(settled[agent_id], now + RECHECK_AFTER)
        settled = {agent_id: at for agent_id, at in settled.items() if agent_id not in dict(looked.entries)}
        appended = self._journal.append_all([*entries, *((agent_id, found.entry) for agent_id, found in findings)])
        self._journal.claim_all(settled, now)
        is_read, is_found = appended[: len(entries)], appended[len(entries) :]
        return Checked(
            tuple(compress(findings, is_found)),
            (),
            tuple(compress(entries, is_read)),
            failure,
            is_calendar=is_calendar,
            profiles=looked.entries,
            profile_failure=looked.failure,
            are_profiles_read=looked.is_read,
        )

    def _read(
        self, lane: Lane, calendar: Calendar, agents: Mapping[str, Record], until: float
    ) -> tuple[Mapping[str, Reading], str]:
        if time.monotonic() >= until or not self._may_read():
            return {}, "no_time"
        tzids = {record.event_id: record.meeting.tzid for record in agents.values()}
        since = min(map(known_since, agents.values()))
        try:
            return self._calendars().read(calendar, tzids, since, until=until, share=lane.share), ""
        except MeetingAgentsError as error:
            self._failures += isinstance(error, Outage)
            return {}, error.code
        except Exception as error:  # noqa: BLE001 - an alert must not be lost because a calendar cannot be understood
            return {}, type(error).__name__

    # -------------------------------------------------------------------------------------------------------- profiles

    def _look_at_group(self, group: Group, groups: Groups, until: float) -> Checked:
        """Look again at the profiles that were reported of an account, for the agents that wait for it."""
        now = datetime.now(UTC)
        agent_ids = [agent.agent_id for agent in groups.waiting(group, None, now)]
        journals = ((agent_id, self._journal.read(agent_id, now)) for agent_id in agent_ids)
        records = {agent_id: fold(stored.entry for stored in entries) for agent_id, entries in journals if entries}
        looked = self._look_at_profiles(group.name, records, until)
        return Checked(profiles=looked.entries, profile_failure=looked.failure, are_profiles_read=looked.is_read)

    def _look_at_profiles(self, account: str, agents: Mapping[str, Record], until: float) -> "_Looked":
        """Look at the profiles of an account and append what is new; nothing changes if they cannot be read."""
        now, is_read = datetime.now(UTC), False
        try:
            known, is_read = self._known_profiles(account, agents, now, until)
        except MeetingAgentsError as error:
            self._failures += isinstance(error, Outage)
            return _Looked(failure=error.code, is_unknown=True)
        except Exception as error:  # noqa: BLE001 - as in `_read`
            return _Looked(failure=type(error).__name__, is_unknown=True)
        if known is None:
            return _Looked(is_unknown=True)
        found = [(agent_id, profile_entry(record, known, now)) for agent_id, record in agents.items()]
        entries = [(agent_id, entry) for agent_id, entry in found if entry]
        return _Looked(tuple(compress(entries, self._journal.append_all(entries))), is_read=is_read)

    def _known_profiles(
        self, account: str, agents: Mapping[str, Record], now: datetime, until: float
    ) -> tuple[KnownProfiles | None, bool]:
        if not self._profiles or time.monotonic() >= until or not self._may_read():
            return None, False
        try:
            return self._profiles().look(account, agents.values(), now, until=until, share=self.daily.share)
        except UnknownAccount:  # it has no profile any more, so none is known to be disconnected
            return KnownProfiles(read_at=now), False


@dataclass(frozen=True, slots=True)
class _Looked:
    """The result of a look at the profiles of an account."""

    entries: Sequence[tuple[str, Entry]] = ()
    failure: str = ""
    is_unknown: bool = False
    """They could not be read, or not yet."""
    is_read: bool = False


@dataclass(frozen=True, slots=True)
class DueAgents:
    """The check of due agents.

    `submit_retry` is called for an agent with a request to be sent again, `submit_rescue` for one with a second agent.
    """

    journal: Journal
    now: datetime
    has_time: Callable[[], bool]
    submit_retry: Callable[[str], None]
    lanes: CalendarLanes | None = None
    submit_rescue: Callable[[str], None] = lambda _: None

    def check(self, agent_ids: Sequence[str]) -> Checked:
        """Check agents one after the other, append the entries of all together, and claim those without an entry.

        The entries of an agent whose calendar is read first are appended later.
        """
        missed: dict[str, list[Finding]] = {}
        errors: list[tuple[str, Exception]] = []
        claims: dict[str, datetime] = {}
        silent: dict[str, Record] = {}
        daily: dict[str, Record] = {}
        for agent_id in agent_ids:
            if not self.has_time():
                break
            try:
                record = fold(stored.entry for stored in self.journal.read(agent_id, self.now))
                missed[agent_id] = find_missed(record, self.journal.grace_periods, self.now)
            except Outage:
                raise
            except Exception as error:  # noqa: BLE001 - one journal that cannot be read must not hide the others
                errors.append((agent_id, error))
                claims[agent_id] = self.now + RECHECK_AFTER
                continue
            if submit := self._submit_for(record):
                submit(agent_id)
            elif not missed[agent_id]:
                claims[agent_id] = self._look_again_at(record)  # its journal is newer than its record
                if record.attempts and self._is_look_due(record):
                    daily[agent_id] = record
            elif _is_silent(missed[agent_id]) and is_settled(record.current, self.now):
                silent[agent_id] = record
        if self.lanes:
            taken = self.lanes.take(self.lanes.urgent, silent) | self.lanes.take(self.lanes.daily, daily)
            missed = {agent_id: found for agent_id, found in missed.items() if agent_id not in taken}
            claims = {agent_id: until for agent_id, until in claims.items() if agent_id not in taken}
        findings = [(agent_id, finding) for agent_id, found in missed.items() for finding in found]
        is_new = self.journal.append_all([(agent_id, finding.entry) for agent_id, finding in findings])
        self.journal.claim_all(claims, self.now)
        return Checked(tuple(compress(findings, is_new)), errors)

    def _submit_for(self, record: Record) -> Callable[[str], None] | None:
        """Return the way by which a request that is due for an agent is sent; None if none is."""
        if is_retry_due(record, self.now):
            return self.submit_retry
        return self.submit_rescue if is_rescue_due(record, self.journal.grace_periods, self.now) else None

    def _look_again_at(self, record: Record) -> datetime:
        """Return when an agent without a missed deadline is due again: the daily reading must not repeat itself."""
        soon = self.now + RECHECK_AFTER
        if not record.attempts:
            return soon
        next_at = next_look(record, self.journal.grace_periods, self.now) or self.now + NOTHING_AHEAD
        if calendar_of(record) and not self._is_look_due(record):
            return next_at
        return min(soon, next_at)  # unless a lane takes it

    def _is_look_due(self, record: Record) -> bool:
        grace_periods = self.journal.grace_periods
        return is_reading_due(record, grace_periods, self.now) or is_profile_due(record, grace_periods, self.now)


def _is_silent(missed: Sequence[Finding]) -> bool:
    return any(finding.deadline.phase in SILENCE for finding in missed)
