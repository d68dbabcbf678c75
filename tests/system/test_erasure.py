"""The data of an agent is erased: from everywhere, once and for all, and not before it may be."""

import inspect
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.journal import Journal
from meeting_agents.domain.erasures import ERASED_KEY
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.lifecycle import timeline
from tests.runtime.stories import CALENDAR, EVENTS, MARKS, Scene
from tests.system.template import RESOURCES

NAME = "erasure"
AGENT = agent_id("us", CALENDAR, NAME)
DATA = f"/v1/meeting_agents/{AGENT}/data"
ROWS = {
    row[0]: row[1:]
    for row in (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (keys.__doc__ or "").splitlines()
        if line.startswith("| ") and not line.startswith("| item")
    )
}
"""The layout of the agents table: the two keys of each kind of item, and what an erasure does to it."""
BUILDERS = {
    name: builder
    for name, builder in vars(keys).items()
    if inspect.isfunction(builder) and builder.__annotations__.get("return") == "Key" and name != "account"
}


@pytest.fixture
def scene(scene: Scene) -> Scene:
    scene.platform.forget()
    scene.cronofy.faults.clear()
    return scene


def failed(scene: Scene) -> None:
    """An agent with all that the table can have of one: labels, an account, a held alert, a note, a late request."""
    until = f"{datetime.now(UTC) + timedelta(days=1):%FT%TZ}"
    for name, others in (("alone", []), ("others", ["ma_other"])):
        silence = {"until": until, "why": "x", "agent": [AGENT, *others]}
        scene.platform.request("PUT", f"/v1/silences/{name}", silence)
    headers = scene.register(NAME) | {"x-label-team": "sales"}
    scene.platform.request("POST", EVENTS, scene.event(NAME), headers)
    scene.platform.settle()
    scene.notify(AGENT, NAME, "meeting_agent_failed")
    scene.platform.settle()
    scene.platform.request("POST", f"/v1/meeting_agents/{AGENT}/acknowledgement", {"note": MARKS["person"]})
    scene.platform.settle()


def erase(scene: Scene) -> tuple[int, dict[str, Any]]:
    """Send the request once, and return the status and the content of the response."""
    answer = scene.platform.invoke(*scene.platform.http_event("DELETE", DATA, None, {})).answer
    return answer["statusCode"], json.loads(answer["body"])


def naming(scene: Scene) -> set[tuple[str, str]]:
    """The keys of the items which name the agent."""
    return {(item["pk"]["S"], item["sk"]["S"]) for item in scene.platform.items() if AGENT in str(item)}


REMAINING = {(AGENT, keys.ENTRY_PREFIX + ERASED_KEY), (AGENT, keys.RECORD)}


def test_nothing_is_left_of_an_agent_but_that_it_was_erased(scene: Scene) -> None:
    """In no item of any table; Cronofy and its users are as before."""
    failed(scene)
    before = naming(scene)
    entries = {sk for pk, sk in before if pk == AGENT and sk.startswith(keys.ENTRY_PREFIX)}
    assert before >= REMAINING - {(AGENT, keys.ENTRY_PREFIX + ERASED_KEY)}
    assert before - {(AGENT, sk) for sk in entries} >= {
        ("silences", "alone"),
        ("silences", "others"),
        ("held#others", AGENT),
    }
    assert MARKS["person"] in str(scene.platform.items())

    status, remains = erase(scene)
    assert status == 200
    assert {name: remains[name] for name in ("agent_id", "by", "entries")} == {
        "agent_id": AGENT,
        "by": "arn:aws:iam::000000000001:user/caller",
        "entries": len(entries),
    }
    assert naming(scene) == REMAINING
    left = repr([scene.platform.items(table) for table in scene.platform.tables])
    assert not [mark for mark in (*MARKS.values(), "Weekly sync", "sales", CALENDAR) if mark in left]
    (other,) = [item for item in scene.platform.items() if item["pk"]["S"] == keys.SILENCES]
    assert (other["sk"]["S"], other["agents"]) == ("others", {"L": [{"S": "ma_other"}]})


def test_an_erasure_is_announced_once_without_what_named_the_meeting(scene: Scene) -> None:
    failed(scene)
    scene.platform.announcements()
    erase(scene)
    scene.platform.settle()
    (announcement,) = scene.platform.announcements()
    assert (announcement["id"], announcement["type"]) == (f"{AGENT}.erased", "meeting_agents.erased")
    data = announcement["data"]
    assert (data["state"], data["event_id"], data["account"], data["labels"]) == ("failed", "", "", {})
    assert data["meeting"] == {"summary": "", "start": None, "end": None, "tzid": "Etc/UTC"}
    assert not [mark for mark in (*MARKS.values(), "Weekly sync", NAME) if mark in json.dumps(announcement)]


def test_an_agent_is_gone_at_once_and_its_erasure_can_be_read(scene: Scene) -> None:
    failed(scene)
    _, remains = erase(scene)
    platform, agent = scene.platform, f"/v1/meeting_agents/{AGENT}"
    assert json.loads(platform.request("GET", DATA)["body"]) == remains
    for method, path in (("GET", ""), ("POST", "/retry"), ("GET", "/resources/cronofy")):
        assert platform.request(method, agent + path)["statusCode"] == 404
    assert platform.request("POST", f"{agent}/acknowledgement", {"note": "x"})["statusCode"] == 404
    listed = platform.request("GET", "/v1/meeting_agents?from=2091-04-25T00:00:00Z&to=2091-04-26T00:00:00Z")
    assert json.loads(listed["body"])["agents"] == []
    assert json.loads(platform.request("GET", "/v1/incidents")["body"])["incidents"] == []
    platform.settle()
    platform.tick("sweep")
    platform.settle()
    assert platform.alerts() == []
    assert naming(scene) == REMAINING


def test_the_same_request_again_says_the_same_and_announces_nothing_new(scene: Scene) -> None:
    failed(scene)
    first = erase(scene)
    scene.platform.settle()
    scene.platform.announcements()
    assert erase(scene) == first
    scene.platform.settle()
    assert scene.platform.announcements() == []


def test_what_cronofy_sends_later_is_answered_and_deleted(scene: Scene) -> None:
    """It is hidden from the first moment: no reader sees it, also before `track` deletes it."""
    failed(scene)
    erase(scene)
    scene.platform.settle()
    scene.platform.announcements()
    assert scene.notify(AGENT, NAME, "meeting_agent_complete")["statusCode"] == 200
    assert scene.platform.request("GET", f"/v1/meeting_agents/{AGENT}")["statusCode"] == 404
    assert len(naming(scene)) == 3
    scene.platform.settle()
    assert naming(scene) == REMAINING
    assert scene.platform.announcements() == []
    assert scene.platform.alerts() == []


def test_a_record_of_before_cannot_be_stored_again(scene: Scene) -> None:
    """A `track` that read the journal before the erasure stores the record after it: it finds the place taken."""
    failed(scene)
    client, now = scene.platform.client("dynamodb"), datetime.now(UTC)
    journal = Journal(Table(client, scene.platform.table), GracePeriods(), timedelta(days=90))
    entries = journal.read(AGENT, now)
    before = [item for item in scene.platform.items() if item["pk"]["S"] == AGENT and item["sk"]["S"] != keys.RECORD]
    erase(scene)
    assert journal.save_record(AGENT, timeline(entries), entries, now) == {}
    assert naming(scene) == REMAINING
    for item in before:  # as if they were written late
        client.put_item(TableName=scene.platform.table, Item=item)
    scene.platform.settle()
    assert naming(scene) == REMAINING


def test_a_request_for_an_erased_agent_is_refused_and_not_sent(scene: Scene) -> None:
    """A repetition would bring the data back."""
    failed(scene)
    erase(scene)
    scene.cronofy.forget_requests()
    event = scene.platform.http_event("POST", EVENTS, scene.event(NAME), {"cronofy-account": NAME})
    answer = scene.platform.invoke(*event).answer
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["code"]) == (409, "erased")
    assert "needs another event_id" in problem["detail"]
    assert not [request for request in scene.cronofy.requests if request.path == EVENTS]
    assert naming(scene) == REMAINING


def test_an_agent_that_may_still_come_is_cancelled_first(scene: Scene) -> None:
    scene.request_agent(scene.event(NAME))
    scene.platform.settle()
    status, problem = erase(scene)
    assert (status, problem["code"]) == (409, "agent_expected")
    assert problem["detail"] == (
        "the agent is scheduled and may still come: cancel it first, or erase its data after 2091-04-25T17:00:00Z"
    )
    assert len(naming(scene)) == 3
    scene.request_agent(scene.event(NAME, meeting_agent={"profile_id": "none"}))
    scene.platform.settle()
    assert erase(scene)[0] == 200
    assert naming(scene) == REMAINING


def test_an_agent_that_is_not_known_has_nothing_to_erase(scene: Scene) -> None:
    assert erase(scene)[0] == 404
    assert scene.platform.request("GET", DATA)["statusCode"] == 404
    assert naming(scene) == set()


def test_a_journal_that_has_expired_and_is_still_there_is_erased(scene: Scene) -> None:
    """DynamoDB deletes expired items within days."""
    failed(scene)
    scene.platform.expire(AGENT)
    assert scene.platform.request("GET", f"/v1/meeting_agents/{AGENT}")["statusCode"] == 404
    assert erase(scene)[0] == 200
    assert naming(scene) == REMAINING


def test_a_message_in_a_queue_about_an_erased_agent_is_dropped(scene: Scene) -> None:
    """The journal is read anew: nothing is owed, and the message is done."""
    failed(scene)
    erase(scene)
    scene.platform.settle()
    scene.platform.alerts()
    body = json.dumps({"subject": AGENT})
    for function in ("alert", "forward"):
        record = {"messageId": "1", "body": body, "receiptHandle": "x", "attributes": {"ApproximateReceiveCount": "1"}}
        done = scene.platform.invoke(function, {"Records": [record | {"eventSource": "aws:sqs"}]})
        assert (done.error, done.answer) == ("", {"batchItemFailures": []})
    assert scene.platform.alerts() == []
    assert naming(scene) == REMAINING


def test_a_replay_of_an_erased_agent_announces_its_erasure_again(scene: Scene) -> None:
    failed(scene)
    erase(scene)
    scene.platform.settle()
    scene.platform.announcements()
    answer = scene.platform.request("POST", f"/v1/meeting_agents/{AGENT}/replay")
    assert json.loads(answer["body"])["announcements"] == [f"{AGENT}.erased"]
    (announcement,) = scene.platform.announcements()
    assert announcement["data"]["replayed"] is True


# --------------------------------------------------------------------------------------------------------------- layout


def test_the_layout_says_of_every_kind_of_item_what_an_erasure_does_to_it() -> None:
    """A builder of a key has a row, and one that takes an agent's id says how the agent goes from it."""
    rows = {(row[0], row[1]): row[2] for row in ROWS.values()}
    for name, builder in BUILDERS.items():
        arguments = inspect.signature(builder).parameters
        key = {attribute: value["S"] for attribute, value in builder(*(f"<{each}>" for each in arguments)).items()}
        words = {
            "agent_id": "id of the agent",
            "caller": "the caller",
            "silence_name": "the name of the silence",
            "name": "its name",
            "hour": "the hour",
        }
        words |= {"data_center": "the data center", "key": "the group's key" if name == "group" else "the entry's key"}
        shown = [key["pk"], key["sk"]]
        for argument in arguments:
            shown = [text.replace(f"<{argument}>", words[argument]) for text in shown]
        found = [
            what
            for row, what in rows.items()
            if [re.sub("`| and ", "", cell) for cell in row] == [re.sub(" and ", "", text) for text in shown]
        ]
        assert len(found) == 1, f"{name}: {shown}"
        assert ("names no agent" not in found[0]) is ("agent_id" in arguments or name == "silence"), name
    assert len(ROWS) == len(BUILDERS) + 1  # the erasure itself is an entry


# ---------------------------------------------------------------------------------------------------------- permissions


def allowed(policy: str) -> list[str]:
    """The routes that a policy allows, as `METHOD/path` with `*`."""
    (statement,) = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "execute-api:Invoke")
    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return [resource["Fn::Sub"].partition("$default/")[2] for resource in resources]


def may_call(policy: str, route: str) -> bool:
    """As IAM compares: `*` matches anything, also slashes."""
    target = re.sub(r"\{\w+\}", "x", route.replace(" ", ""))
    patterns = (re.escape(pattern).replace(r"\*", ".*") for pattern in allowed(policy))
    return any(re.fullmatch(pattern, target) for pattern in patterns)


ROUTES = [
    f"{event['Properties']['Method']} {event['Properties']['Path']}"
    for event in RESOURCES["ProvisionFunction"]["Properties"]["Events"].values()
    if "Path" in event["Properties"]
]


@pytest.mark.parametrize("route", ROUTES)
def test_erasing_is_a_permission_of_its_own(route: str) -> None:
    """The policy for callers has every route but that one, and the other policy nothing else."""
    erases = route == "DELETE /v1/meeting_agents/{agent_id}/data"
    assert may_call("CallerPolicy", route) is not erases
    assert may_call("ErasurePolicy", route) is (erases or route == "GET /v1/meeting_agents/{agent_id}/data")
