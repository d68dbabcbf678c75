"""The sending of a parcel to a channel: what its answer says, how long it takes, and what is never said of it."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from meeting_agents.channels.channel import Answer, Channel, Outcome, Parcel
from meeting_agents.channels.client import ChannelClient
from meeting_agents.channels.stored import read_channels
from meeting_agents.domain.model import ChangeType
from meeting_agents.errors import MissingSetting
from tests.unit.channels.test_kinds import CHANNELS, NOW, changes

type Answering = Callable[[httpx.Request], httpx.Response]


def no_topic() -> Any:
    raise MissingSetting("there is no topic")


def send(channel: Channel, answering: Answering, parcel: Parcel | None = None) -> Answer:
    """Send a parcel to a channel that answers like this."""
    with httpx.Client(transport=httpx.MockTransport(answering)) as http:
        client = ChannelClient(http, "http://channels.test/{host}", no_topic)
        return client.send(channel, parcel or Parcel(changes(ChangeType.TRIGGER), NOW))


# ------------------------------------------------------------------------------------------- secrets in answers

ADDRESS = "https://irm.example.com/integrations/v1/formatted_webhook/Yt5-kSecretOfOne/?token=b%2Bq%2FSecret%3D&n=1"
IRM: Channel = read_channels(json.dumps([{"name": "irm", "kind": "grafana", "url": ADDRESS}])).channels[0]


def quoting(words: str, status: int = 400) -> Answering:
    return lambda request: httpx.Response(status, text=words)


@pytest.mark.parametrize("status", [400, 404, 503])
@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (IRM, "Cannot POST /integrations/v1/formatted_webhook/Yt5-kSecretOfOne/"),
        (IRM, "no such hook: Yt5-kSecretOfOne"),
        (IRM, "no such hook: YT5-KSECRETOFONE"),
        (IRM, "the token b+q/Secret= is wrong"),
        (IRM, "/?token=b%2Bq%2FSecret%3D&amp;n=1"),
        (IRM, json.dumps({"message": "POST /formatted_webhook/Yt5-kSecretOfOne/"}).replace("/", r"\/")),
        (IRM, json.dumps({"message": "token b+q/Secret="}).replace("+", r"\u002b").replace("/", r"\u002F")),
        (CHANNELS["team"], "no_service for secret-of-the-webhook"),
        (CHANNELS["team-threads"], "xoxb-secret-of-the-bot may not write to C0123456789"),
        (CHANNELS["own"], f"{CHANNELS['own'].secrets[0]} {quote(CHANNELS['own'].secrets[0], safe='')}"),
        (CHANNELS["pager"], json.dumps({"errors": [f"unknown key {CHANNELS['pager'].key}"]})),
        (CHANNELS["desk"], json.dumps({"message": f"GenieKey {CHANNELS['desk'].key}"})),
    ],
)
def test_a_problem_tells_no_secret_that_the_answer_quotes(channel: Channel, words: str, status: int) -> None:
    """It is logged, sent to the other channels, and in e-mails."""
    problem = send(channel, quoting(words, status)).problem
    assert problem.startswith(f"it answered {status}")
    assert "…" in problem
    for secret in ("yt5-k", "secret", "xoxb", "C0123456789", "b+q", channel.key or "none", *channel.secrets):
        assert secret.lower() not in problem.lower().replace("no_service", "")


def test_a_secret_is_not_cut_in_two_by_the_end_of_the_quotation() -> None:
    problem = send(IRM, quoting("x" * 190 + "Yt5-kSecretOfOne")).problem
    assert "Yt5" not in problem


def test_a_problem_is_quoted_as_it_is_where_it_tells_no_secret() -> None:
    """The vendor's own address, which is not stored, is no secret."""
    words = "the events/enqueue of v2 is full"
    assert send(CHANNELS["pager"], quoting(words, 503)).problem == f"it answered 503: {words}"


def test_an_answer_is_read_whole() -> None:
    """The room is in the id by which a message is found again."""
    answer = send(CHANNELS["team-threads"], quoting('{"ok": true, "channel": "C0123456789", "ts": "1.5"}', 200))
    assert (answer.outcome, answer.message) == (Outcome.TAKEN, "C0123456789/1.5")


def test_an_answer_of_a_thousand_levels_has_a_meaning() -> None:
    assert send(CHANNELS["pager"], quoting("[" * 60_000, 500)).outcome is Outcome.LATER


# ------------------------------------------------------------------------------------------- a message that is gone


class Deleted:
    """Slack, after somebody deleted a message. `answers`: those to the requests, in order."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.sent: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(json.loads(request.content))
        return httpx.Response(200, json=self.answers.pop(0))


@pytest.mark.parametrize("error", ["thread_not_found", "message_not_found"])
@pytest.mark.parametrize("is_alone", [True, False])
def test_an_escalation_whose_message_was_deleted_is_a_message_of_its_own(error: str, *, is_alone: bool) -> None:
    """Its id takes the place of the old one."""
    slack = Deleted({"ok": False, "error": error}, {"ok": True, "channel": "C0123456789", "ts": "2.5"})
    answer = send(CHANNELS["team-threads"], slack, Parcel(changes(ChangeType.TRIGGER), NOW, "C1/1.5", is_alone))
    assert [content.get("thread_ts") for content in slack.sent] == ["1.5", None]
    assert answer == Answer(Outcome.TAKEN, message="C0123456789/2.5", is_gone=True)


def test_an_escalation_is_sent_once_more_and_not_again() -> None:
    slack = Deleted({"ok": False, "error": "thread_not_found"}, {"ok": False, "error": "ratelimited"})
    answer = send(CHANNELS["team-threads"], slack, Parcel(changes(ChangeType.TRIGGER), NOW, "C1/1.5"))
    assert (answer.outcome, len(slack.sent)) == (Outcome.LATER, 2)


@pytest.mark.parametrize("action", [ChangeType.ACKNOWLEDGE, ChangeType.RESOLVE])
def test_no_end_is_sent_where_the_message_was_deleted(action: ChangeType) -> None:
    slack = Deleted({"ok": False, "error": "message_not_found"})
    answer = send(CHANNELS["team-threads"], slack, Parcel(changes(action), NOW, "C1/1.5"))
    assert (answer.outcome, len(slack.sent)) == (Outcome.TAKEN, 1)


# ------------------------------------------------------------------------------------------------------------- time


def test_headers_that_drip_in_end_with_the_total_time() -> None:
    """Each part comes in time, their sum does not. The channel may take it later."""

    def drip() -> None:
        with suppress(OSError), server.accept()[0] as connection:
            connection.recv(65536)
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: 1\r\n" * 50:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as server, httpx.Client(trust_env=False) as http:
        Thread(target=drip, daemon=True).start()
        client = ChannelClient(http, f"http://127.0.0.1:{server.getsockname()[1]}", no_topic, total_timeout=0.5)
        began = time.monotonic()
        answer = client.send(CHANNELS["pager"], Parcel(changes(ChangeType.TRIGGER), NOW))
        assert time.monotonic() - began < 5.0
    assert (answer.outcome, answer.problem) == (Outcome.LATER, "it did not answer: TimeoutError")
