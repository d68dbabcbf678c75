"""How long a journal lives: together with its record, past its meeting, and never in parts."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.track import app
from meeting_agents import wiring
from meeting_agents.aws.keys import EXPIRES_AT
from meeting_agents.domain.lifecycle import fold, timeline
from meeting_agents.domain.model import Action, Entry, EntryType, Meeting, Reason, ReasonCode, Request
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
    """When the items of the agent expire; one time, if all is well."""
    return {datetime.fromtimestamp(int(item[EXPIRES_AT]), UTC) for item in tables.items(AGENT).values()}


def test_the_attribute_that_is_written_is_the_one_that_the_template_declares(tables: Tables) -> None:
    """Spelt one way here and another there, nothing would ever expire."""
    template = source_template()
    declared = template["Resources"]["AgentsTable"]["Properties"]["TimeToLiveSpecification"]
    track(tables, tables.notify(AGENT))
    assert declared == {"AttributeName": EXPIRES_AT, "Enabled": True}
    assert all(declared["AttributeName"] in item for item in tables.items(AGENT).values())


def test_a_meeting_six_months_ahead_outlives_the_wait(tables: Tables) -> None:
    """Counted from the end of the meeting, not from the time of writing."""
    start = datetime.now(UTC) + 183 * DAY
    tables.append(AGENT, requested(start))
    track(tables, "requested#0001")
    (expiry,) = expiries(tables)
    assert start + RETENTION < expiry <= start + RETENTION + 2 * DAY


def test_a_meeting_that_is_moved_takes_the_whole_journal_along(tables: Tables) -> None:
    """Later, everything lives longer; earlier, nothing dies sooner than it was to."""
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


def test_what_we_write_down_ourselves_expires_with_all_the_rest(tables: Tables) -> None:
    """An entry learns when as it is announced, and takes the others along: none outlives another by a day."""
    start = datetime.now(UTC) + DAY
    told = Entry(key="alerted#failed", kind=EntryType.ALERTED, at=start + DAY, attempt=1)
    ours = [
        requested(start),
        Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=start - DAY, attempt=1, revision=1),
        told,
        replace(told, key="acknowledged#1", kind=EntryType.ACKNOWLEDGED, at=start + 90 * DAY),
    ]
    seen = []
    for entry in ours:
        tables.append(AGENT, entry)
        assert EXPIRES_AT not in tables.items(AGENT)[f"entry#{entry.key}"]  # until then it cannot go alone
        track(tables, entry.key)
        (expiry,) = expiries(tables)
        seen.append(expiry)
    assert seen == sorted(seen)
    assert ours[-1].at + RETENTION < seen[-1] <= ours[-1].at + RETENTION + DAY


def test_whoever_knows_less_of_a_journal_lets_nothing_expire_sooner(tables: Tables) -> None:
    """Two run at once, and the slower one has read less."""
    start, now = datetime.now(UTC) + DAY, datetime.now(UTC)
    tables.append(AGENT, requested(start), requested(start + 30 * DAY, 2))
    journal = wiring.journal()
    lines = sorted(journal.read(AGENT, now), key=lambda line: line.entry.key)
    journal.save_record(AGENT, timeline(lines), lines, now)
    (whole,) = expiries(tables)
    journal.save_record(AGENT, timeline(lines[:1]), lines[:1], now)
    assert expiries(tables) == {whole}


def test_a_journal_is_gone_at_one_instant(tables: Tables) -> None:
    """DynamoDB deletes expired items one by one, over hours: what is left of them is not read."""
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


def test_an_agent_that_comes_back_after_its_journal_expired_has_a_new_record(tables: Tables) -> None:
    """The old record counts more entries than the new journal has, and yet it is the older one."""
    for n in range(3):
        track(tables, tables.notify(AGENT, n=n))
    old = int(tables.record(AGENT)["entries"])
    past = int((datetime.now(UTC) - DAY).timestamp())
    for name in tables.items(AGENT):
        tables.session.client("dynamodb").update_item(
            TableName=tables.table,
            Key={"pk": {"S": AGENT}, "sk": {"S": name}},
            UpdateExpression=f"SET {EXPIRES_AT} = :past",
            ExpressionAttributeValues={":past": {"N": str(past)}},
        )
    tables.announced()
    track(tables, tables.notify(AGENT, n="new"))
    record = tables.record(AGENT)
    assert (old, int(record["entries"])) == (3, 1)
    assert record["judged"] == {"applied": 1}
    assert [one["data"]["previous_state"] for one in tables.announced()] == [None]


def test_what_is_read_back_is_what_was_written(tables: Tables) -> None:
    """An entry survives the table unchanged, and so does what it adds up to."""
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
    read = [line.entry for line in wiring.journal().read(AGENT, datetime.now(UTC))]
    assert fold(read).state == fold(entries).state == "scheduled"
    for written, found in zip(sorted(entries, key=lambda one: one.key), read, strict=True):
        assert abs(written.at - found.at) < timedelta(milliseconds=1)
        assert (written.request, written.kind, written.reason) == (found.request, found.kind, found.reason)


def test_an_entry_is_appended_once(tables: Tables) -> None:
    """The key is the entry: the second time nothing is written."""
    entry = requested(datetime.now(UTC))
    journal = wiring.journal()
    assert [journal.append(AGENT, entry), journal.append(AGENT, entry)] == [True, False]
