"""Every minute: whatever is past its deadline becomes `overdue`. What it finds is one more entry in the journal."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import wiring
from meeting_agents.errors import LimitReached, MeetingAgentsError
from meeting_agents.journal import Journal
from meeting_agents.lifecycle import Entry, Kind, Phase, deadline, fold, missing_resources
from meeting_agents.provisioning import Provisioning

logger = Logger()
metrics = Metrics()

RESERVE = 10_000
"""Milliseconds before the function's time limit at which a sweep stops; what is left is due first next time."""
RESERVE_FOR_A_CALL = 25_000
"""Milliseconds before the limit at which no call to Cronofy begins any more, for one may take as long."""
CALLS_AT_ONCE = 8
"""Requests to Cronofy at the same time: enough for its limits, should it take half a second for each."""

_AWAITED = {
    Phase.CONFERENCE: "no conference had been reported by {at}, shortly before the start",
    Phase.ACTIVATION: "nothing was heard of the agent by {at}; it should have been active by then",
    Phase.COMPLETION: "nothing was heard of the agent's end by {at}",
    Phase.RESOURCES: "the agent is complete, but the resources expected had not been reported by {at}",
}


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
            calls.append(pool.submit(retry, agent_id, wiring.provisioning(), lambda: has_time(RESERVE_FOR_A_CALL)))

        found = sweep(wiring.journal(), lambda: has_time(RESERVE), ask_again)
    asked = sum(call.result() for call in calls)
    metrics.add_metric("AgentsOverdue", MetricUnit.Count, found)
    metrics.add_metric("RequestsRepeated", MetricUnit.Count, asked)
    metrics.add_metric("Heartbeat", MetricUnit.Count, 1)
    logger.info("swept", overdue=found, asked_again=asked)
    return {"overdue": found, "asked_again": asked}


def retry(agent_id: str, provisioning: Provisioning, has_time: Callable[[], bool]) -> bool:
    """Ask Cronofy again for one agent, as soon as its limits allow; whether it was asked. What is not stays due."""
    while has_time():
        try:
            told = provisioning.retry(agent_id)
        except LimitReached:
            time.sleep(1)
        except MeetingAgentsError as error:
            logger.warning("request not repeated", agent_id=agent_id, code=error.code)
            return False
        else:
            if told:
                logger.info("request repeated", agent_id=agent_id, state=told.record.state)
            return told is not None
    return False


def sweep(journal: Journal, has_time: Callable[[], bool], ask_again: Callable[[str], None]) -> int:
    """Append `overdue` for each agent past its deadline; how many were. Safe when two run at once.

    Whatever is only to be sent to Cronofy again is handed to `ask_again`.
    """
    now = datetime.now(UTC)
    found = 0
    for agent_id in journal.due(now):
        if not has_time():
            logger.warning("sweep out of time; the rest is due first next time")
            break
        record = fold(line.entry for line in journal.read(agent_id, now))
        owed = deadline(record, journal.graces) if record.attempts else None
        if owed is None or owed.at > now:
            continue  # the journal knows better than the index, which follows a moment later
        if owed.phase is Phase.RETRY:
            ask_again(agent_id)
            continue
        entry = Entry(
            key=f"overdue#{record.current.number}#{record.revision:04d}#{owed.phase}",
            kind=Kind.OVERDUE,
            at=now,
            attempt=record.current.number,
            revision=record.revision,
            phase=owed.phase,
            missing=tuple(sorted(missing_resources(record.current, journal.graces))),
            reason=_AWAITED[owed.phase].format(at=f"{owed.at:%Y-%m-%d %H:%M:%S} UTC"),
        )
        if journal.append(agent_id, entry):
            found += 1
            logger.warning("agent overdue", agent_id=agent_id, phase=owed.phase)
    return found
