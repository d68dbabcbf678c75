"""Due agents, checked: the entries of missed deadlines, after a look at the meeting's calendar where that is possible.

A silent agent may be in a meeting that a person moved or deleted. Its calendar is read before the entry of its missed
deadline is appended, and once a day, in threads of their own and within a budget: an entry is a few seconds late at
most, and an agent for which there is no time is not held up.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import compress
from types import TracebackType
from typing import Self

from meeting_agents.aws.journal import Journal
from meeting_agents.calendars import Calendars
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Entry, Reading, Record
from meeting_agents.domain.overdue import Finding, find_missed, is_retry_due
from meeting_agents.domain.readings import (
    SILENCE,
    Calendar,
    calendar_of,
    is_reading_due,
    is_settled,
    known_since,
    next_look,
    reading_entry,
)
from meeting_agents.errors import MeetingAgentsError, Outage

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
"""Sixty calendars a minute are 86,400 a day."""


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


class CalendarLanes:
    """Calendars that are read while the sweep goes on. `has_time`: False if no more requests may begin."""

    def __init__(
        self,
        journal: Journal,
        calendars: Callable[[], Calendars],
        has_time: Callable[[], bool],
        urgent: Lane = URGENT,
        daily: Lane = DAILY,
    ) -> None:
        self.urgent = urgent
        self.daily = daily
        self._journal = journal
        self._calendars = calendars
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

    def results(self) -> Iterator[Checked]:
        """Iterate over the results, the urgent ones first, and wait for each."""
        for jobs in self._jobs.values():
            for job in jobs:
                yield job.result()

    def _may_read(self) -> bool:
        return self._failures < MAX_FAILURES and self._has_time()

    def _look(self, lane: Lane, calendar: Calendar, agents: Mapping[str, Record], until: float) -> Checked:
        """Read a calendar and append what follows; if it cannot be read, what followed without it."""
        readings, failure = self._read(lane, calendar, agents, until)
        now, entries, settled = datetime.now(UTC), list[tuple[str, Entry]](), dict[str, datetime]()
        findings: list[tuple[str, Finding]] = []
        for agent_id, record in agents.items():
            reading = readings.get(record.event_id)
            entry = reading_entry(record, reading, now) if reading else None
            after = fold([entry], record) if entry else record
            missed = find_missed(after, self._journal.grace_periods, now)
            entries += [(agent_id, entry)] if entry else []
            findings += [(agent_id, finding) for finding in missed]
            if not entry and not missed:
                look_at = next_look(record, self._journal.grace_periods, now) or now + NOTHING_AHEAD
                settled[agent_id] = now + RECHECK_AFTER if failure else look_at
        appended = self._journal.append_all([*entries, *((agent_id, found.entry) for agent_id, found in findings)])
        self._journal.claim_all(settled, now)
        is_read, is_found = appended[: len(entries)], appended[len(entries) :]
        return Checked(
            tuple(compress(findings, is_found)), (), tuple(compress(entries, is_read)), failure, is_calendar=True
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


@dataclass(frozen=True, slots=True)
class DueAgents:
    """The check of due agents. `submit_retry`: called for an agent with a request to be sent again."""

    journal: Journal
    now: datetime
    has_time: Callable[[], bool]
    submit_retry: Callable[[str], None]
    lanes: CalendarLanes | None = None

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
            if is_retry_due(record, self.now):
                self.submit_retry(agent_id)
            elif not missed[agent_id]:
                claims[agent_id] = self._look_again_at(record)  # its journal is newer than its record
                if record.attempts and is_reading_due(record, self.journal.grace_periods, self.now):
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

    def _look_again_at(self, record: Record) -> datetime:
        """Return when an agent without a missed deadline is due again: the daily reading must not repeat itself."""
        soon = self.now + RECHECK_AFTER
        if not record.attempts or not calendar_of(record):
            return soon
        if is_reading_due(record, self.journal.grace_periods, self.now):
            return soon  # unless a lane takes it
        return next_look(record, self.journal.grace_periods, self.now) or self.now + NOTHING_AHEAD


def _is_silent(missed: Sequence[Finding]) -> bool:
    return any(finding.deadline.phase in SILENCE for finding in missed)
