"""The secret of the channels: strict, and without a value in any problem."""

import base64
import json
from typing import Any

import pytest

from meeting_agents.channels.channel import Channel
from meeting_agents.channels.kinds import KINDS, kind_of
from meeting_agents.channels.slack import BOT, WEBHOOK
from meeting_agents.channels.stored import Stored, read_channels
from meeting_agents.errors import MissingSecret
from tests.sandbox.receivers import Receivers

SECRET = "whsec_" + base64.b64encode(b"sixteen bytes or more").decode()
PAGER: dict[str, Any] = {"name": "pager", "kind": "pagerduty", "routing_key": "e93facc04764012d7bfb002500d5d1a6"}
SLACK: dict[str, Any] = {"name": "team", "kind": "slack", "url": "https://hooks.slack.com/services/T/B/secret"}
OWN: dict[str, Any] = {"name": "own", "kind": "https", "url": "https://alerts.example.com/", "secrets": [SECRET]}


def read(*values: Any) -> Stored:
    return read_channels(json.dumps(values))


def test_every_kind_is_stored_as_the_sandbox_does() -> None:
    stored = read_channels(json.dumps([*Receivers().stored.values(), {"name": "bus", "kind": "topic"}]))

    assert stored.problems == {}
    assert {channel.kind for channel in stored.channels} == set(KINDS)
    ways = {channel.name: kind_of(channel) for channel in stored.channels if channel.kind == "slack"}
    assert ways == {"team": WEBHOOK, "team-threads": BOT}


def test_a_vendors_address_is_known_unless_another_one_of_it_is_stored() -> None:
    european = "https://events.eu.pagerduty.com/v2/enqueue"
    addresses = [read(PAGER | more).channels[0].address for more in ({}, {"url": european})]
    assert addresses == ["https://events.pagerduty.com/v2/enqueue", european]


def test_filters_are_read() -> None:
    wanted = {"severity": ["critical"], "type": ["failed"], "account": ["alice"], "data_center": ["de", "us"]}
    [channel] = read(PAGER | wanted | {"label": ["region:emea", "team:sales", "team:support"]}).channels
    assert {name: sorted(getattr(channel, name)) for name in wanted} == wanted
    assert channel.label == {"region": ("emea",), "team": ("sales", "support")}


@pytest.mark.parametrize("text", ["", "{}", "null", '{"name": "pager"}', "[", '"x"'])
def test_a_secret_that_is_no_list_is_an_outage(text: str) -> None:
    with pytest.raises(MissingSecret, match="ChannelsSecretArn"):
        read_channels(text)


@pytest.mark.parametrize(
    ("value", "where", "words"),
    [
        (7, "number 1", "no JSON object"),
        (PAGER | {"name": "My pager"}, "number 1", "lower-case"),
        (PAGER | {"name": 1}, "number 1", "lower-case"),
        (PAGER | {"kind": "pager"}, "pager", "one of slack, teams, pagerduty"),
        (PAGER | {"kind": ["pagerduty"]}, "pager", "one of"),
        (PAGER | {"routing-key": "x"}, "pager", "no member 'routing-key'; did you mean routing_key?"),
        ({"name": "pager", "kind": "pagerduty"}, "pager", "needs routing_key"),
        ({"name": "team", "kind": "slack"}, "team", "needs url or channel and token"),
        (SLACK | {"token": "xoxb"}, "team", "needs url or channel and token"),
        (PAGER | {"routing_key": ""}, "pager", "its routing_key must be a text"),
        (PAGER | {"routing_key": "has a space"}, "pager", "its routing_key must be a text"),
        (PAGER | {"routing_key": "line\n"}, "pager", "its routing_key must be a text"),
        (SLACK | {"url": "http://hooks.slack.com/x"}, "team", "https://"),
        (SLACK | {"url": "https://hooks.slack.com:8443/x"}, "team", "https://"),
        (SLACK | {"url": "https://user@hooks.slack.com/x"}, "team", "https://"),
        (SLACK | {"url": "https://hooks.slack.com/x#y"}, "team", "https://"),
        (SLACK | {"url": "https://[hooks.slack.com/x"}, "team", "no address"),
        (SLACK | {"url": "https://slack.com.example.com/x"}, "team", "at slack.com or slack-gov.com"),
        (OWN | {"secrets": SECRET}, "own", "a list of one to three"),
        (OWN | {"secrets": []}, "own", "a list of one to three"),
        (OWN | {"secrets": [SECRET] * 4}, "own", "a list of one to three"),
        (OWN | {"secrets": ["plain text"]}, "own", "whsec_"),
        (OWN | {"secrets": ["whsec_c2hvcnQ="]}, "own", "16 bytes"),
        (OWN | {"secrets": ["whsec_%%%"]}, "own", "whsec_"),
        (PAGER | {"severity": "critical"}, "pager", "its severity must be a list"),
        (PAGER | {"severity": ["urgent"]}, "pager", "critical, info, warning"),
        (PAGER | {"type": []}, "pager", "its type must be a list"),
        (PAGER | {"label": ["team"]}, "pager", "like team:sales"),
        (PAGER | {"label": ["my team:sales"]}, "pager", "like team:sales"),
        (PAGER | {"label": ["team:a,b"]}, "pager", "like team:sales"),
        (PAGER | {"account": [7]}, "pager", "its account must be a list"),
    ],
)
def test_each_mistake_is_named_and_no_value_is_quoted(value: Any, where: str, words: str) -> None:
    """The other channels are used."""
    stored = read(value, SLACK | {"name": "other"})

    assert [channel.name for channel in stored.channels] == ["other"]
    assert list(stored.problems) == [where]
    assert words in stored.problems[where]
    for secret in ("e93facc0", "services/T/B", "xoxb", "sixteen", SECRET, "plain text"):
        assert secret not in stored.problems[where]


def test_two_channels_of_one_name_are_a_problem_of_the_second() -> None:
    stored = read(PAGER, SLACK | {"name": "pager"})
    assert [channel.kind for channel in stored.channels] == ["pagerduty"]
    assert list(stored.problems) == ["number 2"], "the first one works"
    assert "same name" in stored.problems["number 2"]


def test_a_wrong_channel_is_no_fault_of_another_with_its_name() -> None:
    stored = read(PAGER | {"kind": "pager"}, PAGER)
    assert [channel.name for channel in stored.channels] == ["pager"]
    assert list(stored.problems) == ["number 1"]


def test_a_label_is_stored_as_agents_have_it() -> None:
    """The names of labels are in lower case."""
    [channel] = read(PAGER | {"label": ["Team:Sales", "region:emea:north"]}).channels
    assert channel.label == {"team": ("Sales",), "region": ("emea:north",)}


def test_a_fingerprint_changes_with_what_is_stored_and_tells_nothing() -> None:
    [one], [same], [other] = (
        read(value).channels for value in (PAGER, PAGER | {"name": "x"}, PAGER | {"routing_key": "y"})
    )
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert isinstance(one, Channel)
    assert one.key not in one.fingerprint
