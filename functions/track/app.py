"""Read the table's stream: store the record that each new entry leads to, and announce the entry.

This is the only function that stores records. Two invocations may store the record of one agent at once, from journals
that they read at different times. A condition in `Journal.save_record` guards it: a record replaces only one with
fewer entries, so that it never goes backwards.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.announcement import build_announcements, erasure_announcement, to_message
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.groups import LastCallbacks
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import entry_key, is_probe
from meeting_agents.aws.topics import LifecycleTopic
from meeting_agents.cronofy.payloads import EVENT_TRIGGERS
from meeting_agents.domain.erasures import ERASED_KEY, Erasure
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.verdicts import Step
from meeting_agents.errors import Outage

logger = Logger(version=VERSION)
metrics = Metrics()

wiring.make_ready(wiring.journal, wiring.lifecycle_topic)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Process a batch of new entries, agent by agent.

    Entries come in any order, even those of one agent: Lambda keeps the order of changes to one item, and each entry is
    an item of its own. Nothing depends on the order, because the verdict of an entry comes from the whole journal.

    An outage ends the batch: the stream continues at the first entry that is reported as failed and repeats all that
    follow. An agent whose journal cannot be read or announced is no outage: its entries are dead-lettered, and the
    others are announced.
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
            "entries not announced because of an outage", reason=error.code, detail=error.detail, agents=len(waiting)
        )
    failed = [record["dynamodb"]["SequenceNumber"] for records in waiting.values() for record in records]
    if failed:
        metrics.add_metric("EntriesRetried", MetricUnit.Count, len(failed))
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def announce(
    agent_id: str, keys: set[str], journal: Journal, last_callbacks: LastCallbacks, topic: LifecycleTopic
) -> None:
    """Store the agent's current record, and announce the entries with these keys; delete those of an erased agent."""
    now = datetime.now(UTC)
    entries, erasure = journal.read_with_erasure(agent_id, now)
    if erasure:
        _erase(agent_id, keys, entries, erasure, topic)
        return
    steps = timeline(entries)
    raw = {stored.entry.key: stored.raw for stored in entries}
    announcements = build_announcements(agent_id, steps, raw, journal.grace_periods, keys)
    if announcements:
        verdicts = journal.save_record(agent_id, steps, entries, now)
        _count(agent_id, {f"Notifications{verdict.title()}": growth for verdict, growth in verdicts.items()})
        _hear(agent_id, [step for step in steps if step.entry.key in keys], last_callbacks)
        topic.publish(map(to_message, announcements))
        states = Counter(item.data.state for item in announcements if item.data.state is not item.data.previous_state)
        _count(agent_id, {"EntriesAnnounced": len(announcements)})
        _count(agent_id, {f"Agents{state.title()}": number for state, number in states.items()})
    for announcement in announcements:
        entry = announcement.data.entry
        logger.info(
            "entry announced",
            agent_id=agent_id,
            kind=entry.kind,
            verdict=entry.verdict,
            state=announcement.data.state,
            id=announcement.id,
        )
    if expired := len(keys) - len(announcements):
        logger.warning("entries expired before they were announced", agent_id=agent_id, entries=expired)


def _erase(agent_id: str, keys: set[str], entries: list[StoredEntry], erasure: Erasure, topic: LifecycleTopic) -> None:
    """Delete what is left, or came late, of an agent whose data was erased; announce the erasure if it is new."""
    left, locked = wiring.eraser().finish(agent_id, entries)
    if ERASED_KEY in keys:
        topic.publish([to_message(erasure_announcement(agent_id, erasure))])
        _count(agent_id, {"AgentsErased": 1})
    logger.info("data erased", agent_id=agent_id, entries=left, locked_files=len(locked))


def _hear(agent_id: str, new: Sequence[Step], last_callbacks: LastCallbacks) -> None:
    """Record the last callback of the agent's data center, unless the agent is a probe."""
    times = [step.entry.at for step in new if step.entry.notification]
    identity = new[-1].after.identity
    if times and identity and identity.data_center and not is_probe(agent_id):
        last_callbacks.hear(identity.data_center, max(times))
        if {step.entry.kind for step in new} & {*EVENT_TRIGGERS.values()}:
            wiring.event_triggers().record_call(identity.data_center)


def _count(agent_id: str, counts: Mapping[str, int]) -> None:
    """Add to the metrics, unless the agent is a probe."""
    for name, count in counts.items() if not is_probe(agent_id) else ():
        metrics.add_metric(name, MetricUnit.Count, count)


def _announce_or_dead_letter(agent_id: str, records: list[dict[str, Any]]) -> None:
    keys = {entry_key(record["dynamodb"]["Keys"]["sk"]["S"]) for record in records}
    try:
        announce(agent_id, keys, wiring.journal(), wiring.last_callbacks(), wiring.lifecycle_topic())
    except Outage:
        raise
    except Exception as error:  # noqa: BLE001 - no fault of one agent's journal may stop the others
        # Log the line and never the error's text, which may quote what must not be logged.
        line = extract_tb(error.__traceback__)[-1]
        logger.error(
            "entries dead-lettered", agent_id=agent_id, keys=sorted(keys), kind=type(error).__name__, line=str(line)
        )
        _dead_letter(records)
        metrics.add_metric("EntriesDeadLettered", MetricUnit.Count, len(records))


def _dead_letter(records: list[dict[str, Any]]) -> None:
    """Send these entries to the dead-letter queue, as the Lambda event for a redrive to this function."""
    bare = [
        {name: record[name] for name in ("eventSource", "eventName")}
        | {"dynamodb": {name: record["dynamodb"][name] for name in ("Keys", "SequenceNumber")}}
        for record in records
    ]
    queue = wiring.settings().dead_letter_queue_url
    wiring.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": bare}))
