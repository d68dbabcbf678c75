"""Runs every minute: appends an entry for each deadline that has passed, and retries requests that are due."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched, chain, compress
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.aws.journal import Journal
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.overdue import Finding, find_missed, is_retry_due
from meeting_agents.errors import Outage, RateLimited, Refusal
from meeting_agents.provisioning import Provisioning

logger = Logger(version=VERSION)
metrics = Metrics()

STOP_BEFORE_TIMEOUT_MS = 10_000
"""A sweep stops this long before the function's time limit. The agents that are left come first in the next sweep."""
STOP_REQUESTS_BEFORE_TIMEOUT_MS = 25_000
"""No request to Cronofy begins later than this before the time limit, because one may take as long."""
RECHECK_AFTER = timedelta(minutes=5)
"""The time for which an agent is not due after a check that found nothing: others wait behind it."""
CONCURRENT_READS = 16
"""Batches of agents that are checked at the same time: enough to use a whole processor while DynamoDB answers."""
BATCH_SIZE = 50
"""Agents whose entries are appended together."""
CONCURRENT_REQUESTS = 8
"""Requests to Cronofy at the same time: enough to reach its limits if a request takes half a second."""

wiring.make_ready(wiring.journal)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Sweep once. The metric `Heartbeat` says that a sweep ran to its end."""

    def has_time(reserve: int) -> bool:
        return bool(context.get_remaining_time_in_millis() > reserve)

    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        retries = []

        def submit_retry(agent_id: str) -> None:
            retries.append(
                pool.submit(retry, agent_id, wiring.provisioning(), partial(has_time, STOP_REQUESTS_BEFORE_TIMEOUT_MS))
            )

        overdue = sweep(wiring.journal(), partial(has_time, STOP_BEFORE_TIMEOUT_MS), submit_retry)
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
            continue
        except (Refusal, Outage) as error:
            logger.warning("request not retried", agent_id=agent_id, code=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - as in `check_agents`
            _skip_agent(agent_id, error)
            return False
        if result:
            logger.info("request retried", agent_id=agent_id, state=result.record.state)
            if result.response and result.response.has_refused_triggers:
                metrics.add_metric("EventTriggersRefused", MetricUnit.Count, 1)
                logger.warning("event triggers refused", agent_id=agent_id)
        return result is not None
    return False


def sweep(journal: Journal, has_time: Callable[[], bool], submit_retry: Callable[[str], None]) -> int:
    """Append an entry for each deadline that has passed. Return the number of entries.

    Two sweeps may run at the same time. An agent with a request to be retried is passed to `submit_retry`; its other
    deadlines do not wait for the retry.
    """
    now, overdue = datetime.now(UTC), 0
    check = partial(check_agents, journal=journal, now=now, has_time=has_time, submit_retry=submit_retry)
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        batches = pool.map(check, batched(journal.due(now), BATCH_SIZE, strict=False))
        for agent_id, result in chain.from_iterable(batches):
            if isinstance(result, Exception):
                _skip_agent(agent_id, result)
                continue
            overdue += 1
            metrics.add_metric("TimeToDetect", MetricUnit.Seconds, (now - result.deadline.at).total_seconds())
            logger.warning("agent overdue", agent_id=agent_id, phase=result.deadline.phase)
    if not has_time():
        logger.warning("sweep stopped before its time limit")
    return overdue


def check_agents(
    agent_ids: Sequence[str],
    journal: Journal,
    now: datetime,
    has_time: Callable[[], bool],
    submit_retry: Callable[[str], None],
) -> list[tuple[str, Finding | Exception]]:
    """Check agents one after the other, append the entries of all together, and claim those without an entry.

    Returns the findings of no earlier sweep, and the errors of agents that could not be checked.
    """
    findings: list[tuple[str, Finding]] = []
    errors: list[tuple[str, Exception]] = []
    settled: list[str] = []
    for agent_id in agent_ids:
        if not has_time():
            break
        try:
            record = fold(stored.entry for stored in journal.read(agent_id, now))
            missed = find_missed(record, journal.grace_periods, now)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - one journal that cannot be read must not hide the agents after it
            errors.append((agent_id, error))
            settled.append(agent_id)
            continue
        findings += [(agent_id, finding) for finding in missed]
        if is_retry_due(record, now):
            submit_retry(agent_id)
        elif not missed:
            settled.append(agent_id)  # its journal is newer than its record
    is_new = journal.append_all([(agent_id, finding.entry) for agent_id, finding in findings])
    journal.claim_all(settled, now, now + RECHECK_AFTER)
    return [*compress(findings, is_new), *errors]


def _skip_agent(agent_id: str, error: Exception) -> None:
    """Log the location of the error, never its message, which may quote a secret."""
    location = str(extract_tb(error.__traceback__)[-1])
    logger.error("agent skipped", agent_id=agent_id, error=type(error).__name__, location=location)
    metrics.add_metric("AgentsSkipped", MetricUnit.Count, 1)
