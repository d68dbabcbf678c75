"""A second stack beside the first, in one account and region: neither notices the other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from meeting_agents.domain.identity import agent_id
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until

HOUR = timedelta(hours=1)
EVENT = "of-two-stacks"
AGENT = agent_id(HOME, CALENDAR, EVENT)
"""One id in both: it is made from the calendar and the event."""


@pytest.fixture(scope="module")
def other(aws: EmbeddedAws, stage: Stage) -> Iterator[Stage]:
    """A second stack in the account and region of the first; its name begins as the first's does."""
    with Stage(aws, name=f"{stage.stack.name}-beside") as other:
        yield other


def test_no_resource_of_one_is_the_others(stage: Stage, other: Stage) -> None:
    """Names, log groups, topics, queues, roles, schedules, alarms, the dashboard."""
    first, second = (
        {
            name if not name.startswith("SharedLayer") else "SharedLayer": id_
            for name, id_ in each.stack.resources.items()
        }
        for each in (stage, other)
    )
    assert first.keys() == second.keys()
    at_home = {name for name in first if name.endswith(("DefaultStage", "EventInvokeConfig"))}  # named within their own
    assert {name for name in first if first[name] == second[name]} <= at_home
    logs = stage.stack.session.client("logs").describe_log_groups()["logGroups"]
    assert len({log["logGroupName"] for log in logs}) == len(logs)
    assert stage.stack.session.client("cloudformation").list_exports()["Exports"] == []


def test_the_same_agent_in_both_has_two_fates(stage: Stage, other: Stage) -> None:
    """It fails in the second, of which only the second's people hear."""
    start = datetime.now(UTC) + HOUR
    for each in (stage, other):
        assert each.request(EVENT, "Weekly sync", start, start + HOUR).status_code == 202
        assert each.read(AGENT)["state"] == "scheduled"
    before = len(stage.emails())
    other.cronofy.report("fail", EVENT)
    assert wait_until(lambda: any("Weekly sync" in email["subject"] for email in other.emails()) or None)
    assert other.read(AGENT)["state"] == "failed"
    assert stage.read(AGENT)["state"] == "scheduled"
    assert not [email for email in stage.emails()[before:] if "Weekly sync" in email["subject"]]
    name = other.stack.name
    assert [email for email in other.emails() if f" {name}: " in email["subject"]] == other.emails()


def test_one_can_go_and_the_other_stays(stage: Stage, other: Stage) -> None:
    tables = {other.stack.resources[name] for name in ("AgentsTable", "AccountsTable")}
    other.stack.delete()
    dynamodb = stage.stack.session.client("dynamodb")
    assert tables <= set(dynamodb.list_tables()["TableNames"])
    assert stage.read(AGENT)["state"] == "scheduled"
    stage.cronofy.report("activate", EVENT)
    assert wait_until(lambda: stage.read(AGENT)["state"] == "activated" or None)
