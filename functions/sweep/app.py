"""Runs every minute: appends an entry for each deadline that has passed, and retries requests that are due."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import batched
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.queues import send_agents, send_groups
from meeting_agents.errors import Outage, RateLimited, Refusal
from meeting_agents.provisioning import ProvisioningResult
from meeting_agents.sweeping import CalendarLanes, Checked, DueAgents

logger = Logger(version=VERSION)
metrics = Metrics()

STOP_BEFORE_TIMEOUT_MS = 10_000
"""A sweep stops this long before the function's time limit. The agents that are left come first in the next sweep."""
STOP_REQUESTS_BEFORE_TIMEOUT_MS = 25_000
"""No request to Cronofy begins later than this before the time limit, because one may take as long."""
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

    may_check, may_send = partial(has_time, STOP_BEFORE_TIMEOUT_MS), partial(has_time, STOP_REQUESTS_BEFORE_TIMEOUT_MS)
    with ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        sent: dict[str, list[Future[bool]]] = {"RequestsRetried": [], "SecondAgentsSent": []}

        def submit_retry(agent_id: str) -> None:
            sent["RequestsRetried"].append(pool.submit(send, agent_id, wiring.provisioning().retry, may_send))

        def submit_rescue(agent_id: str) -> None:
            sent["SecondAgentsSent"].append(pool.submit(send, agent_id, wiring.rescuer().rescue, may_send))

        with CalendarLanes(wiring.journal(), wiring.calendars, may_send, profiles=wiring.profiles) as lanes:
            overdue = sweep(wiring.journal(), may_check, submit_retry, lanes, submit_rescue)
            groups = wiring.groups()
            if groups.begin_drill(wiring.drill_time(), datetime.now(UTC)):
                logger.info("drill begun")
            firing = groups.firing()
            for checked in lanes.look_again(firing, groups):
                _count(checked, datetime.now(UTC))
        owing = groups.owing(firing, wiring.journal().grace_periods.escalation, datetime.now(UTC))
        send_groups(lambda: wiring.client("sqs"), wiring.settings().alert_queue_url, owing)
        look_at = partial(send_agents, lambda: wiring.client("sqs"), wiring.settings().alert_queue_url)
        released = wiring.silences().release(datetime.now(UTC), look_at)
    counts = {name: sum(future.result() for future in futures) for name, futures in sent.items()}
    for name, count in {"AgentsFoundOverdue": overdue, **counts}.items():
        if count:
            metrics.add_metric(name, MetricUnit.Count, count)
    metrics.add_metric("Heartbeat", MetricUnit.Count, 1)
    logger.info("sweep finished", overdue=overdue, retried=counts["RequestsRetried"], released=released)
    return {"overdue": overdue, "retried": counts["RequestsRetried"]}


def send(agent_id: str, due: Callable[[str], ProvisioningResult | None], has_time: Callable[[], bool]) -> bool:
    """Send an agent's request that is due as soon as Cronofy's limits allow. Return whether; if not, it stays due."""
    while has_time():
        try:
            result = due(agent_id)
        except RateLimited:
            time.sleep(1)
            continue
        except (Refusal, Outage) as error:
            logger.warning("request not retried", agent_id=agent_id, code=error.code)
            return False
        except Exception as error:  # noqa: BLE001 - as in `DueAgents.check`
            _skip_agent(agent_id, error)
            return False
        if result:
            logger.info("request retried", agent_id=agent_id, state=result.record.state)
            if result.response and result.response.has_refused_triggers:
                metrics.add_metric("EventTriggersRefused", MetricUnit.Count, 1)
                logger.warning("event triggers refused", agent_id=agent_id)
        return result is not None
    return False


def sweep(
    journal: Journal,
    has_time: Callable[[], bool],
    submit_retry: Callable[[str], None],
    lanes: CalendarLanes | None = None,
    submit_rescue: Callable[[str], None] = lambda _: None,
) -> int:
    """Append an entry for each deadline that has passed. Return the number of entries.

    Two sweeps may run at the same time. An agent with a request that is due is passed on; its other deadlines do not
    wait for that. `lanes`: the calendars that are read meanwhile; None: none is.
    """
    now = datetime.now(UTC)
    due = DueAgents(journal, now, has_time, submit_retry, lanes, submit_rescue)
    with ThreadPoolExecutor(CONCURRENT_READS) as pool:
        batches = pool.map(due.check, batched(journal.due(now), BATCH_SIZE, strict=False))
        overdue = sum(_count(checked, now) for checked in batches)
    overdue += sum(_count(checked, now) for checked in (lanes.results() if lanes else ()))
    if not has_time():
        logger.warning("sweep stopped before its time limit")
    return overdue


def _count(checked: Checked, now: datetime) -> int:
    """Log and count the result of a check. Return the number of missed deadlines."""
    for agent_id, error in checked.errors:
        _skip_agent(agent_id, error)
    for agent_id, finding in checked.findings:
        metrics.add_metric("TimeToDetect", MetricUnit.Seconds, (now - finding.deadline.at).total_seconds())
        logger.warning("agent overdue", agent_id=agent_id, phase=finding.deadline.phase)
    for agent_id, entry in checked.readings:
        logger.info("calendar differs", agent_id=agent_id, is_deleted=bool(entry.reading and entry.reading.is_deleted))
    if checked.is_calendar:
        metrics.add_metric("CalendarsUnread" if checked.failure else "CalendarsRead", MetricUnit.Count, 1)
    if checked.failure:
        logger.warning("calendar not read", code=checked.failure)
    for agent_id, entry in checked.profiles:
        logger.info("conferencing profile differs", agent_id=agent_id, reason=entry.reason and entry.reason.code)
    if checked.are_profiles_read or checked.profile_failure:
        metrics.add_metric("ProfilesUnread" if checked.profile_failure else "ProfilesRead", MetricUnit.Count, 1)
    if checked.profile_failure:
        logger.warning("conferencing profiles not read", code=checked.profile_failure)
    return len(checked.findings)


def _skip_agent(agent_id: str, error: Exception) -> None:
    """Log the location of the error, never its message, which may quote a secret."""
    location = str(extract_tb(error.__traceback__)[-1])
    logger.error("agent skipped", agent_id=agent_id, error=type(error).__name__, location=location)
    metrics.add_metric("AgentsSkipped", MetricUnit.Count, 1)
