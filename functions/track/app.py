"""The table's stream: for each new entry, the record it leads to is stored and the entry announced."""

from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

from meeting_agents import wiring
from meeting_agents.announcements import Announcements
from meeting_agents.inbox import ENTRY
from meeting_agents.journal import Journal
from meeting_agents.lifecycle import deadline
from meeting_agents.payloads import Announcement
from meeting_agents.provisioning import timeline

logger = Logger()
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> Any:
    """A batch of new entries. One that fails is tried again, then parked in the failure queue; the others go on."""

    def one(record: DynamoDBRecord) -> None:
        keys = (record.dynamodb and record.dynamodb.keys) or {}
        announce(keys["pk"], keys["sk"].removeprefix(ENTRY), wiring.journal(), wiring.announcements())

    return process_partial_response(event, one, processor, context)


def announce(agent_id: str, key: str, journal: Journal, announcements: Announcements) -> None:
    """Store what the agent's journal adds up to now, and announce the entry with this key."""
    lines = journal.read(agent_id, datetime.now(UTC))
    told = timeline(lines)
    step = next((step for step in told if step.entry.key == key), None)
    if step is None:
        logger.warning("entry expired before it was announced", agent_id=agent_id, key=key)
        return
    journal.store(agent_id, told[-1].after, lines)
    raw = next(line.raw for line in lines if line.entry.key == key)
    announcements.publish(Announcement.of(agent_id, step, raw, deadline(step.after, journal.graces)))
    with single_metric("EntriesAnnounced", MetricUnit.Count, 1) as metric:
        metric.add_dimension("verdict", step.verdict)
    logger.info(
        "entry announced", agent_id=agent_id, kind=step.entry.kind, verdict=step.verdict, state=step.after.state
    )
