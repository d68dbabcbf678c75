"""Every minute: whatever is past its deadline becomes `overdue`. What it finds is one more entry in the journal."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import wiring
from meeting_agents.journal import Journal
from meeting_agents.lifecycle import Entry, Kind, Phase, deadline, fold, missing_resources

logger = Logger()
metrics = Metrics()

RESERVE = 10_000
"""Milliseconds before the function's time limit at which a sweep stops; what is left is due first next time."""

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
    found = sweep(wiring.journal(), lambda: context.get_remaining_time_in_millis() > RESERVE)
    metrics.add_metric("AgentsOverdue", MetricUnit.Count, found)
    metrics.add_metric("Heartbeat", MetricUnit.Count, 1)
    logger.info("swept", overdue=found)
    return {"overdue": found}


def sweep(journal: Journal, has_time: Callable[[], bool]) -> int:
    """Append `overdue` for each agent past its deadline; how many were. Safe when two run at once."""
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
