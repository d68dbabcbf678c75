"""The daily digest: whose day it counts, what it says, and when it says nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from botocore.session import Session
from botocore.stub import Stubber

from functions.digest.app import publish_digest
from meeting_agents.alerting.digest import Digest
from meeting_agents.alerting.message import SUBJECT_LENGTH
from meeting_agents.aws.days import Days
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import Action as ProvisioningRequest
from meeting_agents.domain.model import Entry, EntryType, Meeting, Request
from tests.golden_files import compared
from tests.sandbox.stage import Stage
from tests.system.template import RESOURCES
from tests.unit.alerting.test_message import LINKS

BERLIN = "Europe/Berlin"
DAY = date(2026, 3, 28)
"""The day before the clocks go forward, so that the next midnight is 23 hours after the one before it."""
NOW = datetime(2026, 3, 29, 6, tzinfo=UTC)


def row(number: int, state: str, start: datetime, **more: Any) -> dict[str, Any]:
    """A stored record, as the index by day gives it back."""
    meeting = {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat(), "tzid": BERLIN}
    known = {"pk": f"ma_{number:026d}", "state": state, "since": (start + timedelta(minutes=5)).isoformat()}
    return known | {"meeting": meeting | {"summary": f"Meeting {number}"}} | more


def rows() -> Iterator[dict[str, Any]]:
    begins = datetime(2026, 3, 27, 23, tzinfo=UTC)
    for number in range(20):
        yield row(number, "complete" if number < 18 else "failed", begins - timedelta(days=1 + number % 7))
    for number in range(20, 60):
        yield row(number, "complete", begins + timedelta(minutes=20 * (number - 20)))
    nine = begins + timedelta(hours=9)
    yield row(60, "failed", nine, incident="failed", since=(nine + timedelta(minutes=2)).isoformat())
    yield row(
        61, "overdue", nine, incident="never_activated", since=(nine + timedelta(minutes=10, seconds=30)).isoformat()
    )
    yield row(62, "rejected", nine, incident="rejected", since=(nine - timedelta(days=3)).isoformat())
    yield row(63, "cancelled", nine)
    yield row(64, "activated", begins + timedelta(hours=20))


def digest(some: Iterator[dict[str, Any]] | None = None) -> Digest:
    begins = datetime(2026, 3, 27, 23, tzinfo=UTC)
    made = Digest(DAY, BERLIN, LINKS, begins=begins, now=NOW)
    for each in rows() if some is None else some:
        made.add(each)
    return made


def test_a_digest_reads_as_a_person_found_it_good() -> None:
    """Outcomes, success beside the seven days before, what was noticed latest, and what is still open."""
    made = digest()
    texts = json.loads(made.message)
    parts = [made.subject, texts["email"], json.dumps(json.loads(texts["default"]), indent=2)]
    compared("digest", "\n\n".join(parts))
    assert len(made.subject) <= SUBJECT_LENGTH
    assert made.subject.isascii()
    assert json.loads(json.loads(texts["https"])["metadata"]["additionalContext"]["alert"])["type"] == "digest"


def test_success_counts_only_what_came_to_an_end_or_should_have() -> None:
    """Cancelled agents and those still in their meeting say nothing about success."""
    made = digest()
    assert (made.of_day.complete, made.of_day.decided, made.of_day.rate) == (40, 43, "93.0%")
    assert (made.before.complete, made.before.decided) == (18, 20)
    assert digest(iter(())).of_day.rate == "none decided"


def test_a_digest_of_a_day_without_agents_is_not_published() -> None:
    assert digest().is_worth_publishing
    assert not digest(iter(())).is_worth_publishing


def test_a_digest_of_thousands_stays_small() -> None:
    """It counts; it lists ten."""
    begins = datetime(2026, 3, 27, 23, tzinfo=UTC)
    made = digest(
        row(number, "overdue", begins, meeting={"start": begins.isoformat(), "summary": "x" * 1024})
        for number in range(3000)
    )
    assert made.open_count == 3000
    assert len(made.message.encode()) < 64 * 1024


def test_the_days_are_those_of_the_time_zone_also_when_clocks_change(stage: Stage) -> None:
    """A meeting belongs to the local day in which it starts: read from the real index, told by the real client."""
    table = Table(stage.stack.session.client("dynamodb"), stage.stack.outputs["AgentsTableName"])
    journal = Journal(table, GracePeriods(), timedelta(days=40_000))
    now = datetime(2027, 3, 29, 6, tzinfo=UTC)
    midnight = datetime(2027, 3, 28, tzinfo=ZoneInfo(BERLIN))
    begins, ends = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
    assert ends - begins == timedelta(hours=23)
    moments = {
        "before": begins - timedelta(seconds=1),
        "first": begins,
        "last": ends - timedelta(seconds=1),
        "after": ends,
    }
    for name, start in moments.items():
        store(journal, f"ma_digest{name}", start, now)
    sns: Any = Session().create_client("sns", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(sns) as stubbed:
        stubbed.add_response("publish", {"MessageId": "1"})
        made = publish_digest(
            Days(table), AlertsTopic(sns, "arn:aws:sns:eu-central-1:111122223333:alerts"), LINKS, now, BERLIN
        )
    assert made.day == date(2027, 3, 28)
    assert (made.of_day.total, made.before.total) == (2, 1)


def store(journal: Journal, agent: str, start: datetime, now: datetime) -> None:
    meeting = Meeting(start=start, end=start + timedelta(minutes=1), tzid=BERLIN)
    request = Request(action=ProvisioningRequest.PROVISION, data_center="de", meeting=meeting)
    journal.append(
        agent, Entry(key="requested#0001", kind=EntryType.REQUESTED, at=start, attempt=1, revision=1, request=request)
    )
    lines = journal.read(agent, now)
    journal.save_record(agent, list(steps(line.entry for line in lines)), lines, now)


def test_the_deployed_digest_tells_nothing_of_an_empty_day(stage: Stage) -> None:
    """Deployed, with its own policy: it reads, and finds that yesterday was quiet."""
    functions, yesterday = stage.stack.session.client("lambda"), _yesterday()
    answer = functions.invoke(FunctionName=stage.stack.functions["digest"], Payload=b"{}")
    content = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, content
    assert content["day"] in {yesterday, _yesterday()}


def _yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


def test_the_schedule_keeps_the_clock_of_the_time_zone_and_can_be_switched_off(stage: Stage) -> None:
    """It stands in the deployed stack; its zone is read from the template, which the embedded AWS does not pass on."""
    deployed = stage.stack.session.client("scheduler").get_schedule(
        Name=stage.stack.resources["DigestFunctionAtItsHour"]
    )
    assert (deployed["ScheduleExpression"], deployed["State"]) == ("cron(0 8 * * ? *)", "ENABLED")
    schedule = RESOURCES["DigestFunction"]["Properties"]["Events"]["AtItsHour"]
    assert schedule["Type"] == "ScheduleV2"
    assert schedule["Properties"]["ScheduleExpressionTimezone"] == {"Ref": "TimeZone"}
    assert schedule["Properties"]["State"] == {"Fn::If": ["HasDigest", "ENABLED", "DISABLED"]}


def test_whoever_starts_the_digest_may_start_it_and_park_what_it_cannot_start(stage: Stage) -> None:
    """Scheduler acts by a role, not by the queue's policy; the role names the function by the name that it gets."""
    (policy,) = RESOURCES["DigestScheduleRole"]["Properties"]["Policies"]
    may = {
        statement["Action"] if isinstance(statement["Action"], str) else "kms"
        for statement in policy["PolicyDocument"]["Statement"]
    }
    assert may == {"lambda:InvokeFunction", "sqs:SendMessage", "kms"}
    assert stage.stack.functions["digest"].startswith(f"{stage.stack.name}-DigestFunction-")
