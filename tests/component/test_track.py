"""Each new entry is announced, even if others fail: the function in this process, on the embedded AWS."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from functions.track import app
from meeting_agents import wiring
from meeting_agents.aws.event_triggers import TriggerSupport
from meeting_agents.aws.keys import ENTRY_PREFIX, PROBE_PREFIX, timestamp
from meeting_agents.aws.notifications import append_notification
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import Action, Entry, EntryType, Meeting, Request
from tests.callback import example
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.tables import CONTEXT, Tables, made

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events/track"
STEPS = ("meeting_agent_activated", "meeting_agent_failed", "meeting_agent_complete")
AGENT, OTHER = "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2", "ma_n2o3p4q5r6s7t2u3v4w5x6y7z2"


@pytest.fixture
def tables(aws: EmbeddedAws) -> Iterator[Tables]:
    with made(aws) as tables:
        yield tables


def saying(*interactions: str) -> dict[str, Any]:
    """Make the part of a callback that lists the interactions."""
    return {"notification": {"type": "event_subscription", "interactions": [{"type": one} for one in interactions]}}


def track(event: dict[str, Any]) -> list[str]:
    """Process a batch; return the sequence numbers that are to come again."""
    answer = app.handler(event, CONTEXT)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_an_entry_becomes_a_record_and_an_announcement(tables: Tables) -> None:
    """The record has the agent's state; the announcement has the effect of the entry and Cronofy's body."""
    key = tables.notify(AGENT, **saying("meeting_agent_activated"))
    assert track(tables.batch((AGENT, key))) == []
    (announcement,) = tables.announced()
    assert announcement["id"] == f"{AGENT}.{key}"
    assert announcement["data"]["state"] == tables.record(AGENT)["state"] == "activated"
    assert announcement["data"]["notification"] == example()
    assert announcement["data"]["replayed"] is False


def test_an_event_trigger_shows_that_the_data_center_sends_them(tables: Tables) -> None:
    """An alert says so when one does not come."""
    meeting = Meeting(start=datetime.now(UTC), end=datetime.now(UTC) + timedelta(hours=1))
    request = Request(action=Action.PROVISION, data_center="de", meeting=meeting)
    requested = Entry(key="requested#0001", kind=EntryType.REQUESTED, at=datetime.now(UTC), revision=1, request=request)
    tables.append(AGENT, requested)
    activated = tables.notify(AGENT)
    track(tables.batch((AGENT, "requested#0001"), (AGENT, activated)))
    assert not TriggerSupport(wiring.agents_table()).have_come("de")
    raw = json.dumps(example(notification={"type": "event_subscription"}, meeting_agent=None)).encode()
    append_notification(
        wiring.agents_table(), AGENT, raw, at=datetime.now(UTC), attempt=None, signed_with="x", trigger="before"
    )
    track(tables.batch((AGENT, f"{sha256(raw).hexdigest()}.before")))
    assert TriggerSupport(wiring.agents_table()).have_come("de")
    assert not TriggerSupport(wiring.agents_table()).have_come("us")


def test_the_events_of_the_folder_are_such_batches(tables: Tables) -> None:
    """`events/track` has what the stream delivers: only keys, as the rest is read from the table."""
    for path in sorted(EVENTS.glob("*.json")):
        event = json.loads(path.read_text(encoding="utf-8"))
        for record in event["Records"]:
            assert not {name for name in record["dynamodb"] if name.endswith("Image")}
            item = record["dynamodb"]["Keys"] | {"at": {"S": "2026-04-25T09:00:00.000Z"}}
            tables.session.client("dynamodb").put_item(TableName=tables.table, Item=item)
        assert track(event) == []
        assert len(tables.announced()) == len(event["Records"]), path.name


def test_a_batch_reads_the_journal_of_each_agent_once(tables: Tables) -> None:
    """Ten entries of one agent are one read, one record, one publication."""
    keys = [(AGENT, tables.notify(AGENT, n=n)) for n in range(10)]
    other = tables.notify(OTHER)
    track(tables.batch(*keys[:5], (OTHER, other), *keys[5:]))
    calls = Counter(tables.calls)
    assert (calls["Query"], calls["PutItem"], calls["PublishBatch"]) == (2, 2, 2)
    assert [one["subject"] for one in tables.announced()].count(AGENT) == 10


def test_a_repeated_entry_is_announced_under_the_same_id(tables: Tables) -> None:
    """Announcements come at least once; a subscriber recognises a repetition by the id."""
    batch = tables.batch((AGENT, tables.notify(AGENT)))
    for _ in range(3):
        track(batch)
    ids = [one["id"] for one in tables.announced()]
    assert ids == [ids[0]] * 3


# ---------------------------------------------------------------------------------------------------- poison and outage


def poisoned(tables: Tables, agent_id: str) -> str:
    """Store an entry that this version cannot read, and return its key."""
    tables.session.client("dynamodb").put_item(
        TableName=tables.table,
        Item={
            "pk": {"S": agent_id},
            "sk": {"S": f"{ENTRY_PREFIX}bad"},
            "at": {"S": "never"},
            "kind": {"S": "requested"},
        },
    )
    return "bad"


def test_an_unreadable_entry_is_dead_lettered_and_the_others_are_announced(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is dead-lettered as the event for a redrive; each other agent of the batch is announced once."""
    bad = poisoned(tables, AGENT)
    others = [(f"ma_{n:026d}", tables.notify(f"ma_{n:026d}")) for n in range(4)]
    assert track(tables.batch(*others[:2], (AGENT, bad), *others[2:])) == []
    assert {one["subject"] for one in tables.announced()} == {agent for agent, _ in others}
    (dead_letters,) = tables.dead_letters()
    assert [record["dynamodb"]["Keys"]["sk"]["S"] for record in dead_letters["Records"]] == [ENTRY_PREFIX + bad]
    assert '"EntriesDeadLettered":[1.0]' in capsys.readouterr().out

    tables.session.client("dynamodb").update_item(
        TableName=tables.table,
        Key={"pk": {"S": AGENT}, "sk": {"S": ENTRY_PREFIX + bad}},
        UpdateExpression="SET #at = :at",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues={":at": {"S": "2026-04-25T15:30:00.000Z"}},
    )
    assert track(dead_letters) == []
    assert tables.announced()[-1]["id"] == f"{AGENT}.{bad}"


@pytest.mark.parametrize("operation", ["Query", "UpdateItem", "PutItem", "PublishBatch"])
def test_an_outage_repeats_the_batch_and_dead_letters_nothing(operation: str, tables: Tables) -> None:
    """The batch comes again from the first entry that failed, and then every entry is announced."""
    batch = tables.batch(*((agent, tables.notify(agent)) for agent in (AGENT, OTHER)))
    tables.failing.add(operation)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch["Records"]]
    assert track(batch) == numbers
    assert tables.dead_letters() == []
    tables.failing.clear()
    assert track(batch) == []
    assert {one["subject"] for one in tables.announced()} == {AGENT, OTHER}


def test_an_outage_repeats_only_the_entries_that_were_not_announced(tables: Tables) -> None:
    """The first agent was announced before the outage."""
    batch = tables.batch((AGENT, tables.notify(AGENT)), (OTHER, tables.notify(OTHER)))

    def fail_from_now_on(**_: Any) -> None:
        tables.failing.add("PublishBatch")

    wiring._session().register("needs-retry.sns.PublishBatch", fail_from_now_on)
    assert track(batch) == [batch["Records"][1]["dynamodb"]["SequenceNumber"]]
    assert [one["subject"] for one in tables.announced()] == [AGENT]


# --------------------------------------------------------------------------------------------------- records and counts


def test_a_record_never_goes_backwards_in_any_order_of_retries(tables: Tables) -> None:
    """Records of each part of the journal are stored in every order; the longest part stays."""
    for number, step in enumerate(STEPS):
        tables.notify(AGENT, datetime.now(UTC) + timedelta(seconds=number), **saying(step))
    journal, now = wiring.journal(), datetime.now(UTC)
    entries = sorted(journal.read(AGENT, now), key=lambda stored: stored.entry.at)
    for order in itertools.permutations(range(1, len(entries) + 1)):
        counted: Counter[str] = Counter()
        longest = 0
        for length in order:
            part = entries[:length]
            counted.update(journal.save_record(AGENT, timeline(part), part, now))
            longest = max(longest, length)
            record = tables.record(AGENT)
            assert record["entries"] == longest
            assert +counted == Counter({verdict: int(count) for verdict, count in record["judged"].items()})
        assert tables.record(AGENT)["state"] == "complete"
        tables.session.client("dynamodb").delete_item(
            TableName=tables.table, Key={"pk": {"S": AGENT}, "sk": {"S": "record"}}
        )


def test_only_this_function_stores_records() -> None:
    """The others append entries, and the stream brings them here."""
    sources = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/shared").rglob("*.py")]
    callers = [path.relative_to(ROOT).as_posix() for path in sources if ".save_record(" in path.read_text("utf-8")]
    assert callers == ["functions/track/app.py"]


def test_metrics_count_each_notification_once_however_often_it_is_tracked(
    tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    """A repeated batch counts nothing again, and a verdict that changes is subtracted."""
    keys = [(AGENT, tables.notify(AGENT, **saying(step))) for step in STEPS]
    for batch in (keys[:1], keys[:2], keys, keys, keys[1:]):
        track(tables.batch(*batch))
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    counted: Counter[str] = Counter()
    for one in printed:
        for metric in one["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            if metric["Name"].startswith("Notifications"):
                counted[metric["Name"]] += sum(one[metric["Name"]])
    assert counted.total() == 3
    assert {name.removeprefix("Notifications").lower(): n for name, n in (+counted).items()} == tables.record(AGENT)[
        "judged"
    ]


def test_neither_an_empty_batch_nor_a_probe_is_counted(tables: Tables, capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch charges for each hour in which a metric is sent."""
    probe = f"{PROBE_PREFIX}1"
    key = tables.notify(probe, **saying("meeting_agent_failed"))
    assert track(tables.batch((probe, key))) == track(tables.batch()) == []
    assert [one["subject"] for one in tables.announced()] == [probe]
    assert '"_aws"' not in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------- last callbacks


def request(tables: Tables, agent_id: str) -> str:
    """Append a request for an agent; return its key."""
    wanted = Request(action=Action.PROVISION, data_center="de", meeting=Meeting())
    at = datetime.now(UTC) - timedelta(minutes=5)
    tables.append(agent_id, Entry(key="requested#0001", kind=EntryType.REQUESTED, at=at, attempt=1, request=wanted))
    return "requested#0001"


def last_callbacks(tables: Tables) -> list[tuple[str, str]]:
    """The group and the time of each last callback that is recorded."""
    items = tables.session.client("dynamodb").scan(TableName=tables.table)["Items"]
    return [(item["pk"]["S"], item["heard_at"]["S"]) for item in items if "heard_at" in item]


def test_the_last_callback_of_a_data_center_is_recorded_once_a_minute(tables: Tables) -> None:
    """One write, however many agents have news."""
    now = datetime.now(UTC)
    keys = []
    for agent in (AGENT, OTHER):
        request(tables, agent)
        keys += [(agent, tables.notify(agent, now + timedelta(seconds=n), n=n)) for n in range(3)]
    track(tables.batch(*keys))
    assert last_callbacks(tables) == [("group#callbacks_missing/de", timestamp(now + timedelta(seconds=2)))]
    later = tables.notify(AGENT, now + timedelta(seconds=62), n="later")
    track(tables.batch((AGENT, later)))
    assert last_callbacks(tables) == [("group#callbacks_missing/de", timestamp(now + timedelta(seconds=62)))]


def test_neither_a_request_nor_a_probe_nor_a_stranger_is_a_callback_of_a_data_center(tables: Tables) -> None:
    """A probe is our own; the data center of an agent that was not requested here is not known."""
    requested = request(tables, AGENT)
    probe = f"{PROBE_PREFIX}1"
    request(tables, probe)
    track(tables.batch((AGENT, requested), (probe, tables.notify(probe)), (OTHER, tables.notify(OTHER))))
    assert last_callbacks(tables) == []


# -------------------------------------------------------------------------------------------------------- announcements


@pytest.mark.parametrize("raw", [b"\xff\x00", b"", b"nonsense", b"[1]", b'"x"', b'{"a": NaN}', b"[" * 3000])
def test_any_signed_body_is_announced(raw: bytes, tables: Tables) -> None:
    """A body that is no JSON, or has no known interaction, is announced as unrecognised."""
    assert track(tables.batch((AGENT, tables.append_raw(AGENT, raw)))) == []
    (announcement,) = tables.announced()
    assert announcement["data"]["entry"]["verdict"] == "unrecognised"
    assert tables.dead_letters() == []


def test_a_notification_too_large_for_the_topic_is_announced_by_reference(tables: Tables) -> None:
    """A notification that fits is in the announcement; another one is where the announcement says."""
    fitting = tables.notify(AGENT, extra="x" * 200_000)
    overlong = tables.notify(AGENT, extra="y" * 259_000)
    resources = [{"category": "audio", "type": "voice", "url": f"https://example.com/{n:01000}"} for n in range(250)]
    many = tables.notify(OTHER, meeting_agent={"sub": "agt_1", "resources": resources})
    assert track(tables.batch((AGENT, fitting), (AGENT, overlong), (OTHER, many))) == []
    data = {one["id"].partition(".")[2]: one["data"] for one in tables.announced()}
    assert data[fitting]["notification"]["extra"] == "x" * 200_000
    path = f"/v1/meeting_agents/{AGENT}/notifications/{overlong}"
    assert data[overlong]["notification"] == {"too_large": True, "read": path}
    assert data[many]["notification"]["too_large"] is True
    assert tables.dead_letters() == []
