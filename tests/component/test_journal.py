"""The lifetime of a journal: with its record, past its meeting, never in parts."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.track import app
from meeting_agents import wiring
from meeting_agents.aws.keys import EXPIRES_AT
from meeting_agents.aws.notifications import append_notification
from meeting_agents.domain.lifecycle import fold, timeline
from meeting_agents.domain.model import (
    Action,
    Entry,
    EntryType,
    Meeting,
    Request,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from tests.callback import example
from tests.sandbox.deployment import source_template
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT, Tables, made

AGENT = "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"
DAY = timedelta(days=1)
RETENTION = timedelta(days=source_template()["Parameters"]["RetentionDays"]["Default"])
"""The template's default."""


@pytest.fixture
def tables(aws: EmbeddedAws) -> Iterator[Tables]:
    with made(aws) as tables:
        yield tables


def requested(start: datetime, revision: int = 1) -> Entry:
    """A request for a meeting of an hour."""
    request = Request(
        action=Action.PROVISION,
        data_center="us",
        calendar_id="cal_1",
        event_id="qTtZdczOccgaPncGJaCiLg",
        meeting=Meeting(start=start, end=start + timedelta(hours=1)),
        digest=str(revision),
    )
    return Entry(
        key=f"requested#{revision:04d}",
        kind=EntryType.REQUESTED,
        at=datetime.now(UTC),
        attempt=1,
        revision=revision,
        request=request,
    )


def track(tables: Tables, *keys: str) -> None:
    assert app.handler(tables.batch(*((AGENT, key) for key in keys)), CONTEXT) == {"batchItemFailures": []}


def expiries(tables: Tables) -> set[datetime]:
    """Return the expiry of the agent's items: a single time if they expire together."""
    return {datetime.fromtimestamp(int(item[EXPIRES_AT]), UTC) for item in tables.items(AGENT).values()}


def expire(tables: Tables) -> None:
    """Let all items of the agent expire. DynamoDB has not deleted them yet."""
    past = int((datetime.now(UTC) - DAY).timestamp())
    for name in tables.items(AGENT):
        tables.session.client("dynamodb").update_item(
            TableName=tables.table,
            Key={"pk": {"S": AGENT}, "sk": {"S": name}},
            UpdateExpression=f"SET {EXPIRES_AT} = :past",
            ExpressionAttributeValues={":past": {"N": str(past)}},
        )


def test_the_ttl_attribute_is_the_one_of_the_template(tables: Tables) -> None:
    """With different names nothing would ever expire."""
    template = source_template()
    declared = template["Resources"]["AgentsTable"]["Properties"]["TimeToLiveSpecification"]
    track(tables, tables.notify(AGENT))
    assert declared == {"AttributeName": EXPIRES_AT, "Enabled": True}
    assert all(declared["AttributeName"] in item for item in tables.items(AGENT).values())


def test_the_retention_begins_with_the_end_of_the_meeting(tables: Tables) -> None:
    """It does not begin with the request, which may be six months earlier."""
    start = datetime.now(UTC) + 183 * DAY
    tables.append(AGENT, requested(start))
    track(tables, "requested#0001")
    (expiry,) = expiries(tables)
    assert start + RETENTION < expiry <= start + RETENTION + 2 * DAY


def test_a_meeting_that_moves_changes_the_expiry_of_the_whole_journal(tables: Tables) -> None:
    """A later meeting moves it; an earlier one does not."""
    start = datetime.now(UTC) + DAY
    tables.append(AGENT, requested(start))
    track(tables, "requested#0001")
    (before,) = expiries(tables)
    tables.append(AGENT, requested(start + 30 * DAY, 2))
    track(tables, "requested#0002")
    (later,) = expiries(tables)
    assert later == before + 30 * DAY
    tables.append(AGENT, requested(start, 3))
    track(tables, "requested#0003")
    assert expiries(tables) == {later}


def test_an_event_trigger_is_read_by_the_address_it_came_to(tables: Tables) -> None:
    """Its body has the meeting's current times, and no interaction."""
    raw = json.dumps({"notification": {"type": "event_subscription"}, "event": example()["event"]}).encode()
    now = datetime.now(UTC)
    for trigger in ("before", "after"):
        append_notification(
            wiring.agents_table(), AGENT, raw, at=now, attempt=None, signed_with="us:current", trigger=trigger
        )
    entries = [stored.entry for stored in wiring.journal().read(AGENT, now)]
    assert sorted(entry.kind for entry in entries) == [EntryType.AFTER_END, EntryType.BEFORE_START]
    assert fold(entries).meeting.start == datetime(2026, 4, 25, 15, 30, tzinfo=UTC)


def test_entries_of_our_own_expire_with_all_others(tables: Tables) -> None:
    """An entry gets an expiry when it is announced, and extends that of the others."""
    start = datetime.now(UTC) + DAY
    alerted = Entry(key="alerted#failed", kind=EntryType.ALERTED, at=start + DAY, attempt=1)
    entries = [
        requested(start),
        Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=start - DAY, attempt=1, revision=1),
        alerted,
        replace(alerted, key="acknowledged#1", kind=EntryType.ACKNOWLEDGED, at=start + 90 * DAY),
    ]
    seen = []
    for entry in entries:
        tables.append(AGENT, entry)
        assert EXPIRES_AT not in tables.items(AGENT)[f"entry#{entry.key}"]  # without one it cannot expire alone
        track(tables, entry.key)
        (expiry,) = expiries(tables)
        seen.append(expiry)
    assert seen == sorted(seen)
    assert entries[-1].at + RETENTION < seen[-1] <= entries[-1].at + RETENTION + DAY


def test_a_writer_that_has_read_a_part_of_the_journal_shortens_no_ttl(tables: Tables) -> None:
    """Of two copies of `track`, the slower one has read less."""
    start, now = datetime.now(UTC) + DAY, datetime.now(UTC)
    tables.append(AGENT, requested(start), requested(start + 30 * DAY, 2))
    journal = wiring.journal()
    entries = sorted(journal.read(AGENT, now), key=lambda stored: stored.entry.key)
    journal.save_record(AGENT, timeline(entries), entries, now)
    (expiry,) = expiries(tables)
    journal.save_record(AGENT, timeline(entries[:1]), entries[:1], now)
    assert expiries(tables) == {expiry}


def test_expired_entries_are_not_read(tables: Tables) -> None:
    """DynamoDB deletes expired items one by one over hours."""
    tables.append(AGENT, requested(datetime.now(UTC)))
    key = tables.notify(AGENT)
    track(tables, "requested#0001", key)
    journal, (expiry,) = wiring.journal(), expiries(tables)
    assert len(journal.read(AGENT, expiry - timedelta(seconds=1))) == 2
    assert journal.read(AGENT, expiry) == []
    tables.session.client("dynamodb").delete_item(
        TableName=tables.table, Key={"pk": {"S": AGENT}, "sk": {"S": "entry#requested#0001"}}
    )
    assert journal.read(AGENT, expiry) == []


def test_an_agent_whose_journal_expired_gets_a_new_record(tables: Tables) -> None:
    """The expired record has more entries than the new journal, and is replaced."""
    for n in range(3):
        track(tables, tables.notify(AGENT, n=n))
    old = int(tables.record(AGENT)["entries"])
    expire(tables)
    tables.announced()
    track(tables, tables.notify(AGENT, n="new"))
    record = tables.record(AGENT)
    assert (old, int(record["entries"])) == (3, 1)
    assert record["judged"] == {"applied": 1}
    assert [announcement["data"]["previous_state"] for announcement in tables.announced()] == [None]


def test_an_expired_entry_does_not_stop_a_new_one(tables: Tables) -> None:
    """The same event id is requested again before DynamoDB has deleted the expired journal."""
    tables.append(AGENT, requested(datetime.now(UTC)))
    expire(tables)
    journal, entry = wiring.journal(), requested(datetime.now(UTC).replace(microsecond=0) + DAY)
    assert journal.existing_keys([(AGENT, entry.key)]) == set()
    assert [journal.append(AGENT, entry), journal.append(AGENT, entry)] == [True, False]
    assert journal.existing_keys([(AGENT, entry.key)]) == {(AGENT, entry.key)}
    (stored,) = journal.read(AGENT, datetime.now(UTC))
    assert stored.entry.request == entry.request


def test_an_expired_entry_does_not_stop_a_batch(tables: Tables) -> None:
    """A sweep appends many entries together; of some of them an expired one exists, or a newer one."""
    entries = [requested(datetime.now(UTC), revision) for revision in (1, 2, 3)]
    tables.append(AGENT, entries[0])
    expire(tables)
    tables.append(AGENT, entries[1])
    assert wiring.journal().append_all([(AGENT, entry) for entry in entries]) == [True, False, True]
    assert len(wiring.journal().read(AGENT, datetime.now(UTC))) == 3


def test_a_notification_whose_bytes_have_expired_is_announced_again(tables: Tables) -> None:
    """Without a change in its content, a callback of a returning agent is the same bytes."""
    track(tables, tables.notify(AGENT))
    expire(tables)
    tables.announced()
    key = tables.notify(AGENT)
    assert EXPIRES_AT not in tables.items(AGENT)[f"entry#{key}"]
    track(tables, key)
    assert [announcement["id"] for announcement in tables.announced()] == [f"{AGENT}.{key}"]


def test_a_new_entry_is_an_insertion_in_the_stream(tables: Tables) -> None:
    """The filter of the stream lets no modification through, because entries also change when their TTL does."""
    tables.append(AGENT, requested(datetime.now(UTC)))
    expire(tables)
    tables.calls.clear()
    wiring.journal().append(AGENT, requested(datetime.now(UTC)))
    assert tables.calls == ["PutItem", "DeleteItem", "PutItem"]


def test_an_entry_is_read_as_it_was_written(tables: Tables) -> None:
    """The record of the entries that were read is that of those that were written."""
    entry = requested(datetime(2026, 4, 29, 15, 30, tzinfo=UTC))
    entries = [
        entry,
        Entry(
            key="accepted#0001",
            kind=EntryType.ACCEPTED,
            at=entry.at,
            attempt=1,
            revision=1,
            reason=Reason.of(ReasonCode.REQUEST_ACCEPTED, status=202),
        ),
    ]
    tables.append(AGENT, *entries)
    read = [stored.entry for stored in wiring.journal().read(AGENT, datetime.now(UTC))]
    assert fold(read).state == fold(entries).state == "scheduled"
    for written, found in zip(sorted(entries, key=lambda entry: entry.key), read, strict=True):
        assert abs(written.at - found.at) < timedelta(milliseconds=1)
        assert (written.request, written.kind, written.reason) == (found.request, found.kind, found.reason)


def test_an_entry_is_appended_once(tables: Tables) -> None:
    """The second time its key exists."""
    entry = requested(datetime.now(UTC))
    journal = wiring.journal()
    assert [journal.append(AGENT, entry), journal.append(AGENT, entry)] == [True, False]
