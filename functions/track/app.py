"""The table's stream: for each new entry, the record it leads to is stored and the entry announced."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.announcement import build_announcements, to_message
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import entry_key, is_probe
from meeting_agents.aws.topics import LifecycleTopic
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.errors import Outage

logger = Logger(version=VERSION)
metrics = Metrics()

wiring.make_ready(wiring.journal, wiring.lifecycle_topic)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A batch of new entries, agent by agent.

    Entries come in any order, also those of one agent: Lambda keeps the order of an item, and each entry is one.
    Nothing depends on it, for what an entry did is read from the whole journal.

    An outage ends the batch: the stream goes on from the first entry that is reported as failed, so whatever comes
    after it would be announced again. An agent whose journal cannot be told is none: its entries are dead-lettered, the
    others go on.
    """
    waiting: dict[str, list[dict[str, Any]]] = {}
    for record in event["Records"]:
        waiting.setdefault(record["dynamodb"]["Keys"]["pk"]["S"], []).append(record)
    try:
        for agent_id, records in list(waiting.items()):
            _announce_or_dead_letter(agent_id, records)
            del waiting[agent_id]
    except Outage as error:
        logger.error(
            "entries wait for the end of an outage", reason=error.code, detail=error.detail, agents=len(waiting)
        )
    failed = [record["dynamodb"]["SequenceNumber"] for records in waiting.values() for record in records]
    if failed:
        metrics.add_metric("EntriesRetried", MetricUnit.Count, len(failed))
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def announce(agent_id: str, keys: set[str], journal: Journal, topic: LifecycleTopic) -> None:
    """Store what the agent's journal adds up to now, and announce the entries with these keys."""
    now = datetime.now(UTC)
    lines = journal.read(agent_id, now)
    told = timeline(lines)
    news = build_announcements(agent_id, told, lines, journal.grace_periods, keys)
    if news:
        judged = journal.save_record(agent_id, told, lines, now)
        _count(agent_id, {f"Notifications{verdict.title()}": growth for verdict, growth in judged.items()})
        topic.publish(map(to_message, news))
        moved = Counter(one.data.state for one in news if one.data.state is not one.data.previous_state)
        _count(agent_id, {"EntriesAnnounced": len(news)} | {f"Agents{state.title()}": n for state, n in moved.items()})
    for one in news:
        entry = one.data.entry
        logger.info(
            "entry announced",
            agent_id=agent_id,
            kind=entry.kind,
            verdict=entry.verdict,
            state=one.data.state,
            id=one.id,
        )
    if len(news) < len(keys):
        logger.warning("entries expired before they were announced", agent_id=agent_id, entries=len(keys) - len(news))


def _count(agent_id: str, counts: Mapping[str, int]) -> None:
    """Add to the metrics, unless the agent is none, but a probe."""
    for name, count in counts.items() if not is_probe(agent_id) else ():
        metrics.add_metric(name, MetricUnit.Count, count)


def _announce_or_dead_letter(agent_id: str, records: list[dict[str, Any]]) -> None:
    keys = {entry_key(record["dynamodb"]["Keys"]["sk"]["S"]) for record in records}
    try:
        announce(agent_id, keys, wiring.journal(), wiring.lifecycle_topic())
    except Outage:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one agent, the others must not wait for it
        # Where it happened, never the error's own words: they may quote what must not be logged.
        place = extract_tb(error.__traceback__)[-1]
        logger.error(
            "entries dead-lettered", agent_id=agent_id, keys=sorted(keys), kind=type(error).__name__, line=str(place)
        )
        _dead_letter(records)
        metrics.add_metric("EntriesDeadLettered", MetricUnit.Count, len(records))


def _dead_letter(records: list[dict[str, Any]]) -> None:
    """Put these entries into the dead-letter queue, as the Lambda event that this function is to be given again."""
    bare = [
        {name: record[name] for name in ("eventSource", "eventName")}
        | {"dynamodb": {name: record["dynamodb"][name] for name in ("Keys", "SequenceNumber")}}
        for record in records
    ]
    queue = wiring.settings().dead_letter_queue_url
    wiring.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": bare}))
