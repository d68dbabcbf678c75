"""The kinds of channels: each request is taken by a receiver that checks it, each answer is understood."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from meeting_agents.alerting.change import Change, Link
from meeting_agents.channels import signed, slack
from meeting_agents.channels.channel import Channel, Outcome, Parcel, Response, answer_of, fitted
from meeting_agents.channels.kinds import kind_of
from meeting_agents.channels.stored import read_channels
from meeting_agents.channels.teams import MAX_BYTES
from meeting_agents.domain.labels import parse_wanted
from meeting_agents.domain.model import ChangeType, IncidentType, Severity
from tests.sandbox.receivers import Receivers
from tests.sandbox.receivers.receiver import Request

NOW = datetime.now(UTC).replace(microsecond=0)
CHANGE = Change(
    action=ChangeType.TRIGGER,
    dedup_key="ma_1/1/failed",
    number=1,
    type=IncidentType.FAILED,
    severity=Severity.CRITICAL,
    summary='Meeting agent failed: "Quarterly review", 29 Apr 17:30 CEST',
    component="ma_1",
    source="meeting-agents",
    at=NOW,
    account="alice",
    data_center="us",
    detail="the lobby",
    next_steps=("Open the meeting.", "Ask a participant to take notes."),
    links=(
        Link("Timeline", "https://api.example.com/v1/meeting_agents/ma_1"),
        Link("Overview", "https://x.example.com"),
    ),
    more={"attempt": 1, "agent_id": "ma_1"},
)
HOSTILE = {
    "long": "x" * 20_000,
    "markup": "<!channel> <https://evil.example.com|click> *b* `c` & &amp; @here [a](https://b.example.com)",
    "many languages": "価格会議 Überprüfung 📅 " * 200,
    "quotes": '"\\\n\t{}' * 500,
}
RECEIVERS = Receivers()
CHANNELS = {channel.name: channel for channel in read_channels(json.dumps([*RECEIVERS.stored.values()])).channels}


def sent(channel: Channel, parcel: Parcel) -> tuple[int, Response]:
    """Send a parcel to a receiver without a network, and return the status and the answer."""
    request = kind_of(channel).build(channel, parcel)
    parts = urlsplit(request.address)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = RECEIVERS.by_host[str(parts.hostname)].answer(Request(path, headers, request.body))
    return answer.status, Response(answer.status, dict(answer.headers), answer.body.decode())


def changes(action: ChangeType, text: str = "", count: int = 1) -> tuple[Change, ...]:
    one = replace(CHANGE, action=action, note="I call them" if action is ChangeType.ACKNOWLEDGE else "")
    if text:
        one = replace(
            one, summary=text, detail=text, next_steps=(text,) * 5, note=text, more={"meeting": {"summary": text}}
        )
    return tuple(replace(one, dedup_key=f"ma_{number}/1/failed") for number in range(count))


@pytest.mark.parametrize(
    ("name", "action"), [(n, a) for n, a in product(CHANNELS, ChangeType) if a in kind_of(CHANNELS[n]).actions]
)
@pytest.mark.parametrize("text", ["", *HOSTILE.values()], ids=["plain", *HOSTILE])
def test_a_receiver_takes_each_change(name: str, action: ChangeType, text: str) -> None:
    channel = CHANNELS[name]
    status, response = sent(channel, Parcel(changes(action, text), datetime.now(UTC)))
    assert status < 300
    assert kind_of(channel).read(response, NOW).outcome is Outcome.TAKEN, response


@pytest.mark.parametrize("name", [name for name, channel in CHANNELS.items() if kind_of(channel).is_chat])
@pytest.mark.parametrize("text", ["", *HOSTILE.values()], ids=["plain", *HOSTILE])
def test_a_chat_takes_many_changes_at_once(name: str, text: str) -> None:
    channel = CHANNELS[name]
    for action in ChangeType:
        _, response = sent(channel, Parcel(changes(action, text, count=50), datetime.now(UTC)))
        assert kind_of(channel).read(response, NOW).outcome is Outcome.TAKEN, response


def test_a_chat_makes_nothing_of_text_from_outside() -> None:
    """No mention, no link, no image."""
    parcel = Parcel(changes(ChangeType.TRIGGER, HOSTILE["markup"]), NOW)
    body = slack.WEBHOOK.build(CHANNELS["team"], parcel).body.decode()
    for mark in ("<!", "<https://evil", "|click", "https://b.example"):
        assert mark not in body
    assert "&amp;" in body


def test_a_card_is_shortened_until_it_fits() -> None:
    one = replace(CHANGE, summary="📅" * 100, next_steps=("📅" * 1000,) * 5)
    many = tuple(replace(one, dedup_key=f"ma_{number}/1/failed") for number in range(50))
    body = kind_of(CHANNELS["office"]).build(CHANNELS["office"], Parcel(many, NOW)).body
    assert MAX_BYTES // 4 < len(body) <= MAX_BYTES
    assert "… and " in body.decode()


def test_the_details_of_an_alert_in_jira_are_plain_texts() -> None:
    request = kind_of(CHANNELS["desk"]).build(CHANNELS["desk"], Parcel(changes(ChangeType.TRIGGER, "x"), NOW))
    details = json.loads(request.body)["details"]
    assert details["account"] == "alice"
    assert {"meeting", "next_steps"} & details.keys() == set()


def test_a_signature_is_that_of_the_published_example() -> None:
    """The example of the specification's libraries."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert signed.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_a_receiver_with_the_old_or_the_new_secret_accepts_while_they_are_replaced() -> None:
    old = CHANNELS["own"]
    new = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVg=="
    for secrets, is_taken in ((old.secrets, True), ((new, *old.secrets), True), ((new,), False)):
        status, _ = sent(replace(old, secrets=secrets), Parcel(changes(ChangeType.TRIGGER), datetime.now(UTC)))
        assert (status < 300) is is_taken


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "seconds"),
    [
        (200, {}, Outcome.TAKEN, None),
        (204, {}, Outcome.TAKEN, None),
        (0, {}, Outcome.LATER, None),
        (302, {}, Outcome.OFF, None),
        (400, {}, Outcome.REFUSED, None),
        (401, {}, Outcome.OFF, None),
        (403, {}, Outcome.OFF, None),
        (404, {}, Outcome.OFF, None),
        (408, {}, Outcome.LATER, None),
        (410, {}, Outcome.OFF, None),
        (413, {}, Outcome.REFUSED, None),
        (422, {}, Outcome.REFUSED, None),
        (429, {"retry-after": "30"}, Outcome.LATER, 30.0),
        (429, {"retry-after": " 1.5 "}, Outcome.LATER, 1.5),
        (
            429,
            {"retry-after": (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")},
            Outcome.LATER,
            90.0,
        ),
        (429, {"retry-after": "soon"}, Outcome.LATER, None),
        (503, {"retry-after": "-1"}, Outcome.LATER, None),
        (500, {}, Outcome.LATER, None),
    ],
)
def test_each_status_has_one_meaning(
    status: int, headers: dict[str, str], outcome: Outcome, seconds: float | None
) -> None:
    answer = answer_of(Response(status, headers, "some\x00 words" * 100), NOW)
    assert (answer.outcome, answer.retry_after) == (outcome, seconds)
    assert len(answer.problem) < 300
    assert answer.problem.isprintable()


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("invalid_auth", Outcome.OFF),
        ("not_in_channel", Outcome.OFF),
        ("ratelimited", Outcome.LATER),
        ("invalid_blocks", Outcome.REFUSED),
        ("message_not_found", Outcome.TAKEN),
    ],
)
def test_slacks_errors_come_with_status_200(error: str, outcome: Outcome) -> None:
    answer = slack.BOT.read(Response(200, {}, json.dumps({"ok": False, "error": error})), NOW)
    assert answer.outcome is outcome


@pytest.mark.parametrize(
    "words", ["", "no JSON", "[]", '{"errors": 7}', '{"error": "x"}', '{"error": {"message": 7}}', '{"ok": null}']
)
@pytest.mark.parametrize("name", CHANNELS)
def test_an_answer_of_any_body_has_a_meaning(name: str, words: str) -> None:
    for status in (200, 400, 500):
        assert kind_of(CHANNELS[name]).read(Response(status, {}, words), NOW).outcome in Outcome


def test_slack_finds_its_message_again() -> None:
    """A reminder answers in the thread; what ends an incident changes its message; one of many is answered, too."""
    channel = CHANNELS["team-threads"]
    build: Callable[[Parcel], Any] = lambda parcel: kind_of(channel).build(channel, parcel)  # noqa: E731
    reminder = build(Parcel(changes(ChangeType.TRIGGER), NOW, "C1/1.5"))
    resolved = build(Parcel(changes(ChangeType.RESOLVE), NOW, "C1/1.5"))
    of_many = build(Parcel(changes(ChangeType.RESOLVE), NOW, "C1/1.5", is_alone=False))
    assert [each.address.rpartition("/")[2] for each in (reminder, resolved, of_many)] == [
        "chat.postMessage",
        "chat.update",
        "chat.postMessage",
    ]
    contents = [json.loads(each.body) for each in (reminder, resolved, of_many)]
    assert [content.get("thread_ts") for content in contents] == ["1.5", None, "1.5"]
    assert [content.get("reply_broadcast") for content in contents] == [True, None, None], "a reminder is seen"
    assert contents[1]["ts"] == "1.5"


def test_whole_lines_are_kept_and_the_others_counted() -> None:
    assert fitted(["a", "b"], 100) == "a\nb"
    lines = fitted([f"line {number}" for number in range(100)], 60).splitlines()
    assert lines[-1] == f"… and {100 - len(lines) + 1} more"
    assert len("\n".join(lines)) <= 60


def test_a_channel_wants_what_its_filters_name() -> None:
    channel = CHANNELS["pager"]
    assert channel.wants(CHANGE)
    assert replace(channel, severity=frozenset({"critical"}), account=frozenset({"alice"})).wants(CHANGE)
    for name in ("severity", "type", "account", "data_center"):
        other: dict[str, Any] = {name: frozenset({"other"})}
        assert not replace(channel, **other).wants(CHANGE)


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        ((), True),
        (("team:sales",), True),
        (("team:support", "team:sales"), True),
        (("team:sales", "region:emea"), True),
        (("team:support",), False),
        (("team:sales", "region:apac"), False),
        (("team:sal",), False),
    ],
)
def test_a_channel_wants_one_of_each_labels_values(wanted: tuple[str, ...], is_wanted: bool) -> None:
    change = replace(CHANGE, labels=("region:emea", "team:sales"))
    assert replace(CHANNELS["pager"], label=parse_wanted(wanted)).wants(change) is is_wanted
