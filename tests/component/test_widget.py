"""The overview from tables to HTML, and the deployed functions that show it and act."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from meeting_agents import wiring
from meeting_agents.alerting.message import Links
from meeting_agents.aws.days import Days
from meeting_agents.domain.model import EntryType, IncidentType
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.incident_list import IncidentList
from meeting_agents.widget import answers, reading
from meeting_agents.widget.calls import DESCRIPTION
from meeting_agents.widget.card import note_field, render_details
from meeting_agents.widget.facts import PAGE_SIZE, Overview, Viewer
from meeting_agents.widget.page import render_page
from meeting_agents.widget.reading import OverviewReader
from tests.overview_world import (
    DATA_CENTER,
    HOUR,
    MINUTE,
    World,
    acknowledged,
    failed,
    many_incidents,
    meeting,
    midnight_of,
    outage,
    refused,
    requested,
    silent,
    some_incidents,
)
from tests.runtime.platform import offset_at_noon
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until
from tests.tables import Tables, made
from tests.unit.alerting.test_message import History

NOW = datetime(2026, 4, 29, 15, 50, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</cwdb-action><cwdb-action action=call>"
ALLOWED = {
    *("style", "div", "section", "article", "header", "h3", "h4", "p", "ol", "ul", "li", "b", "i", "span"),
    *("a", "form", "input", "details", "summary", "cwdb-action", "code"),
}
"""The tags of a page; `cwdb-action` only by `button`."""
ATTRIBUTES = {
    *("class", "style", "title", "role", "tabindex", "aria-label", "id", "open"),
    *("type", "name", "value", "placeholder", "maxlength", "autocomplete", "href", "target", "rel"),
    *("action", "display", "endpoint", "confirmation"),
}
READING = "arn:aws:lambda:eu-central-1:123456789012:function:agents-WidgetFunction-A1b2"
WRITING = "arn:aws:lambda:eu-central-1:123456789012:function:agents-ButtonFunction-A1b2"
VIEWER = Viewer(zone=UTC, reading=READING, writing=WRITING)


class Reader(HTMLParser):
    """The tags, attributes, text and buttons of a page; every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.words: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag != "input":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["cwdb-action"]:
            self.calls.append(json.loads(data))
        elif self.open[-1:] != ["style"]:
            self.words.append(data)


@pytest.fixture
def tables(aws: EmbeddedAws) -> Iterator[Tables]:
    with made(aws) as tables:
        yield tables


@pytest.fixture
def world(tables: Tables) -> World:
    return World(tables.session, tables.table, NOW)


def reader(world: World, subscribers: int | None = 2) -> OverviewReader:
    days = Days(wiring.agents_table())
    incidents = IncidentList(world.journal, world.groups, Links("https://api.example.com", ""), lambda: NOW)
    return OverviewReader(world.journal, days, world.groups, incidents, lambda: subscribers, lambda: NOW)


def page(world: World, query: str = "", number: int = 1, viewer: Viewer = VIEWER, subscribers: int | None = 2) -> str:
    return render_page(reader(world, subscribers).overview(viewer, query, number))


def titles(html: str) -> list[str]:
    """The titles of the cards, in their order."""
    return re.findall(r"<h4>(.*?)<", html)


def hostile() -> History:
    history = History("<b>event</b>", replace(meeting(HOSTILE, NOW - 5 * MINUTE)), HOSTILE)
    history.ask(NOW - HOUR).accepted()
    links = [{"category": HOSTILE, "type": "dashboard", "url": f"javascript:{HOSTILE}"}]
    history.hear("meeting_agent_failed", NOW - 4 * MINUTE, resources=links, reason=HOSTILE)
    return acknowledged(history, NOW - 2 * MINUTE, HOSTILE, HOSTILE)


def test_nothing_from_outside_is_markup_a_button_or_an_attribute(world: World) -> None:
    """Titles, reasons, notes, names and addresses of others are text, also where they look like a button."""
    history = hostile()
    world.add(history)
    world.hear(DATA_CENTER, NOW - MINUTE)
    agent = reader(world).details(history.agent)
    assert agent
    viewer = replace(VIEWER, forms={"who": HOSTILE, "search": HOSTILE})
    answer = answers.acknowledged(HOSTILE, HOSTILE, NOW, VIEWER)
    for html in (
        page(world, viewer=viewer),
        page(world, "script", viewer=viewer),
        render_details(agent, viewer),
        answer,
    ):
        seen = Reader(html)
        assert seen.tags <= ALLOWED
        assert set(seen.attributes) <= ATTRIBUTES
        assert "<script>alert(1)</script>" in seen.text
        own = [value for name, values in seen.attributes.items() if name != "value" for value in values]
        assert not [value for value in own if "alert(" in value or "<" in value]
        assert {call["agent_id"] for call in seen.calls if "agent_id" in call} <= {history.agent}
        assert set(seen.attributes.get("endpoint", [])) <= {READING, WRITING}
        assert seen.attributes.get("href", []) == []


def test_an_agent_with_an_odd_id_is_shown_without_buttons(world: World) -> None:
    """A notification with a valid signature may name any id in its address."""
    history = failed(meeting("Board meeting", NOW - 5 * MINUTE))
    history.agent = "ma_<b>odd</b>"
    world.add(history)
    seen = Reader(page(world))
    assert "Board meeting" in seen.text
    assert not [call for call in seen.calls if "agent_id" in call]


def test_what_can_still_be_saved_comes_first_with_the_time_that_is_left(world: World) -> None:
    world.add(*some_incidents(NOW))
    html = page(world)
    assert titles(html) == [
        "Board meeting",
        "Interview: data engineer",
        "Supplier negotiation",
        "Customer call: Northwind",
        "Design review",
        "Weekly sync",
    ]
    text = Reader(html).text
    assert text.index("Can still be saved") < text.index("Board meeting") < text.index("The meeting is over")
    assert "running, 46 minutes left" in text
    assert "begins in 12 minutes" in text
    assert "ended 2 hours ago" in text
    assert "acknowledged at 15:49 by Ada: I am in it" in text


def test_open_incidents_of_any_day_are_shown(world: World) -> None:
    """One of yesterday that still runs, one of the day after tomorrow, one of last month."""
    world.add(
        failed(meeting("Night shift", NOW - 16 * HOUR, 17 * 60)),
        refused(meeting("In two days", NOW + 50 * HOUR), at=NOW - HOUR),
        failed(meeting("Last month", NOW - 700 * HOUR)),
    )
    assert titles(page(world)) == ["Night shift", "In two days", "Last month"]


def test_no_code_of_the_journal_is_on_the_page(world: World) -> None:
    """The words are those of the alerts."""
    world.add(*some_incidents(NOW), *many_incidents(NOW, 12))
    codes = {str(code) for code in (*IncidentType, *EntryType, *ReasonCode) if "_" in code}
    seen = Reader(page(world))
    assert not [code for code in codes if code in seen.text]
    for history in some_incidents(NOW):
        published = Reason.of(ReasonCode.ALERT_PUBLISHED, incident="never_activated", status="firing", subscribers=2)
        history.published(NOW)
        history.entries[-1] = replace(history.entries[-1], reason=published)
        world.add(history)
        agent = reader(world).details(history.agent)
        assert agent
        text = Reader(render_details(agent, VIEWER)).text
        assert not [code for code in codes if code in text]


def test_a_disconnected_account_and_a_silent_data_center_stand_above_single_meetings(world: World) -> None:
    """Their agents are listed in their card, and have none of their own."""
    outage(world, 12)
    world.add(failed(meeting("Board meeting", NOW - 5 * MINUTE)))
    html = page(world)
    assert [title.partition(":")[0] for title in titles(html)] == [
        "No callbacks from Cronofy&#x27;s data center de",
        "Board meeting",
    ]
    seen = Reader(html)
    assert "12 meeting agents silent" in seen.text
    assert "And 2 more." in seen.text
    assert {"action": "acknowledge", "group": f"callbacks_missing/{DATA_CENTER}"} in seen.calls
    assert "Last callback from de 27 minutes ago" in seen.text


def test_a_day_without_incidents_says_so(world: World) -> None:
    """An empty box could be a broken one."""
    text = Reader(page(world)).text
    assert "No open incidents. Every agent is on its way or done." in text
    assert "0 meetings today" in text
    assert "No callback from Cronofy yet" in text


@pytest.mark.parametrize(
    ("subscribers", "text"),
    [
        (0, "No confirmed subscriber: no one receives the alerts. Subscribe an address"),
        (1, "1 confirmed subscriber of the alerts"),
        (3, "3 confirmed subscribers of the alerts"),
        (None, "The number of subscribers of the alerts could not be read"),
    ],
)
def test_a_page_says_how_many_receive_the_alerts(world: World, subscribers: int | None, text: str) -> None:
    assert text in Reader(page(world, subscribers=subscribers)).text


def test_pages_have_all_incidents_once(world: World) -> None:
    """A page beyond the last is the last."""
    world.add(*many_incidents(NOW, 2 * PAGE_SIZE + 3))
    pages = [page(world, number=number) for number in (1, 2, 3, 99)]
    seen = [title for html in pages[:3] for title in titles(html)]
    assert len(set(seen)) == len(seen) == 2 * PAGE_SIZE + 3
    assert "Page 3 of 3" in pages[3]
    assert [call["page"] for call in Reader(pages[1]).calls if "page" in call] == [1, 1, 3]
    assert "43 open incidents" in Reader(pages[0]).text


def test_a_search_finds_titles_events_and_accounts_of_incidents_and_of_the_day(world: World) -> None:
    """Its pages keep the query."""
    other = failed(meeting("Design review", NOW - 5 * MINUTE))
    fine = requested(meeting("Board dinner", NOW + HOUR)).accepted()
    of_the_account = requested(meeting("Weekly sync", NOW - HOUR), account="acc_board").accepted()
    labelled = History("labelled", meeting("Retrospective", NOW - HOUR)).ask(labels={"unit": "board"}).accepted()
    world.add(
        other,
        fine,
        of_the_account,
        labelled,
        *many_incidents(NOW, 20),
        failed(meeting("BOARD MEETING", NOW - HOUR * 2)),
    )
    html = page(world, "board")
    seen = Reader(html)
    assert set(titles(html)) == {"Board meeting 1", "Board meeting 9", "Board meeting 17", "BOARD MEETING"}
    assert "Board dinner" in seen.text
    assert "Weekly sync" in seen.text
    assert "Retrospective" in seen.text
    assert "Design review" not in seen.text
    assert seen.attributes["value"][0] == "board"
    assert {"page": 1, "query": ""} in seen.calls
    assert "has “nothing at all” in its names" in Reader(page(world, "nothing at all")).text


def test_labels_stand_on_the_card_and_in_the_details_and_are_only_text(world: World) -> None:
    labels = {"team": "sales", "x": "<b onclick=a()>&"}
    agent = History("labelled", meeting("Retrospective", NOW - HOUR)).ask(labels=labels).accepted()
    world.add(agent.hear("meeting_agent_failed", NOW - MINUTE))
    found = reader(world).details(agent.agent)
    assert found
    for html in (page(world), render_details(found, VIEWER)):
        seen = Reader(html)
        assert "· team:sales · x:<b onclick=a()>&" in seen.text
        assert "onclick" not in seen.attributes


def test_the_day_is_counted_from_the_index_in_the_viewers_time_zone(tables: Tables, world: World) -> None:
    """Thousands of them with a few queries of the index by day, and without a journal."""
    world.fill_day(3_000, midnight_of(NOW))
    tables.calls.clear()
    today = reader(world).overview(VIEWER, "", 1).today
    assert today.count() == sum(hour.total() for hour in today.hours) == 3_000
    assert tables.calls.count("Query") <= 30
    assert today.hours[12].total() > today.hours[6].total()


def test_the_count_of_many_agents_is_kept_for_a_while(
    tables: Tables, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is paid for whenever they are counted. The page says when they were."""
    monkeypatch.setattr(reading, "KEPT_PER_SECOND", 1)
    world.fill_day(90, midnight_of(NOW))
    now = NOW

    def overview() -> Overview:
        return looked_at.overview(VIEWER, "", 1)

    incidents = IncidentList(wiring.journal(), wiring.groups(), Links("", ""), lambda: now)
    looked_at = OverviewReader(wiring.journal(), wiring.days(), wiring.groups(), incidents, lambda: 1, lambda: now)
    assert "counted at" not in Reader(render_page(overview())).text
    world.add(failed(meeting("Another meeting", NOW - 5 * MINUTE)))
    now = NOW + 89 * SECOND
    text = Reader(render_page(overview())).text
    assert "90 meetings today" in text
    assert "1 open incidents" in text
    assert text.count("meetings of the day counted at 15:50") == 1
    now = NOW + 90 * SECOND
    text = Reader(render_page(overview())).text
    assert "91 meetings today" in text
    assert "counted at" not in text


def test_a_page_reads_a_bounded_number_of_journals(tables: Tables, world: World) -> None:
    """A month of incidents costs no more than a page of them."""
    world.add(*many_incidents(NOW, 2 * PAGE_SIZE))
    tables.calls.clear()
    incidents = IncidentList(wiring.journal(), wiring.groups(), Links("", ""), lambda: NOW)
    OverviewReader(
        wiring.journal(), Days(wiring.agents_table()), wiring.groups(), incidents, lambda: 1, lambda: NOW
    ).overview(VIEWER, "", 1)
    assert tables.calls.count("Query") <= PAGE_SIZE + 40
    assert set(tables.calls) == {"Query", "GetItem"}


def test_what_is_not_read_is_not_passed_over_in_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number with a plus says that there are more."""
    monkeypatch.setattr(reading, "MAX_OPEN", 3)
    world.add(*(failed(meeting(f"Meeting {number}", NOW - 5 * MINUTE)) for number in range(3)))
    world.fill_day(4, midnight_of(NOW))
    text = Reader(page(world)).text
    assert "7 meetings today" in text
    assert "3 open incidents" in text
    monkeypatch.setattr(reading, "COUNTING_SECONDS", 0)
    world.add(failed(meeting("Another meeting", NOW - 5 * MINUTE)))
    text = Reader(page(world)).text
    assert re.search(r"[0-7]\+ meetings today", text)
    assert "3+ open incidents" in text


def test_the_details_of_an_agent_have_its_incident_its_next_steps_and_all_its_entries(world: World) -> None:
    history = silent(meeting("Customer call: Northwind", NOW - 20 * MINUTE))
    world.add(history)
    agent = reader(world).details(history.agent)
    assert agent
    seen = Reader(render_details(agent, VIEWER))
    for words in ("Customer call: Northwind", "never became active", "also in the lobby", "Requested", "event-"):
        assert words in seen.text
    actions = [call.get("action") for call in seen.calls]
    assert actions == ["acknowledge", "silence", "retry", "replay"]
    assert reader(world).details("ma_a2b3c4d5e6f7g2h3i4j5k6l7m2") is None


def test_a_viewer_without_the_function_that_acts_sees_no_button_that_needs_it(world: World) -> None:
    world.add(*some_incidents(NOW))
    seen = Reader(page(world, viewer=replace(VIEWER, writing="")))
    assert not [call for call in seen.calls if "action" in call]


def test_the_theme_is_the_viewers(world: World) -> None:
    assert "ma-root ma-dark" not in page(world)
    assert "ma-root ma-dark" in page(world, viewer=replace(VIEWER, is_dark=True))


# --------------------------------------------------------------------------------------------------- deployed functions


def invoke(stage: Stage, function: str, payload: dict[str, Any]) -> str:
    functions = stage.stack.session.client("lambda")
    answer = functions.invoke(FunctionName=stage.stack.functions[function], Payload=json.dumps(payload).encode())
    content: str = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, content
    return content


def in_context(fields: dict[str, str] | None = None, **parameters: Any) -> dict[str, Any]:
    timezone = {"label": "Local", "offsetISO": offset_at_noon()}
    return {"widgetContext": {"timezone": timezone, "forms": {"all": fields or {}}}, **parameters}


def failed_agent(stage: Stage, event_id: str, title: str) -> str:
    """Request an agent that fails, and wait until the overview shows it; its id."""
    now = datetime.now(UTC)
    agent: str = stage.request(event_id, title, now, now + HOUR).json()["agent"]["id"]
    stage.cronofy.fail((HOME, CALENDAR, event_id))
    assert wait_until(lambda: agent in invoke(stage, "widget", in_context({"search": title})))
    return agent


def test_the_deployed_widget_shows_what_failed(stage: Stage) -> None:
    """With nothing but permission to read, in the time zone of the viewer."""
    failed_agent(stage, "ev_widget", "Widget & co")
    html = invoke(stage, "widget", in_context({"search": "ev_widget"}))
    assert "Widget &amp; co" in html
    assert "Meeting agent failed" in html


def test_the_deployed_widget_describes_itself_and_bears_any_context(stage: Stage) -> None:
    assert invoke(stage, "widget", {"describe": True}) == DESCRIPTION
    odd = {"widgetContext": {"timezone": {"offsetISO": "<b>"}, "forms": 7}, "page": -3, "agent_id": {"a": 1}}
    assert invoke(stage, "widget", odd).startswith("<style>")
    assert invoke(stage, "widget", {}).startswith("<style>")
    unknown = invoke(stage, "widget", {"agent_id": "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"})
    assert "No such agent is known here" in unknown


def test_an_acknowledgement_by_button_is_in_the_journal_with_name_and_note(stage: Stage) -> None:
    agent = failed_agent(stage, "ev_button", "Acknowledged by button")
    fields = {"who": "Ada", note_field(agent): "I am on it"}
    answer = invoke(stage, "button", in_context(fields, action="acknowledge", agent_id=agent))
    assert "by Ada: “I am on it”" in answer
    entries = [entry for entry in stage.read(agent)["timeline"] if entry["kind"] == "acknowledged"]
    assert [entry["reason"]["values"] for entry in entries] == [{"note": "I am on it", "caller": "Ada"}]


def test_an_agent_is_silenced_by_button_and_the_card_shows_it_with_the_button_that_ends_it(stage: Stage) -> None:
    agent = failed_agent(stage, "ev_silenced", "Silenced by button")
    fields = {"who": "Ada", note_field(agent): "We know <b>"}
    answer = invoke(stage, "button", in_context(fields, action="silence", agent_id=agent))
    assert "No message about this agent is sent until" in answer
    assert "We know &lt;b&gt;" in answer
    name = agent.replace("_", "-")
    (silence,) = [one for one in stage.api.get("/v1/silences").json()["silences"] if one["agent"] == [agent]]
    assert (silence["name"], silence["by"], silence["why"]) == (f"agent-{name}", "Ada", "We know <b>")
    start, until = (datetime.fromisoformat(silence[key]) for key in ("from", "until"))
    assert until - start == 2 * HOUR
    seen = Reader(invoke(stage, "widget", in_context({"search": "ev_silenced"})))
    assert f"silenced by agent-{name} until" in seen.text
    assert [call["action"] for call in seen.calls if call.get("agent_id") == agent and "action" in call] == [
        "acknowledge",
        "unsilence",
    ]
    assert "The silence is over" in invoke(stage, "button", in_context(action="unsilence", agent_id=agent))
    assert "the silence is over" in invoke(stage, "button", in_context(action="unsilence", agent_id=agent)).lower()
    assert "silenced by" not in Reader(invoke(stage, "widget", in_context({"search": "ev_silenced"}))).text


def test_a_replay_by_button_announces_again(stage: Stage) -> None:
    agent = failed_agent(stage, "ev_replay_button", "Replayed by button")
    assert "published again" in invoke(stage, "button", in_context(action="replay", agent_id=agent))
    assert wait_until(
        lambda: [one for one in stage.lifecycle.messages() if one["subject"] == agent and one["data"]["replayed"]]
    )


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({}, "This button is unknown here"),
        ({"action": "delete", "agent_id": "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"}, "This button is unknown here"),
        ({"action": "acknowledge", "agent_id": "<b>"}, "This button is unknown here"),
        ({"action": "acknowledge", "agent_id": "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"}, "No agent ma_a2b3c4d5e6f7g2h3"),
        ({"action": "acknowledge", "group": "account_disconnected/no_such"}, "No alert about"),
        ({"action": "silence", "agent_id": "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"}, "No agent ma_a2b3c4d5e6f7g2h3"),
        ({"action": "unsilence", "agent_id": "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"}, "The silence is over"),
        ({"action": "retry", "agent_id": "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"}, "No agent ma_a2b3c4d5e6f7g2h3"),
    ],
)
def test_the_answer_of_a_button_says_what_was_wrong(stage: Stage, parameters: dict[str, Any], text: str) -> None:
    answer = invoke(stage, "button", in_context(**parameters))
    assert "Not done" in answer
    assert text in answer
