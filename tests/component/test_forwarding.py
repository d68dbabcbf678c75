"""Changes that are forwarded to channels: decided from journals and groups as they are now, on real tables."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from functions.alert.app import publish_alerts
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.channels.channel import Answer, Channel, Outcome, Parcel
from meeting_agents.channels.client import ChannelClient
from meeting_agents.channels.stored import read_channels
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.groups import ChannelFailure, Group
from meeting_agents.domain.model import AlertStatus, EntryType, IncidentType, Severity
from meeting_agents.domain.record import LastAlert
from meeting_agents.domain.silences import Silence
from meeting_agents.errors import MissingSetting, StoreUnavailable
from meeting_agents.forwarding import LONGEST_WAIT, PATIENCE, Forwarded, Forwarder
from meeting_agents.operations import acknowledge
from meeting_agents.publishing import Publisher
from tests.component.test_publishing import Topic, agent, hear, silence
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.receivers import Receivers
from tests.unit.alerting.test_message import LINKS, History

ALWAYS = lambda: True  # noqa: E731
KEY = "1/never_activated"


class Office:
    """Agents on the tables of a desk, the alerts about them, and the channels to which these are forwarded."""

    def __init__(self, desk: Desk, receivers: Receivers, http: httpx.Client) -> None:
        self.desk = desk
        desk.now = datetime.now(UTC).replace(microsecond=0)
        self.receivers = receivers
        self.topic: AlertsTopic = Topic()
        self.stored = [receivers.stored["pager"]]
        self.pauses: list[float] = []
        self._client = ChannelClient(http, receivers.url + "/{host}", self._no_topic)

    def _no_topic(self) -> Any:
        raise MissingSetting("there is no topic")

    def forwarder(self) -> Forwarder:
        channels = read_channels(json.dumps(self.stored)).channels
        return Forwarder(
            self.desk.journal(),
            self.desk.groups(),
            channels,
            self._client,
            LINKS,
            self.desk.silences().quiet,
            lambda: self.desk.now,
            self.pauses.append,
        )

    def alert(self, *histories: History, groups: set[Group] | None = None) -> None:
        """Publish the alerts that are owed, as `alert` does."""
        publisher = Publisher(
            self.desk.journal(),
            self.desk.groups(),
            self.topic,
            LINKS,
            self.desk.event_triggers(),
            self.desk.silences(),
            lambda: self.desk.now,
        )
        publish_alerts(
            {history.agent for history in histories} | (groups or set()), publisher, self.desk.lease("alert")
        )

    def forward(self, *subjects: History | Group) -> Forwarded:
        agents = {each.agent for each in subjects if isinstance(each, History)}
        groups = {each for each in subjects if isinstance(each, Group)}
        return self.forwarder().forward(agents, groups, ALWAYS)

    def silent(self, name: str = "review") -> History:
        """An agent that is silent in its meeting, and of which people were alerted."""
        history = agent(self.desk, name)
        silence(self.desk, history)
        self.alert(history)
        return history

    def over(self, history: History) -> None:
        """The agent reports itself, and people are alerted that the incident is over."""
        hear(self.desk, history, "meeting_agent_activated", self.desk.now)
        self.alert(history)

    def receipts(self, history: History) -> list[tuple[str, str]]:
        reasons = [
            step.entry.reason for step in self.desk.steps(history.agent) if step.entry.kind is EntryType.DELIVERED
        ]
        return [(reason["channel"], reason["action"]) for reason in reasons if reason]

    def failing(self, name: str = "pager") -> Any:
        return self.desk.groups().read(Group(IncidentType.CHANNEL_FAILING, name)).failure


@pytest.fixture
def office(aws: EmbeddedAws) -> Iterator[Office]:
    with Desk(aws) as desk, Receivers() as receivers, httpx.Client(trust_env=False) as http:
        yield Office(desk, receivers, http)


# ------------------------------------------------------------------------------------------------------ what is owed


def test_a_change_is_sent_once(office: Office) -> None:
    """However often the agent is looked at."""
    history = office.silent()
    results = [office.forward(history) for _ in range(3)]

    assert [len(result.taken) for result in results] == [1, 0, 0]
    assert len(office.receivers.pagerduty.taken) == 1
    assert office.receipts(history) == [("pager", "trigger")]


def test_an_acknowledgement_and_the_end_follow_with_the_same_key(office: Office) -> None:
    history = office.silent()
    office.forward(history)
    acknowledge(office.desk.journal(), history.agent, "I call them", "", office.desk.now)
    office.forward(history)
    office.over(history)
    office.forward(history)

    [alert] = office.receivers.pagerduty.alerts.values()
    assert [content["event_action"] for content in alert.messages] == ["trigger", "acknowledge", "resolve"]
    assert alert.status == "resolved"


def test_a_channel_gets_nothing_of_an_incident_that_is_over_before_it_is_back(office: Office) -> None:
    history = office.silent()
    office.receivers.pagerduty.go_down()
    assert office.forward(history).failed == {history.agent}
    office.over(history)
    office.receivers.pagerduty.come_back()

    result = office.forward(history)

    assert (result.failed, result.taken) == (set(), [])
    assert office.receivers.pagerduty.taken == []


def test_a_channel_that_is_back_gets_the_newest_word(office: Office) -> None:
    """An incident that was acknowledged meanwhile is opened and acknowledged."""
    history = office.silent()
    office.receivers.pagerduty.go_down()
    office.forward(history)
    acknowledge(office.desk.journal(), history.agent, "I call them", "", office.desk.now)
    office.receivers.pagerduty.come_back()
    office.forward(history)

    assert office.receipts(history) == [("pager", "trigger"), ("pager", "acknowledge")]


def test_an_incident_that_ends_without_good_news_is_closed_where_it_was_opened(office: Office) -> None:
    """The agent failed after it was silent: the alert about the silence is never resolved, the pager's is."""
    history = office.silent()
    office.forward(history)
    hear(office.desk, history, "meeting_agent_failed", office.desk.now)
    office.alert(history)
    office.forward(history)

    statuses = {key.partition("/")[2]: alert.status for key, alert in office.receivers.pagerduty.alerts.items()}
    assert statuses == {KEY: "resolved", "1/failed": "triggered"}


def test_a_death_between_request_and_entry_repeats_the_key_and_pages_once(office: Office) -> None:
    history = office.silent()
    forwarder = office.forwarder()
    forwarder._record = lambda *_: (_ for _ in ()).throw(StoreUnavailable("dead"))  # type: ignore[method-assign]
    assert forwarder.forward({history.agent}, (), ALWAYS).failed == {history.agent}
    office.forward(history)

    assert len(office.receivers.pagerduty.taken) == 2
    assert office.receivers.pagerduty.opened == 1


def test_filters_choose_new_incidents_and_what_was_opened_is_closed(office: Office) -> None:
    history = office.silent()
    office.stored = [office.receivers.stored["pager"] | {"severity": ["warning"]}]
    assert office.forward(history).taken == []
    office.stored = [office.receivers.stored["pager"]]
    office.forward(history)
    office.stored = [office.receivers.stored["pager"] | {"severity": ["warning"]}]
    office.over(history)

    assert [change.action for _, change in office.forward(history).taken] == ["resolve"]


def test_many_incidents_are_one_message_in_a_chat_and_single_ones_at_a_pager(office: Office) -> None:
    histories = [office.silent(f"review {number}") for number in range(5)]
    stored = office.receivers.stored
    office.stored = [stored[name] for name in ("team", "team-threads", "office", "pager")]
    office.forward(*histories)

    receivers = office.receivers
    assert [len(each.taken) for each in (receivers.slack, receivers.slack_bot, receivers.teams)] == [1, 1, 1]
    assert len(receivers.pagerduty.taken) == 5
    assert "5 incidents: 5 never activated" in receivers.slack.messages[0]["text"]
    office.over(histories[0])
    office.forward(*histories)
    [message] = receivers.slack_bot.messages.values()
    assert [reply["text"].partition(":")[0] for reply in message.thread] == ["Over"], "the others still stand"


def test_an_acknowledgement_changes_the_message_of_one_incident(office: Office) -> None:
    office.stored = [office.receivers.stored["team-threads"]]
    history = office.silent()
    office.forward(history)
    acknowledge(office.desk.journal(), history.agent, "I call <them>", "", office.desk.now)
    office.forward(history)

    [message] = office.receivers.slack_bot.messages.values()
    assert message.updates == 1
    assert message.content["text"].startswith("Acknowledged: ")


# ----------------------------------------------------------------------------------------------------------- groups


def fire(office: Office, group: Group) -> None:
    groups = office.desk.groups()
    last = LastAlert(status=AlertStatus.FIRING, severity=Severity.CRITICAL, at=office.desk.now, count=1)
    groups.record_alert(group, groups.read(group), last)


def test_the_incident_of_a_group_goes_the_same_way(office: Office) -> None:
    group, groups = Group(IncidentType.CALLBACKS_MISSING, "de"), office.desk.groups()
    fire(office, group)
    office.forward(group)
    office.forward(group)
    groups.acknowledge(group, Acknowledgement(at=office.desk.now, note="I look"))
    office.forward(group)
    before = groups.read(group)
    assert before.last
    groups.record_alert(group, before, replace(before.last, status=AlertStatus.RESOLVED, count=2))
    office.forward(group)

    [alert] = office.receivers.pagerduty.alerts.values()
    assert [content["event_action"] for content in alert.messages] == ["trigger", "acknowledge", "resolve"]
    assert alert.messages[0]["payload"]["component"] == "de"
    fire(office, group)
    office.forward(group)
    assert office.receivers.pagerduty.opened == 2, "it opened again"


def test_the_message_about_a_group_names_no_agent_that_a_silence_is_for(office: Office) -> None:
    """As the alert about the group."""
    histories = [agent(office.desk, f"review {number}") for number in range(4)]
    for history in histories:
        silence(office.desk, history)
        office.desk.track(history.agent)
    quiet = Silence(
        name="known",
        start=office.desk.now - timedelta(hours=1),
        end=office.desk.now + timedelta(hours=1),
        why="a test",
        agents=frozenset({histories[0].agent}),
    )
    office.desk.silences().put(quiet, office.desk.now)
    group = Group(IncidentType.CALLBACKS_MISSING, "de")
    fire(office, group)
    [(_, change)] = office.forward(group).taken

    assert set(change.more["agents"]) == {history.agent for history in histories[1:]}


@pytest.mark.parametrize(
    ("filters", "taken"),
    [
        ({}, ["callbacks_missing"]),
        ({"account": ["acc_567236000909002"]}, ["never_activated"]),
        ({"account": ["another"]}, []),
        ({"label": ["team:sales"]}, ["callbacks_missing"]),
        ({"label": ["team:another"]}, []),
        ({"type": ["callbacks_missing", "never_activated"]}, ["callbacks_missing"]),
        ({"type": ["never_activated"]}, ["never_activated"]),
    ],
)
def test_an_agent_of_a_group_is_sent_where_the_group_is_not_wanted(
    office: Office, filters: dict[str, list[str]], taken: list[str]
) -> None:
    """The alert about the group covers it; a channel for one account or team never gets that one."""
    labels = [{"team": "sales"}, {"team": "support"}, {}, {}]
    histories = [agent(office.desk, f"review {number}", labels=of_one) for number, of_one in enumerate(labels)]
    for history in histories:
        silence(office.desk, history)
        office.desk.track(history.agent)
    office.alert(*histories)
    office.stored = [office.receivers.stored["pager"] | filters]
    group, first = Group(IncidentType.CALLBACKS_MISSING, "de"), histories[0]

    assert [change.type for _, change in office.forward(group, first).taken] == taken
    assert office.forward(group, first).taken == [], "once"
    office.over(first)
    assert [change.action for _, change in office.forward(first).taken] == ["resolve"] * taken.count("never_activated")


def test_the_group_of_many_agents_is_looked_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage has a thousand of them."""
    histories = [agent(office.desk, f"review {number}") for number in range(4)]
    for history in histories:
        silence(office.desk, history)
    office.alert(*histories)
    looked: list[Group] = []

    def waiting(_: Groups, group: Group, *__: Any) -> list[Any]:
        looked.append(group)
        return []

    monkeypatch.setattr(Groups, "waiting", waiting)
    office.forward(*histories)
    assert looked == [Group(IncidentType.CALLBACKS_MISSING, "de")]


@pytest.mark.parametrize("filters", [{"account": ["a"]}, {"data_center": ["de"]}, {"label": ["team:sales"]}])
def test_a_failing_channel_is_reported_to_channels_for_one_team_too(
    office: Office, filters: dict[str, list[str]]
) -> None:
    failing = Group(IncidentType.CHANNEL_FAILING, "desk")
    fire(office, failing)
    office.stored = [office.receivers.stored["pager"] | filters]
    assert len(office.forward(failing).taken) == 1


@pytest.mark.parametrize("name", ["pager", "team-threads", "own"])
def test_an_incident_that_opens_again_is_sent_anew_where_it_is_acknowledged(office: Office, name: str) -> None:
    """The channel was down when that one ended. Its acknowledged alert would take the new one without a page."""
    office.stored = [office.receivers.stored[name]]
    group, groups = Group(IncidentType.CALLBACKS_MISSING, "de"), office.desk.groups()
    fire(office, group)
    groups.acknowledge(group, Acknowledgement(at=office.desk.now, note="I look"))
    assert len(office.forward(group).taken) == 2
    for status, count in ((AlertStatus.RESOLVED, 2), (AlertStatus.FIRING, 3)):
        before = groups.read(group)
        assert before.last
        groups.record_alert(group, before, replace(before.last, status=status, count=count))

    taken = [change for _, change in office.forward(group).taken]
    assert [(change.action, change.number) for change in taken] == [("resolve", 1), ("trigger", 3)]
    receivers = office.receivers
    assert {"pager": receivers.pagerduty.opened, "team-threads": len(receivers.slack_bot.messages)}.get(name, 2) == 2
    assert office.forward(group).taken == []


def test_a_reminder_whose_message_was_deleted_is_a_new_message(office: Office) -> None:
    """The end of the incident changes the new one."""
    office.stored = [office.receivers.stored["team-threads"]]
    group, groups, messages = Group(IncidentType.CALLBACKS_MISSING, "de"), office.desk.groups(), []
    fire(office, group)
    office.forward(group)
    office.receivers.slack_bot.messages.clear()
    for status in (AlertStatus.FIRING, AlertStatus.RESOLVED):
        before = groups.read(group)
        assert before.last
        last = replace(before.last, status=status, count=before.last.count + 1, reminders=1)
        groups.record_alert(group, before, last)
        office.forward(group)
        messages.append(list(office.receivers.slack_bot.messages.values()))

    [[reminder], [resolved]] = messages
    assert reminder is resolved
    assert (resolved.updates, resolved.thread) == (1, [])


# --------------------------------------------------------------------------------------------------- failing channels


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_channel_that_fails_for_ten_minutes_is_an_incident(office: Office, status: int) -> None:
    """Resolved by the next thing that it takes."""
    history = office.silent()
    office.receivers.pagerduty.go_down(status)
    assert office.forward(history).failing == set()
    office.desk.now += PATIENCE
    failing = Group(IncidentType.CHANNEL_FAILING, "pager")
    assert office.forward(history).failing == {failing}
    office.alert(groups={failing})
    assert any("Channel pager takes no alerts" in subject for subject in office.topic.subjects)  # type: ignore[attr-defined]
    office.receivers.pagerduty.come_back()
    office.forward(history)
    office.alert(groups={failing})

    assert office.failing() is None
    assert office.topic.subjects[-1].endswith("Channel pager takes alerts again")  # type: ignore[attr-defined]


def test_a_failing_channel_is_reported_through_the_others_alone(office: Office) -> None:
    stored = office.receivers.stored
    office.stored = [stored["pager"], stored["desk"]]
    failing = Group(IncidentType.CHANNEL_FAILING, "pager")
    fire(office, failing)
    office.forward(failing)

    assert office.receivers.pagerduty.requests == []
    assert list(office.receivers.jira.alerts) == ["channel_failing/pager"]


def test_retry_after_is_waited_for(office: Office) -> None:
    history = office.silent()
    office.receivers.pagerduty.refuse(429, retry_after=90)
    assert [office.forward(history).failed for _ in range(2)] == [{history.agent}] * 2
    assert len(office.receivers.pagerduty.requests) == 1, "it was left alone"
    office.desk.now += timedelta(seconds=91)
    assert len(office.forward(history).taken) == 1


@pytest.mark.parametrize(("wait", "closed"), [(86_400, LONGEST_WAIT), ("1e400", timedelta())])
def test_no_channel_is_left_alone_for_ever(office: Office, wait: Any, closed: timedelta) -> None:
    history = office.silent()
    office.receivers.pagerduty.refuse(429, retry_after=wait)
    assert office.forward(history).failed == {history.agent}
    assert office.failing().retry_at == (office.desk.now + closed if closed else None)
    office.desk.now += closed
    assert len(office.forward(history).taken) == 1


def test_a_channel_that_is_stored_anew_is_tried_at_once(office: Office) -> None:
    history = office.silent()
    office.receivers.pagerduty.refuse(429, retry_after=900)
    office.forward(history)
    office.stored = [office.receivers.stored["pager"] | {"url": "https://events.eu.pagerduty.com/v2/enqueue"}]
    assert len(office.forward(history).taken) == 1


def test_an_error_of_one_channel_is_none_of_the_others(office: Office) -> None:
    """Its words have no address, as the error's own may."""
    stored = office.receivers.stored
    office.stored = [stored["pager"], stored["desk"]]
    history, forwarder = office.silent(), office.forwarder()

    class Failing:
        def send(self, channel: Channel, parcel: Parcel) -> Answer:
            if channel.name == "pager":
                raise OverflowError(channel.address)
            return office._client.send(channel, parcel)

    forwarder._sender = Failing()
    result = forwarder.forward({history.agent}, (), ALWAYS)

    assert ([name for name, _ in result.taken], result.failed) == (["desk"], {history.agent})
    [(name, outcome, problem)] = result.problems
    assert (name, outcome) == ("pager", Outcome.LATER)
    assert re.fullmatch(r"OverflowError in line \d+ of test_forwarding\.py", problem)
    assert office.failing().problem == problem, "after ten minutes it is an incident"


def test_a_revoked_address_is_left_alone_until_it_is_stored_anew(office: Office) -> None:
    history = office.silent()
    office.stored = [office.receivers.stored["team"] | {"url": "https://hooks.slack.com/services/T/B/revoked"}]
    first, second = office.forward(history), office.forward(history)
    assert first.failing == second.failing == {Group(IncidentType.CHANNEL_FAILING, "team")}
    assert [outcome for _, outcome, _ in first.problems] == [Outcome.OFF]
    assert (second.failed, len(office.receivers.slack.requests)) == ({history.agent}, 1)
    assert "no_service" in office.failing("team").problem
    office.stored = [office.receivers.stored["team"]]

    assert len(office.forward(history).taken) == 1
    assert office.failing("team") is None


def test_a_channel_that_is_stored_wrongly_is_recorded_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write is in the stream, which calls the function: a second one would go round for ever."""
    writes: list[str] = []
    record = Groups.record_failure

    def counting(groups: Groups, channel: str, failure: ChannelFailure) -> ChannelFailure:
        writes.append(channel)
        return record(groups, channel, failure)

    monkeypatch.setattr(Groups, "record_failure", counting)
    failing = {Group(IncidentType.CHANNEL_FAILING, "pager")}
    for problem in ("it has no key", "it has no key", "it has no name"):
        forwarder = office.forwarder()
        forwarder.report("pager", problem)
        assert forwarder.forwarded.failing == failing, "the alert may have been lost"
    assert writes == ["pager", "pager"]


def test_a_channel_that_is_stored_wrongly_gets_what_it_missed_once_it_is_corrected(office: Office) -> None:
    """Its changes stay in the queue; the other channels get theirs at once, and once."""
    history = office.silent()
    office.stored = [office.receivers.stored["desk"]]
    for taken in ("desk", ""):
        forwarder = office.forwarder()
        forwarder.report("pager", "it has no key")
        result = forwarder.forward({history.agent}, (), ALWAYS)
        assert (result.failed, [name for name, _ in result.taken]) == ({history.agent}, [taken] if taken else [])
    office.stored = [office.receivers.stored["pager"]]
    result = office.forward(history)

    assert (result.failed, [name for name, _ in result.taken]) == (set(), ["pager"])


def test_a_refused_change_does_not_hold_up_the_others(office: Office) -> None:
    """It goes to the dead-letter queue; nothing is recorded, so that a redrive sends it again."""
    histories = [office.silent(f"review {number}") for number in range(3)]
    office.receivers.pagerduty.refuse(400, {"status": "invalid event", "errors": ["too odd"]})
    result = office.forward(*histories)

    assert (len(result.refused), len(result.failed), len(result.taken)) == (1, 0, 2)
    assert "too odd" in result.problems[0][2]
    assert len(office.forward(*histories).taken) == 1


def test_a_refused_message_about_several_incidents_is_sent_once_more_for_each(office: Office) -> None:
    """One of them is the cause, and the others are taken."""
    histories = [office.silent(f"review {number}") for number in range(3)]
    office.stored = [office.receivers.stored["team"]]
    office.receivers.slack.refuse(400, "invalid_blocks", times=2)
    result = office.forward(*histories)

    assert (len(result.refused), len(result.taken)) == (1, 2)
    assert [status for status, _ in office.receivers.slack.requests] == [400, 400, 200, 200]


def test_what_a_channel_refused_is_a_dead_letter_once_the_others_have_theirs(office: Office) -> None:
    """Its message comes back until then, and each time there would be one more."""
    stored = office.receivers.stored
    office.stored = [stored["pager"], stored["desk"]]
    history = office.silent()
    office.receivers.pagerduty.refuse(400, times=2)
    office.receivers.jira.go_down(503)
    result = office.forward(history)
    assert (result.refused, result.failed) == (set(), {history.agent})
    office.receivers.jira.come_back()
    result = office.forward(history)
    assert (result.refused, result.failed) == ({history.agent}, set())


def test_nothing_follows_a_refused_change_of_an_incident(office: Office) -> None:
    """An acknowledgement that is taken alone would say that the channel knows the incident, also after a redrive."""
    history = office.silent()
    acknowledge(office.desk.journal(), history.agent, "I call them", "", office.desk.now)
    office.receivers.pagerduty.refuse(400, {"errors": ["too odd"]})
    result = office.forward(history)
    assert (result.refused, result.taken) == ({history.agent}, [])

    assert [change.action for _, change in office.forward(history).taken] == ["trigger", "acknowledge"]


def test_a_channel_that_hangs_holds_up_no_other(office: Office) -> None:
    stored = office.receivers.stored
    office.stored = [stored["pager"], stored["desk"]]
    office.receivers.pagerduty.go_down(503)
    history = office.silent()
    result = office.forward(history)
    assert [name for name, _ in result.taken] == ["desk"]
    assert result.failed == {history.agent}


def test_no_request_begins_after_the_time_is_over(office: Office) -> None:
    histories = [office.silent(f"review {number}") for number in range(3)]
    times = iter([True, False])
    result = office.forwarder().forward({each.agent for each in histories}, (), lambda: next(times, False))
    assert (len(result.taken), len(result.failed)) == (1, 2)


# -------------------------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("name", ["team", "team-threads", "office", "pager", "desk", "irm", "io", "rootly", "own"])
def test_a_test_goes_from_trigger_to_resolve(office: Office, name: str) -> None:
    office.stored = [office.receivers.stored[name]]
    forwarder = office.forwarder()
    forwarder.report(name, "it was stored wrongly")
    answers = forwarder.test(read_channels(json.dumps(office.stored)).channels[0])

    assert {answer.outcome for _, answer in answers} == {Outcome.TAKEN}
    assert [answers[0][0], answers[-1][0]] == ["trigger", "resolve"]
    assert office.failing(name) is None


def test_the_incident_of_a_channel_that_is_gone_can_be_ended(office: Office) -> None:
    forwarder = office.forwarder()
    forwarder.report("removed", "its url must begin with https://")
    forwarder.forget("removed")
    forwarder.forget("never known")
    assert office.failing("removed") is None


def test_the_incident_of_a_channel_that_is_stored_no_more_ends(office: Office) -> None:
    """A wrong one without a name is known by its place in the list, where none is wrong after the correction."""
    for name in ("number 3", "pager"):
        office.forwarder().report(name, "its name must be 1 to 32 lower-case letters")
        fire(office, Group(IncidentType.CHANNEL_FAILING, name))
    fire(office, Group(IncidentType.CALLBACKS_MISSING, "de"))
    forwarder = office.forwarder()
    forwarder.forget_others({"pager"})
    assert forwarder.forwarded.failing == {Group(IncidentType.CHANNEL_FAILING, "number 3")}
    office.alert(groups=forwarder.forwarded.failing)
    assert office.desk.groups().firing() == [
        Group(IncidentType.CALLBACKS_MISSING, "de"),
        Group(IncidentType.CHANNEL_FAILING, "pager"),
    ]
    assert (office.failing("number 3"), office.failing("pager") is None) == (None, False)


def test_a_test_ends_at_the_first_refusal(office: Office) -> None:
    office.receivers.pagerduty.refuse(400, {"errors": ["Invalid routing key"]})
    [(action, answer)] = office.forwarder().test(read_channels(json.dumps(office.stored)).channels[0])
    assert (action, answer.outcome) == ("trigger", Outcome.REFUSED)
    assert "Invalid routing key" in answer.problem
