"""How silence is found: the longest due first, by two sweeps at once, within a time, and after a long sleep."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from functions.sweep.app import sweep
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import SHARDS
from meeting_agents.domain.deadlines import GracePeriods
from meeting_agents.domain.lifecycle import fold, steps
from meeting_agents.domain.model import Action, DeadlineType, Entry, EntryType, IncidentType, Meeting, Request
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import GRACE, Stage, wait_until

NOW = datetime.now(UTC).replace(microsecond=0)
ALWAYS: Callable[[], bool] = lambda: True  # noqa: E731 - a constant


@pytest.fixture
def journal(aws: EmbeddedAws) -> Iterator[Journal]:
    """A table of its own, on which no function listens: records follow only when a test lets them."""
    with Desk(aws) as desk:
        journal = desk.journal()
        journal.grace_periods = GracePeriods(escalation=timedelta(minutes=15))
        yield journal


def asked(journal: Journal, agent: str, start: datetime, *, is_followed: bool = True, **more: Any) -> None:
    """An agent that was asked for the day before, with its record."""
    meeting = Meeting(start=start, end=start + timedelta(hours=1))
    request = Request(action=Action.PROVISION, data_center="us", meeting=meeting, **more)
    at = start - timedelta(days=1)
    journal.append(
        agent, Entry(key="requested#0001", kind=EntryType.REQUESTED, at=at, attempt=1, revision=1, request=request)
    )
    journal.append(agent, Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=at, attempt=1, revision=1))
    if is_followed:
        follow(journal, agent)


def follow(journal: Journal, agent: str) -> None:
    """What `track` does."""
    lines = journal.read(agent, datetime.now(UTC))
    journal.save_record(agent, list(steps(line.entry for line in lines)), lines, datetime.now(UTC))


def overdue(journal: Journal, agent: str) -> list[tuple[EntryType, DeadlineType | None]]:
    entries = [line.entry for line in journal.read(agent, datetime.now(UTC))]
    return [(entry.kind, entry.phase) for entry in entries if entry.kind in (EntryType.OVERDUE, EntryType.ESCALATED)]


def refuse(agent: str) -> None:
    raise AssertionError(f"{agent} is not to be asked for again")


def test_the_longest_due_come_first_whatever_shard_they_are_in(journal: Journal) -> None:
    """Four partitions are read as one list."""
    agents = [f"ma_{number:03d}" for number in range(40)]
    for position, agent in enumerate(agents):
        asked(journal, agent, NOW - timedelta(hours=50) + timedelta(minutes=position))
    assert list(journal.due(datetime.now(UTC))) == agents
    assert SHARDS > 1


def test_what_a_sweep_has_no_time_for_is_first_for_the_next(journal: Journal) -> None:
    """A budget of five agents, five times: each agent once, none forgotten, none twice."""
    agents = [f"ma_{number:03d}" for number in range(22)]
    for position, agent in enumerate(agents):
        asked(journal, agent, NOW - timedelta(hours=50) + timedelta(minutes=position))
    for run in range(5):
        budget = count()
        sweep(journal, lambda: next(budget) < 5, refuse)  # noqa: B023 - called before the next run
        found = [agent for agent in agents if overdue(journal, agent)]
        assert found == agents[: 5 * (run + 1)]
    assert sweep(journal, ALWAYS, refuse) == 0


def test_two_sweeps_at_once_note_each_deadline_once(journal: Journal) -> None:
    agents = [f"ma_{number:03d}" for number in range(30)]
    for agent in agents:
        asked(journal, agent, NOW - timedelta(hours=3))
    with ThreadPoolExecutor(4) as pool:
        found = [done.result() for done in [pool.submit(sweep, journal, ALWAYS, refuse) for _ in range(4)]]
    assert sum(found) == len(agents)
    assert all(overdue(journal, agent) == [(EntryType.OVERDUE, DeadlineType.ACTIVATION)] for agent in agents)


def test_what_was_noted_and_not_yet_followed_does_not_hold_up_what_falls_due_later(journal: Journal) -> None:
    """While records are not stored, each agent is looked at once, not at every sweep."""
    asked(journal, "ma_first", NOW - timedelta(hours=3))
    assert sweep(journal, ALWAYS, refuse) == 1
    asked(journal, "ma_second", NOW - timedelta(hours=2))
    assert list(journal.due(datetime.now(UTC))) == ["ma_second"]
    assert sweep(journal, ALWAYS, refuse) == 1


class Followed(Journal):
    """A journal whose records follow at once: `track` may be quicker than the rest of a sweep."""

    def append(self, agent_id: str, entry: Entry, **more: Any) -> bool:
        is_new = super().append(agent_id, entry, **more)
        follow(self, agent_id)
        return is_new


@pytest.mark.parametrize("kind", [Journal, Followed])
def test_two_deadlines_that_passed_during_a_long_sleep_are_found_one_after_the_other(
    journal: Journal, kind: type[Journal]
) -> None:
    """The second is not put off because the first was just noted, however soon the record follows."""
    asked(journal, "ma_slept", NOW - timedelta(days=40), conference_expected=True)
    sweeping = kind(journal._table, journal.grace_periods, timedelta(days=400))
    for _ in range(2):
        assert sweep(sweeping, ALWAYS, refuse) == 1
        follow(journal, "ma_slept")
    assert {phase for _, phase in overdue(journal, "ma_slept")} == {DeadlineType.CONFERENCE, DeadlineType.ACTIVATION}
    assert sweep(journal, ALWAYS, refuse) == 0


def test_a_record_that_lags_behind_its_journal_is_no_reason_for_an_alarm(journal: Journal) -> None:
    """The agent reported itself; the record does not show it yet. The journal is what counts."""
    asked(journal, "ma_lagging", NOW - timedelta(minutes=30))
    journal.append("ma_lagging", Entry(key="late", kind=EntryType.CANCELLED, at=NOW, attempt=1, revision=1))
    lines = journal.read("ma_lagging", datetime.now(UTC))
    assert fold(line.entry for line in lines).state == "scheduled"
    key = "requested#0002"
    request = Request(action=Action.PROVISION, data_center="us", meeting=Meeting(start=NOW + timedelta(hours=1)))
    journal.append(
        "ma_lagging", Entry(key=key, kind=EntryType.REQUESTED, at=NOW, attempt=1, revision=2, request=request)
    )
    assert sweep(journal, ALWAYS, refuse) == 0
    assert overdue(journal, "ma_lagging") == []


def test_a_grave_cause_is_escalated_when_its_time_is_up(journal: Journal) -> None:
    """And again after people were told again; then no more."""
    asked(journal, "ma_grave", NOW - timedelta(hours=20))
    for told in range(4):
        found = sweep(journal, ALWAYS, refuse)
        follow(journal, "ma_grave")
        assert found == (told < 3)
        if found:
            at = datetime.now(UTC) - timedelta(minutes=16 - told)
            entry = Entry(
                key=f"alerted#{told}", kind=EntryType.ALERTED, at=at, attempt=1, cause=IncidentType.NEVER_ACTIVATED
            )
            _alter_time(journal, "ma_grave", entry)
    kinds = [kind for kind, _ in overdue(journal, "ma_grave")]
    assert sorted(kinds) == sorted([EntryType.OVERDUE, EntryType.ESCALATED, EntryType.ESCALATED])


def _alter_time(journal: Journal, agent: str, entry: Entry) -> None:
    """Note that people were told some time ago, after what was noted a moment ago: move that back too."""
    table = journal._table
    for line in journal.read(agent, datetime.now(UTC)):
        if line.entry.kind in (EntryType.OVERDUE, EntryType.ESCALATED) and line.entry.at > entry.at:
            table.client.update_item(
                TableName=table.name,
                Key={"pk": {"S": agent}, "sk": {"S": f"entry#{line.entry.key}"}},
                UpdateExpression="SET #at = :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":at": {"S": (entry.at - timedelta(seconds=1)).isoformat()}},
            )
    journal.append(agent, entry)
    follow(journal, agent)


def test_a_sweep_that_slept_loses_nothing_and_its_silence_is_what_the_alarm_waits_for(aws: EmbeddedAws) -> None:
    """Killed while meetings begin: no heartbeat; and the first sweep afterwards finds each agent."""
    with Stage() as stage:
        functions, name = stage.stack.session.client("lambda"), stage.stack.functions["sweep"]
        stage._is_over.set()  # the sandbox's own sweeps; the schedule's come once a minute
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
        (silent,) = [alarm for alarm in alarms if alarm["MetricName"] == "Heartbeat"]
        assert (silent["TreatMissingData"], silent["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
        answer = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
        assert answer["overdue"] == len(agents)
        told = wait_until(lambda: _told(stage, agents) or None, 30)
        assert told == set(agents)


def _told(stage: Stage, agents: list[str]) -> set[str]:
    named = {one["agent_id"] for message in stage.alerts.messages() for one in message["agents"]}
    return named if set(agents) <= named else set()


def test_a_journal_that_cannot_be_read_hides_nobody_that_is_due_after_it(journal: Journal) -> None:
    """One agent's journal is from a version that we do not understand; it is passed over and looked at again."""
    asked(journal, "ma_unreadable", NOW - timedelta(hours=3))
    asked(journal, "ma_silent", NOW - timedelta(hours=2))
    item = {"pk": "ma_unreadable", "sk": "entry#later", "at": "2026-04-29T15:30:00.000Z", "phase": "of another version"}
    table = journal._table
    table.client.put_item(TableName=table.name, Item={name: {"S": value} for name, value in item.items()})
    assert sweep(journal, ALWAYS, refuse) == 1
    assert overdue(journal, "ma_silent") == [(EntryType.OVERDUE, DeadlineType.ACTIVATION)]
    assert "ma_unreadable" not in list(journal.due(datetime.now(UTC)))
