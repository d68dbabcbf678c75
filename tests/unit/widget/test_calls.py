"""A call of the dashboard is read with care: anyone who may invoke the function can send anything."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import given

from meeting_agents import wording
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import DeadlineType, EntryType, IncidentType, State, Verdict
from meeting_agents.widget import plain_words
from meeting_agents.widget.calls import read_call
from meeting_agents.widget.card import note_field
from meeting_agents.widget.html import button, field
from tests.hostile import jsons

AGENT = "ma_a2b3c4d5e6f7g2h3i4j5k6l7m2"
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:agents-ButtonFunction-A1b2"


def call_with(fields: dict[str, str], **event: Any) -> Any:
    return read_call({"widgetContext": {"forms": {"all": fields}}} | event)


def test_the_viewer_is_as_cloudwatch_describes_it() -> None:
    context = {"theme": "dark", "timezone": {"offsetISO": "+05:30"}, "forms": {"all": {"who": " Ada "}}}
    call = read_call({"widgetContext": context}, reading=ARN, writing=ARN)
    assert call.viewer.is_dark
    assert call.viewer.zone.utcoffset(None) == timedelta(hours=5, minutes=30)
    assert (call.by, call.page, call.query, call.agent_id, call.group) == ("Ada", 1, "", "", None)


def test_the_query_is_that_of_the_button_else_that_of_the_form() -> None:
    """A button that shows all says so with an empty query."""
    assert call_with({"search": "board"}).query == "board"
    assert call_with({"search": "board"}, query="").query == ""
    assert call_with({"search": "board"}, query="design", page=3).page == 3


def test_a_note_belongs_to_one_agent_and_that_of_the_pop_up_counts_first() -> None:
    """CloudWatch passes the fields of all forms of the widget."""
    group = Group(IncidentType.ACCOUNT_DISCONNECTED, "acc_1")
    fields = {note_field(AGENT): "in the list", note_field("ma_other"): "of another", note_field(group.key): "of all"}
    assert call_with(fields, agent_id=AGENT).note == "in the list"
    assert call_with(fields, group=group.key).note == "of all"
    assert call_with(fields | {note_field(AGENT, is_popup=True): "in it"}, agent_id=AGENT).note == "in it"


@given(event=jsons)
def test_any_event_is_a_call(event: Any) -> None:
    """Of a viewer in UTC, at worst."""
    parts: dict[str, Any] = (
        event if isinstance(event, dict) else {"widgetContext": event, "agent_id": event, "page": event}
    )
    for sent in (parts, {"widgetContext": parts}, {"widgetContext": {"forms": parts, "timezone": parts}}):
        call = read_call(sent)
        assert call.viewer.zone is not None
        assert call.page >= 1


@pytest.mark.parametrize("offset", [None, "", "<b>", "+99:00", "Z", "UTC"])
def test_an_unknown_time_zone_is_utc(offset: Any) -> None:
    assert read_call({"widgetContext": {"timezone": {"offsetISO": offset}}}).viewer.zone == UTC


@pytest.mark.parametrize("value", ["", "ma_1", "ma_<script>", AGENT.upper(), f"{AGENT}x", 7, None, [AGENT]])
def test_what_is_no_id_of_an_agent_is_none(value: Any) -> None:
    assert read_call({"agent_id": value}).agent_id == ""
    assert read_call({"agent_id": AGENT}).agent_id == AGENT


@pytest.mark.parametrize("endpoint", ["", "x", '"><script>', f'{ARN}" onclick="x', "arn:aws:s3:::bucket"])
def test_a_button_calls_a_function_or_is_not_there(endpoint: str) -> None:
    assert button("Details", endpoint, {}) == ""
    assert f'endpoint="{ARN}"' in button("Details", ARN, {})


def test_parameters_are_the_same_read_as_html_or_as_text() -> None:
    """CloudWatch does not say which it does."""
    html = button("Next page", ARN, {"query": "</cwdb-action><script>\"&'"})
    content = html.partition(">{")[2].partition("</cwdb-action>")[0]
    assert not set("<>&") & set(content)


def test_the_viewers_own_input_is_given_back_as_a_value_and_nothing_else() -> None:
    assert 'value="&quot;&gt;&lt;b&gt;"' in field("search", "Title", '"><b>')


def test_every_code_has_its_words() -> None:
    """A page that lacks one would not be shown."""
    assert set(wording.STATES) == set(State)
    assert set(plain_words.ENTRIES) == set(EntryType)
    assert set(plain_words.VERDICTS) == set(Verdict)
    assert set(plain_words.DEADLINES) == set(DeadlineType)
