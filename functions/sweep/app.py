"""Runs every minute: appends an entry for each deadline that has passed, and retries requests that are due."""

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
from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.deadlines import Deadline, deadline
from meeting_agents.domain.grace_periods import GracePeriods, missing_resources
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import DeadlineType, Entry, EntryType, Reason, ReasonCode, Record
from meeting_agents.errors import Outage, RateLimited, Refusal
from meeting_agents.provisioning import Provisioning

logger = Logger(version=VERSION)
metrics = Metrics()

STOP_BEFORE_TIMEOUT_MS = 10_000
"""A sweep stops this long before the function's time limit. The agents that are left come first in the next sweep."""
STOP_REQUESTS_BEFORE_TIMEOUT_MS = 25_000
"""No request to Cronofy begins later than this before the time limit, because one may take as long."""
RECHECK_AFTER = timedelta(minutes=5)
"""The time for which a checked agent is not due, even if its record is not stored: others wait behind it."""
CONCURRENT_REQUESTS = 8
"""Requests to Cronofy at the same time: enough to reach its limits if a request takes half a second."""

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
    """Sweep once. The metric `Heartbeat` says that a sweep ran to its end."""

    def has_time(reserve: int) -> bool:
        remaining: int = context.get_remaining_time_in_millis()
        return remaining > reserve

    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        retries = []

        def submit_retry(agent_id: str) -> None:
            retries.append(
                pool.submit(retry, agent_id, wiring.provisioning(), lambda: has_time(STOP_REQUESTS_BEFORE_TIMEOUT_MS))
            )

        overdue = sweep(wiring.journal(), lambda: has_time(STOP_BEFORE_TIMEOUT_MS), submit_retry)
    retried = sum(future.result() for future in retries)
    if overdue:
        metrics.add_metric("AgentsFoundOverdue", MetricUnit.Count, overdue)
    if retried:
        metrics.add_metric("RequestsRetried", MetricUnit.Count, retried)
    metrics.add_metric("Heartbeat", MetricUnit.Count, 1)
    logger.info("sweep finished", overdue=overdue, retried=retried)
    return {"overdue": overdue, "retried": retried}


def retry(agent_id: str, provisioning: Provisioning, has_time: Callable[[], bool]) -> bool:
    """Retry an agent's request as soon as Cronofy's limits allow. Return whether it was sent; if not, it stays due."""
    while has_time():
        try:
            result = provisioning.retry(agent_id)
        except RateLimited:
            time.sleep(1)
        except (Refusal, Outage) as error:
            logger.warning("request not retried", agent_id=agent_id, code=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - as in `sweep`
            _skip_agent(agent_id, error)
            return False
        else:
            if result:
                logger.info("request retried", agent_id=agent_id, state=result.record.state)
            return result is not None
    return False


def sweep(journal: Journal, has_time: Callable[[], bool], submit_retry: Callable[[str], None]) -> int:
    """Append an entry for each agent with a deadline that has passed. Return the number of entries.

    Two sweeps may run at the same time. An agent with a request to be retried is passed to `submit_retry`.
    """
    now = datetime.now(UTC)
    overdue = 0
    for agent_id in journal.due(now):
        if not has_time():
            logger.warning("sweep stopped before its time limit")
            break
        try:
            overdue += _check_agent(agent_id, journal, now, submit_retry)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - one journal that cannot be read must not hide the agents after it
            _skip_agent(agent_id, error)
            journal.claim(agent_id, now, now + RECHECK_AFTER)
    return overdue


def _check_agent(agent_id: str, journal: Journal, now: datetime, submit_retry: Callable[[str], None]) -> bool:
    """Append an entry if the agent's deadline has passed. Return whether the entry is new."""
    record = fold(stored.entry for stored in journal.read(agent_id, now))
    passed = deadline(record, journal.grace_periods) if record.attempts else None
    if passed is None or passed.at > now:
        journal.claim(agent_id, now, now + RECHECK_AFTER)  # the journal is newer than the stored record
        return False
    if passed.phase is DeadlineType.RETRY:
        submit_retry(agent_id)
        return False
    is_new = journal.append(agent_id, _entry(record, passed, journal.grace_periods, now))
    if is_new:
        metrics.add_metric("TimeToDetect", MetricUnit.Seconds, (now - passed.at).total_seconds())
        logger.warning("agent overdue", agent_id=agent_id, phase=passed.phase)
    # No claim of a record that was stored meanwhile: it has a later deadline.
    journal.claim(agent_id, passed.at, now + RECHECK_AFTER)
    return is_new


def _skip_agent(agent_id: str, error: Exception) -> None:
    """Log the location of the error, never its message, which may quote a secret."""
    location = str(extract_tb(error.__traceback__)[-1])
    logger.error("agent skipped", agent_id=agent_id, error=type(error).__name__, location=location)
    metrics.add_metric("AgentsSkipped", MetricUnit.Count, 1)


def _entry(record: Record, passed: Deadline, grace_periods: GracePeriods, now: datetime) -> Entry:
    """Return the entry of a deadline that has passed. Every sweep that finds the deadline makes the same key."""
    number, revision = record.current.number, record.revision
    key = f"overdue#{number}#{revision:04d}#{passed.phase}"
    entry = Entry(key=key, kind=EntryType.OVERDUE, at=now, attempt=number, revision=revision, phase=passed.phase)
    if passed.phase is DeadlineType.ALERT:
        types = ", ".join(alert.incident.type for alert in alerting_owed(record, grace_periods, now))
        reason = Reason.of(ReasonCode.ALERT_OWED, incidents=types)
        return replace(entry, key=f"alert_due#{timestamp(passed.at)}", kind=EntryType.ALERT_DUE, reason=reason)
    missing = tuple(sorted(missing_resources(record.current, grace_periods)))
    return replace(entry, missing=missing, reason=Reason.of(_MISSED[passed.phase], at=timestamp(passed.at)))
