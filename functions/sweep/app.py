"""Every minute: whatever is past its deadline becomes `overdue`. What it finds is one more entry in the journal."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import timestamp
from meeting_agents.domain.deadlines import Deadline, GracePeriods, deadline, missing_resources
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import DeadlineType, Entry, EntryType, Reason, ReasonCode, Record
from meeting_agents.errors import Outage, RateLimited, Refusal
from meeting_agents.provisioning import Provisioning

logger = Logger(version=VERSION)
metrics = Metrics()

STOP_BEFORE_TIMEOUT_MS = 10_000
"""Milliseconds before the function's time limit at which a sweep stops; what is left is due first next time."""
STOP_CALLS_BEFORE_TIMEOUT_MS = 25_000
"""Milliseconds before the limit at which no call to Cronofy begins any more, for one may take as long."""
RECHECK_AFTER = timedelta(minutes=5)
"""For which an agent that was looked at is not found again, should its record not follow: others wait behind it."""
CALLS_AT_ONCE = 8
"""Requests to Cronofy at the same time: enough for its limits, should it take half a second for each."""

_MISSED = {
    DeadlineType.CONFERENCE: ReasonCode.CONFERENCE_MISSED,
    DeadlineType.ACTIVATION: ReasonCode.ACTIVATION_MISSED,
    DeadlineType.COMPLETION: ReasonCode.COMPLETION_MISSED,
    DeadlineType.RESOURCES: ReasonCode.RESOURCES_MISSED,
}

wiring.make_ready(wiring.journal)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """One sweep. Counts what it found; `Heartbeat` says that it ran to its end."""

    def has_time(reserve: int) -> bool:
        remaining: int = context.get_remaining_time_in_millis()
        return remaining > reserve

    with ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        calls = []

        def ask_again(agent_id: str) -> None:
            calls.append(
                pool.submit(retry, agent_id, wiring.provisioning(), lambda: has_time(STOP_CALLS_BEFORE_TIMEOUT_MS))
            )

        found = sweep(wiring.journal(), lambda: has_time(STOP_BEFORE_TIMEOUT_MS), ask_again)
    asked = sum(call.result() for call in calls)
    if found:
        metrics.add_metric("AgentsFoundOverdue", MetricUnit.Count, found)
    if asked:
        metrics.add_metric("RequestsRetried", MetricUnit.Count, asked)
    metrics.add_metric("Heartbeat", MetricUnit.Count, 1)
    logger.info("swept", overdue=found, asked_again=asked)
    return {"overdue": found, "asked_again": asked}


def retry(agent_id: str, provisioning: Provisioning, has_time: Callable[[], bool]) -> bool:
    """Ask Cronofy again for one agent, as soon as its limits allow; whether it was asked. What is not stays due."""
    while has_time():
        try:
            told = provisioning.retry(agent_id)
        except RateLimited:
            time.sleep(1)
        except (Refusal, Outage) as error:
            logger.warning("request not repeated", agent_id=agent_id, code=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - as in the sweep itself
            _skip_agent(agent_id, error)
            return False
        else:
            if told:
                logger.info("request repeated", agent_id=agent_id, state=told.record.state)
            return told is not None
    return False


def sweep(journal: Journal, has_time: Callable[[], bool], ask_again: Callable[[str], None]) -> int:
    """Append `overdue`, or `escalated`, for each agent past its deadline; how many were. Safe when two run at once.

    Whatever is only to be sent to Cronofy again is handed to `ask_again`.
    """
    now = datetime.now(UTC)
    found = 0
    for agent_id in journal.due(now):
        if not has_time():
            logger.warning("sweep out of time; the rest is due first next time")
            break
        try:
            found += _check_agent(agent_id, journal, now, ask_again)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - one journal that cannot be read must not hide all that come after it
            _skip_agent(agent_id, error)
            journal.claim(agent_id, now, now + RECHECK_AFTER)
    return found


def _check_agent(agent_id: str, journal: Journal, now: datetime, ask_again: Callable[[str], None]) -> bool:
    """Whether this agent is overdue, and it was not known before."""
    record = fold(line.entry for line in journal.read(agent_id, now))
    owed = deadline(record, journal.grace_periods) if record.attempts else None
    if owed is None or owed.at > now:
        journal.claim(agent_id, now, now + RECHECK_AFTER)  # the journal knows better than the record, which will follow
        return False
    if owed.phase is DeadlineType.RETRY:
        ask_again(agent_id)
        return False
    is_news = journal.append(agent_id, _entry(record, owed, journal.grace_periods, now))
    if is_news:
        metrics.add_metric("TimeToDetect", MetricUnit.Seconds, (now - owed.at).total_seconds())
        logger.warning("agent overdue", agent_id=agent_id, phase=owed.phase)
    journal.claim(
        agent_id, owed.at, now + RECHECK_AFTER
    )  # unless the record has followed, and waits for something later
    return is_news


def _skip_agent(agent_id: str, error: Exception) -> None:
    """Note where it happened, never the error's own words: they may quote what must not be logged."""
    place = str(extract_tb(error.__traceback__)[-1])
    logger.error("agent passed over", agent_id=agent_id, kind=type(error).__name__, line=place)
    metrics.add_metric("AgentsSkipped", MetricUnit.Count, 1)


def _entry(record: Record, owed: Deadline, graces: GracePeriods, now: datetime) -> Entry:
    """What is written down of a deadline that has passed; its key is the same for every sweep that finds it."""
    number, revision = record.current.number, record.revision
    key = f"overdue#{number}#{revision:04d}#{owed.phase}"
    entry = Entry(key=key, kind=EntryType.OVERDUE, at=now, attempt=number, revision=revision, phase=owed.phase)
    if owed.phase is DeadlineType.ESCALATION and record.alerted_at:
        reason = Reason.of(ReasonCode.UNACKNOWLEDGED, at=timestamp(record.alerted_at))
        return replace(entry, key=f"escalated#{timestamp(record.alerted_at)}", kind=EntryType.ESCALATED, reason=reason)
    missing = tuple(sorted(missing_resources(record.current, graces)))
    return replace(entry, missing=missing, reason=Reason.of(_MISSED[owed.phase], at=timestamp(owed.at)))
