"""The sweep: the order of due agents, two sweeps at once, a limited time, and a long pause."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from functions.sweep import app
from functions.sweep.app import BATCH_SIZE, sweep
from meeting_agents import wiring
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import SHARDS
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold, timeline
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Request,
    Severity,
)
from tests.bench.sweep import time_sweep
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import GRACE, Stage, wait_until
from tests.tables import CONTEXT

NOW = datetime.now(UTC).replace(microsecond=0)
ALWAYS: Callable[[], bool] = lambda: True  # noqa: E731 - a constant


@pytest.fixture
def journal(aws: EmbeddedAws) -> Iterator[Journal]:
    """A table without a stream: records are stored only when a test does."""
    with Desk(aws) as desk:
        journal = desk.journal()
        journal.grace_periods = GracePeriods(escalation=timedelta(minutes=15))
        yield journal


def request(journal: Journal, agent: str, start: datetime, *, is_accepted: bool = True, **fields: Any) -> None:
    """Request an agent on the day before the meeting, and store its record. Without an answer it is to be retried."""
    meeting = Meeting(start=start, end=start + timedelta(hours=1))
    requested = Request(action=Action.PROVISION, data_center="us", meeting=meeting, **fields)
    at = start - timedelta(days=1)
    journal.append(
        agent,
        Entry(
            key="requested#0001",
            kind=EntryType.REQUESTED,
            at=at,
            attempt=1,
            revision=1,
            request=requested,
            retry_at=at + timedelta(minutes=1),
        ),
    )
    if is_accepted:
        journal.append(agent, Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=at, attempt=1, revision=1))
    track(journal, agent)


def track(journal: Journal, agent: str) -> None:
    """Store the record, as the function `track` does."""
    entries = journal.read(agent, datetime.now(UTC))
    journal.save_record(agent, timeline(entries), entries, datetime.now(UTC))


def overdue(journal: Journal, agent: str) -> list[tuple[EntryType, DeadlineType | None]]:
    """Return the types of the entries that sweeps have appended."""
    entries = [stored.entry for stored in journal.read(agent, datetime.now(UTC))]
    return [(entry.kind, entry.phase) for entry in entries if entry.kind in (EntryType.OVERDUE, EntryType.ALERT_DUE)]


def no_retry(agent: str) -> None:
    raise AssertionError(f"{agent} has no request to be retried")


def test_the_longest_due_agent_of_all_shards_comes_first(journal: Journal) -> None:
    """The partitions of the index are read as one list."""
    agents = [f"ma_{number:03d}" for number in range(40)]
    for position, agent in enumerate(agents):
        request(journal, agent, NOW - timedelta(hours=50) + timedelta(minutes=position))
    assert list(journal.due(datetime.now(UTC))) == agents
    assert SHARDS > 1


def test_agents_that_a_sweep_has_no_time_for_come_first_in_the_next(journal: Journal) -> None:
    """Five sweeps with time for five agents each find every agent once."""
    agents = [f"ma_{number:03d}" for number in range(22)]
    for position, agent in enumerate(agents):
        request(journal, agent, NOW - timedelta(hours=50) + timedelta(minutes=position))
    for run in range(5):
        budget = count()
        sweep(journal, lambda: next(budget) < 5, no_retry)  # noqa: B023 - called before the next run
        found = [agent for agent in agents if overdue(journal, agent)]
        assert found == agents[: 5 * (run + 1)]
        for agent in found:
            track(journal, agent)
    assert sweep(journal, ALWAYS, no_retry) == 0


def test_sweeps_at_the_same_time_append_one_entry_for_each_deadline(journal: Journal) -> None:
    agents = [f"ma_{number:03d}" for number in range(30)]
    for agent in agents:
        request(journal, agent, NOW - timedelta(hours=3))
    with ThreadPoolExecutor(4) as pool:
        found = [done.result() for done in [pool.submit(sweep, journal, ALWAYS, no_retry) for _ in range(4)]]
    assert sum(found) == len(agents)
    assert all(overdue(journal, agent) == [(EntryType.OVERDUE, DeadlineType.ACTIVATION)] for agent in agents)


def test_an_agent_whose_record_is_not_stored_does_not_delay_others(journal: Journal) -> None:
    """While records are not stored, an agent is claimed by the sweep after the one that found it."""
    request(journal, "ma_first", NOW - timedelta(hours=3))
    assert sweep(journal, ALWAYS, no_retry) == 1
    request(journal, "ma_second", NOW - timedelta(hours=2))
    assert sweep(journal, ALWAYS, no_retry) == 1
    assert list(journal.due(datetime.now(UTC))) == ["ma_second"]


def test_all_deadlines_that_passed_during_a_long_pause_are_found_in_one_sweep(journal: Journal) -> None:
    """None hides another, and the journal has them in their order."""
    request(journal, "ma_slept", NOW - timedelta(days=40), conference_expected=True)
    assert sweep(journal, ALWAYS, no_retry) == 2
    track(journal, "ma_slept")
    assert set(overdue(journal, "ma_slept")) == {
        (EntryType.OVERDUE, DeadlineType.CONFERENCE),
        (EntryType.OVERDUE, DeadlineType.ACTIVATION),
    }
    record = fold(stored.entry for stored in journal.read("ma_slept", datetime.now(UTC)))
    assert record.current.missed == (DeadlineType.CONFERENCE, DeadlineType.ACTIVATION)
    assert sweep(journal, ALWAYS, no_retry) == 0


def test_a_request_to_be_retried_hides_no_deadline(journal: Journal) -> None:
    """While Cronofy hangs, every agent that is overdue is found, and every request stays due."""
    agents = [f"ma_{number:03d}" for number in range(20)]
    for agent in agents:
        request(journal, agent, NOW - timedelta(minutes=20), is_accepted=False)
    retries: list[str] = []
    assert sweep(journal, ALWAYS, retries.append) >= len(agents)
    assert sorted(retries) == agents
    assert all((EntryType.OVERDUE, DeadlineType.ACTIVATION) in overdue(journal, agent) for agent in agents)
    assert sorted(journal.due(datetime.now(UTC))) == agents
    for agent in agents:
        track(journal, agent)
    assert sweep(journal, ALWAYS, retries.append) == 0
    assert sorted(retries) == sorted(2 * agents)


def test_a_sweep_does_not_wait_for_cronofy(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries are in the journal before the first request to Cronofy returns."""
    agents = [f"ma_{number:03d}" for number in range(20)]
    for agent in agents:
        request(journal, agent, NOW - timedelta(minutes=20), is_accepted=False)
    found: list[bool] = []

    def hang(agent_id: str, *_: object) -> bool:
        is_found = wait_until(lambda: all(overdue(journal, agent) for agent in agents) or None, 2)
        found.append(bool(is_found))
        return False

    monkeypatch.setattr(app, "send", hang)
    monkeypatch.setattr(wiring, "journal", lambda: journal)
    monkeypatch.setattr(wiring, "provisioning", lambda: SimpleNamespace(retry=None))
    groups = SimpleNamespace(firing=list, begin_drill=lambda *_: False, owing=lambda *_: [])
    monkeypatch.setattr(wiring, "groups", lambda: groups)
    monkeypatch.setattr(wiring, "silences", lambda: SimpleNamespace(release=lambda *_: 0))
    monkeypatch.setenv("ALERT_QUEUE_URL", "https://sqs.example.com/alerts")
    context = SimpleNamespace(**vars(CONTEXT), get_remaining_time_in_millis=lambda: 55_000)
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "meeting-agents")
    assert app.handler({}, context)["overdue"] >= len(agents)
    assert found == [True] * len(agents)


def test_a_sweep_reads_each_journal_once_and_writes_in_batches() -> None:
    """So that one sweep finds 20,000 agents: one call for each, and one for each fifty of them."""
    agents = 2_000
    result = time_sweep(agents, seconds=0.0)
    assert (result["overdue"], result["entries"]) == (agents, agents)
    assert result["calls"]["Query"] <= agents + 2 * SHARDS
    assert sum(result["calls"].values()) - result["calls"]["Query"] <= agents / BATCH_SIZE


def test_journals_are_read_at_the_same_time() -> None:
    """Most of a call's time is a wait for DynamoDB."""
    assert time_sweep(400, seconds=0.01)["most_at_once"] > 4


def test_a_record_that_is_older_than_its_journal_causes_no_entry(journal: Journal) -> None:
    """The meeting was moved and the record does not have the new time yet. The sweep reads the journal."""
    request(journal, "ma_lagging", NOW - timedelta(minutes=30))
    journal.append("ma_lagging", Entry(key="late", kind=EntryType.CANCELLED, at=NOW, attempt=1, revision=1))
    entries = journal.read("ma_lagging", datetime.now(UTC))
    assert fold(stored.entry for stored in entries).state == "scheduled"
    key = "requested#0002"
    requested = Request(action=Action.PROVISION, data_center="us", meeting=Meeting(start=NOW + timedelta(hours=1)))
    journal.append(
        "ma_lagging", Entry(key=key, kind=EntryType.REQUESTED, at=NOW, attempt=1, revision=2, request=requested)
    )
    assert sweep(journal, ALWAYS, no_retry) == 0
    assert overdue(journal, "ma_lagging") == []


def test_an_alert_that_is_owed_and_not_published_is_due(journal: Journal) -> None:
    """The announcement that leads to it was lost, or the topic was down."""
    request(journal, "ma_lost", NOW - timedelta(minutes=30))
    assert sweep(journal, ALWAYS, no_retry) == 1
    track(journal, "ma_lost")
    assert sweep(journal, ALWAYS, no_retry) == 0
    _move_to(journal, "ma_lost", EntryType.OVERDUE, NOW - timedelta(minutes=3))
    assert sweep(journal, ALWAYS, no_retry) == 1
    assert sorted(kind for kind, _ in overdue(journal, "ma_lost")) == [EntryType.ALERT_DUE, EntryType.OVERDUE]


def test_a_reminder_is_due_until_it_is_published(journal: Journal) -> None:
    request(journal, "ma_reminded", NOW - timedelta(minutes=30))
    assert sweep(journal, ALWAYS, no_retry) == 1
    _move_to(journal, "ma_reminded", EntryType.OVERDUE, NOW - timedelta(minutes=17))
    for reminder, minutes in ((0, 16), (1, 0)):
        entry = Entry(
            key=f"alerted#{reminder}",
            kind=EntryType.ALERTED,
            at=NOW - timedelta(minutes=minutes),
            attempt=1,
            cause=IncidentType.NEVER_ACTIVATED,
            status=AlertStatus.FIRING,
            severity=Severity.CRITICAL,
            reminder=reminder,
        )
        journal.append("ma_reminded", entry)
        track(journal, "ma_reminded")
        assert sweep(journal, ALWAYS, no_retry) == (reminder == 0)
        track(journal, "ma_reminded")


def _move_to(journal: Journal, agent: str, kind: EntryType, at: datetime) -> None:
    """Let the entries of a type have been appended at another time."""
    table = journal._table
    for stored in journal.read(agent, datetime.now(UTC)):
        if stored.entry.kind is kind:
            table.client.update_item(
                TableName=table.name,
                Key={"pk": {"S": agent}, "sk": {"S": f"entry#{stored.entry.key}"}},
                UpdateExpression="SET #at = :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":at": {"S": at.isoformat()}},
            )
    table.client.delete_item(TableName=table.name, Key={"pk": {"S": agent}, "sk": {"S": "record"}})
    track(journal, agent)


def test_the_first_sweep_after_a_pause_finds_every_agent_and_an_alarm_watches_the_heartbeat(aws: EmbeddedAws) -> None:
    """No sweep runs while meetings begin, so there is no heartbeat."""
    with Stage() as stage:
        functions, name = stage.stack.session.client("lambda"), stage.stack.functions["sweep"]
        stage._is_over.set()  # ends the sandbox's own sweeps; those of the schedule run once a minute
        rules = stage.stack.session.client("events")
        for rule in rules.list_rules()["Rules"]:
            rules.disable_rule(Name=rule["Name"])
        time.sleep(1.5)
        start = datetime.now(UTC)
        agents = [
            stage.request(f"ev_slept_{number}", f"Slept {number}", start, start + timedelta(hours=1)).json()["agent"][
                "id"
            ]
            for number in range(6)
        ]
        time.sleep(GRACE + 3)
        assert {stage.read(agent)["state"] for agent in agents} == {"scheduled"}
        alarms = stage.stack.session.client("cloudwatch").describe_alarms()["MetricAlarms"]
        (alarm,) = [alarm for alarm in alarms if alarm["MetricName"] == "Heartbeat"]
        assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
        result = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
        assert result["overdue"] == len(agents)
        assert wait_until(lambda: _alerted(stage, agents) or None, 30) == set(agents)


def _alerted(stage: Stage, agents: list[str]) -> set[str]:
    """Return the agents once each has its alert, alone or in that of its data center; before, none."""
    kinds = {agent: [entry["kind"] for entry in stage.read(agent)["timeline"]] for agent in agents}
    return {*agents} if all("alerted" in found for found in kinds.values()) else set()


def test_a_journal_that_cannot_be_read_hides_no_agent_after_it(journal: Journal) -> None:
    """A journal of an unknown version is skipped and checked again later."""
    request(journal, "ma_unreadable", NOW - timedelta(hours=3))
    request(journal, "ma_silent", NOW - timedelta(hours=2))
    item = {"pk": "ma_unreadable", "sk": "entry#later", "at": "2026-04-29T15:30:00.000Z", "phase": "of another version"}
    table = journal._table
    table.client.put_item(TableName=table.name, Item={name: {"S": value} for name, value in item.items()})
    assert sweep(journal, ALWAYS, no_retry) == 1
    assert overdue(journal, "ma_silent") == [(EntryType.OVERDUE, DeadlineType.ACTIVATION)]
    assert "ma_unreadable" not in list(journal.due(datetime.now(UTC)))
