"""Faults put back into the product on purpose, one at a time: the judge must find each within a minute.

Each is a small change of one function by name. The first months of the seeds are lived with it until something is found
that is not found without it.
"""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import functions.webhook.app as webhook
from meeting_agents import provisioning, publishing, sweeping
from meeting_agents.api import calendar_events
from meeting_agents.aws import dynamodb, notifications, topics
from meeting_agents.cronofy.messages import CronofyResponse, Outcome
from meeting_agents.domain import alerts, attempts, deadlines, incidents, lifecycle, overdue, responses, situation
from meeting_agents.domain.model import EntryType, IncidentType, State
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.state_machine import TERMINAL_STATES
from meeting_agents.errors import Outage, TopicUnavailable
from tests.simulation.chance import month
from tests.simulation.histories import HISTORIES
from tests.simulation.months import Found, tried
from tests.simulation.scripts import MonthScript

LIMIT_SECONDS = 60.0
MEETINGS = 120
SEEDS = range(1, 17)


@dataclass(frozen=True)
class Change:
    """A fault: what is changed, and the function or the value that is put in its place."""

    owner: Any
    name: Any
    value: Any


def _rule(type_: IncidentType, **changes: Any) -> Change:
    """Return a change of one row of the incidents' table."""
    return Change(incidents.INCIDENTS, type_, replace(incidents.INCIDENTS[type_], **changes))


def _never(_: Any) -> None:
    return None


_missed, _next_request = overdue.find_missed, attempts.next_request
_entry, _append, _publish = overdue._entry, notifications.append_notification, topics.AlertsTopic.publish
_begins, _with_request = attempts._begins_attempt, attempts.with_request
_is_refused_move, _rejected = responses._is_refused_move, responses._rejected
_outcome = vars(CronofyResponse)["outcome"].fget


def _hidden_by_retry(record: Record, grace_periods: Any, now: datetime) -> list[Any]:
    pending = record.current.pending if record.attempts else None
    return [] if pending and pending.retry_at else _missed(record, grace_periods, now)


def _without_time(*values: Any) -> Any:
    entry = _entry(*values)
    is_deadline = entry.kind is EntryType.OVERDUE
    return replace(entry, key=entry.key.rpartition("#")[0]) if is_deadline else entry


def _swallowed(*values: Any, **named: Any) -> bool:
    try:
        return _append(*values, **named)
    except Outage:
        return True


def _unpublished(self: topics.AlertsTopic, *values: Any) -> None:
    try:
        _publish(self, *values)
    except TopicUnavailable:
        return


def _also_after_complete(attempt: Attempt, *values: Any) -> bool:
    return attempt.state is State.COMPLETE or _begins(attempt, *values)


def _rearmed(attempt: Attempt, pending: Any) -> Attempt:
    changed = _with_request(attempt, pending)
    if attempt.state is State.OVERDUE and not attempt.is_heard_of:
        at = pending.requested_at
        return replace(changed, state=State.REQUESTED, missed=(), since=at, requested_at=at)
    return changed


def _taken_back(record: Record, attempt: Attempt, pending: Any) -> bool:
    before = replace(pending, tries=0)
    as_before = replace(attempt, unanswered=tuple(before if p is pending else p for p in attempt.unanswered))
    return _is_refused_move(attempts.with_attempt(record, as_before), as_before, before)


def _sent_again(attempt: Attempt, pending: Any, entry: Any) -> Attempt:
    after, before = _rejected(attempt, pending, entry), {each.revision: each for each in attempt.unanswered}
    return replace(after, unanswered=tuple(before[each.revision] for each in after.unanswered))


def _unordered(self: Any, sent: Any, *_: Any) -> Any:
    return self._journal.read(sent.agent_id, self._clock())


def _refusal_forgotten(record: Record | None, request: Any, at: datetime) -> tuple[int, int, bool]:
    if record is not None and record.attempts:
        record = attempts.with_attempt(record, replace(record.current, refusal=None))
    return _next_request(record, request, at)


def _any_page_accepted(self: CronofyResponse) -> Outcome:
    return Outcome.ACCEPTED if 200 <= self.status < 300 else _outcome(self)


def _is_not_over(record: Record | None) -> bool:
    return record is not None and record.state not in TERMINAL_STATES


def _first_only(self: dynamodb.Table, **condition: Any) -> Iterator[Any]:
    items = self.query_page(**condition)[0]
    return iter(items[:1] if condition.get("IndexName") else items)


FAULTS: Mapping[str, tuple[Change, ...]] = {
    "a meeting that moves after `activated` begins no new attempt (1)": (
        Change(attempts, "_is_moved_ahead", lambda *_: False),
    ),
    "the order of requests is not corrected, and a retry is not compared with the newest (2)": (
        Change(provisioning.Provisioning, "_correct_order", _unordered),
        Change(provisioning.Provisioning, "_is_newest", lambda *_: True),
    ),
    "a move that is not delivered in time is taken back in silence (3)": (
        Change(responses, "_is_refused_move", _taken_back),
    ),
    "a request that waits hides missed deadlines (4)": (Change(sweeping, "find_missed", _hidden_by_retry),),
    "a request that did not reach Cronofy is no incident (6)": (
        _rule(IncidentType.NOT_ARRANGED, opened_at=_never),
        _rule(IncidentType.REJECTED, opened_at=_never),
    ),
    "an agent that reports itself active after its cancellation is no incident (8)": (
        _rule(IncidentType.UNWANTED, opened_at=_never),
    ),
    "a sweep finds one agent in each part of the index (9)": (Change(dynamodb.Table, "query", _first_only),),
    "the times in Cronofy's callbacks are ignored (11)": (
        Change(lifecycle, "follow_meeting", lambda record, *_: record),
    ),
    "a request after `complete` is a new agent (12)": (Change(attempts, "_begins_attempt", _also_after_complete),),
    "each request re-arms the deadline of an overdue agent (13)": (Change(lifecycle, "with_request", _rearmed),),
    "a change that Cronofy refuses is a missing agent (14)": (Change(incidents, "_is_elsewhere", lambda *_: True),),
    "an agent is expected in a meeting of the past (15)": (
        Change(deadlines, "end_of", lambda *_: datetime(2100, 1, 1, tzinfo=UTC)),
        Change(situation, "end_of", lambda *_: datetime(2100, 1, 1, tzinfo=UTC)),
    ),
    "a second attempt forgets that the conference was assigned (16)": (
        Change(attempts, "_assigned_conference", _never),
    ),
    "an alert that SNS refuses counts as sent (17)": (Change(topics.AlertsTopic, "publish", _unpublished),),
    "another start of the meeting is no other attempt (22)": (Change(attempts, "_is_another_time", lambda *_: False),),
    "a page instead of an answer counts as accepted (23)": (
        Change(CronofyResponse, "outcome", property(_any_page_accepted)),
    ),
    "an alert that is owed and was not sent is not found by the sweep": (
        Change(deadlines, "next_alert_at", lambda *_: None),
    ),
    "a deadline of a meeting that was moved has the key of the first": (Change(overdue, "_entry", _without_time),),
    "an alert about an earlier time of the meeting counts for the new one": (
        Change(alerts, "last_alert", lambda record, incident: record.alerts.get(incident.key)),
    ),
    "the same request after a refusal is not new": (Change(provisioning, "next_request", _refusal_forgotten),),
    "a request that waits is sent again after its cancellation failed": (Change(responses, "_rejected", _sent_again),),
    "a report that comes before its time is about the agent of the new time": (
        Change(lifecycle, "separated", lambda record, *_: record),
    ),
    "one of two agents that fails counts for the other": (
        Change(Attempt, "is_failure_outweighed", property(lambda _: False)),
    ),
    "an agent may come although Cronofy refused every request": (
        Change(Attempt, "may_come", property(lambda _: True)),
    ),
    "the cancellation of a refused agent is not journalled": (
        Change(calendar_events, "may_be_cancelled", _is_not_over),
    ),
    "a conferencing profile that is disconnected is no incident": (Change(incidents, "disconnected_since", _never),),
    "a callback that cannot be stored is answered 200": (Change(webhook, "append_notification", _swallowed),),
    "a failure is no incident": (_rule(IncidentType.FAILED, opened_at=_never),),
    "an agent that does not come is no incident": (_rule(IncidentType.NEVER_ACTIVATED, opened_at=_never),),
    "an incident is never resolved": (_rule(IncidentType.NEVER_ACTIVATED, is_resolved=lambda _: False),),
    "resources that are there count as missing": (
        Change(deadlines, "missing_resources", lambda *_: frozenset({"anything"})),
        Change(incidents, "has_resources", lambda _: False),
    ),
    "the alert about an account is not resolved when it is connected again": (
        Change(publishing, "is_over", lambda *_: False),
    ),
    "an alert that was sent is not journalled": (Change(publishing.Publisher, "_record", lambda *_: None),),
    "an agent that an alert about a group included is not alerted alone after that was resolved": (
        Change(publishing.Publisher, "_uncover", lambda *_: None),
    ),
    "agents that are sent now are sent twice": (
        Change(provisioning.Provisioning, "_previous_response", lambda *_: None),
    ),
}
"""Each fault; a number is that of its line in the list of what was once wrong with the alerts."""


@dataclass(frozen=True)
class Verdict:
    """The answer of the judge to a fault; `found` is empty if it found nothing."""

    fault: str
    found: str
    seconds: float


@contextmanager
def put_back(fault: str) -> Iterator[None]:
    """Let the product have a fault."""
    with ExitStack() as stack:
        for change in FAULTS[fault]:
            if isinstance(change.owner, dict):
                stack.enter_context(patch.dict(change.owner, {change.name: change.value}))
            else:
                stack.enter_context(patch.object(change.owner, change.name, change.value))
        yield


def find(fault: str) -> Verdict:
    """Let months take place with a fault until the judge finds something that it does not find without it.

    A fault that shows seldom is found in the history in which it once did.
    """
    began = time.process_time()
    for script in _scripts(fault):
        with put_back(fault):
            found = tried(script).found
        if found and (new := set(found) - _found_without(script)):
            kinds = ", ".join(sorted({each.kind for each in new}))
            return Verdict(fault, f"{kinds}: {_first(new)}", time.process_time() - began)
    return Verdict(fault, "", time.process_time() - began)


@cache
def _found_without(script: MonthScript) -> frozenset[Found]:
    """Return what is found without a fault; a process finds several, and mostly in the same months."""
    return frozenset(tried(script).found)


def _scripts(fault: str) -> Iterator[MonthScript]:
    began, histories = time.process_time(), [script for script, of_history in HISTORIES.values() if of_history == fault]
    for seed in SEEDS:
        yield month(seed, MEETINGS, is_rough=True)
        if time.process_time() - began > (LIMIT_SECONDS / 10 if histories else LIMIT_SECONDS / 2):
            break
    yield from histories


def _first(found: set[Found]) -> str:
    first = min(found, key=lambda each: (each.kind, each.seed, each.meeting))
    return f"seed {first.seed}, meeting {first.meeting}: {first.detail}"


def run(file: Path | None) -> int:
    """Put every fault back, and print which were found; `file`: keep that for the documentation."""
    verdicts = []
    with ProcessPoolExecutor() as pool:
        for verdict in pool.map(find, FAULTS):
            verdicts.append(verdict)
            print(f"{verdict.seconds:4.0f} s  {verdict.fault}: {verdict.found or 'NOT FOUND'}", flush=True)
    if file:
        before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        table = [{"fault": v.fault, "found": v.found, "seconds": round(v.seconds)} for v in verdicts]
        file.write_text(json.dumps(before | {"put_back": table}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    missing = [v for v in verdicts if not v.found or v.seconds > LIMIT_SECONDS]
    print(f"{len(verdicts) - len(missing)} of {len(verdicts)} found within {LIMIT_SECONDS:.0f} s")
    return 1 if missing else 0
