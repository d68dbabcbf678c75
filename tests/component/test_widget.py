"""The agents that need attention on the dashboard: escaped, without script, and as a browser draws them."""

import json
import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from meeting_agents.alerting.widget import SHOWN, has_incident, render_html
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import DeadlineType, EntryType, IncidentType, Meeting
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.verdicts import Step
from tests.runtime.platform import offset_at_noon
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until
from tests.unit.alerting.test_message import START, History, failed, reminded

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
ALLOWED = {
    "style",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "ol",
    "li",
    "b",
    "br",
    "code",
    "small",
    "span",
    "p",
    "a",
}
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Reader(HTMLParser):
    """The tags, attributes and text of a page; every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def hostile() -> History:
    history = History("<b>event</b>", Meeting(start=START, tzid="Europe/Berlin", summary=HOSTILE), HOSTILE)
    history.ask().accepted()
    links = [{"category": "cronofy", "type": "dashboard", "url": "javascript:alert(3)"}]
    history.hear("meeting_agent_failed", START, resources=links, reason=HOSTILE)
    return history.add(
        EntryType.ACKNOWLEDGED, START + timedelta(minutes=5), reason=Reason.of(ReasonCode.NOTE, note=HOSTILE)
    )


def silent() -> History:
    reason = Reason.of(ReasonCode.ACTIVATION_MISSED, at="2026-04-29T15:40:00.000Z")
    history = History("silent").ask().accepted()
    return history.add(EntryType.OVERDUE, START + timedelta(minutes=10), phase=DeadlineType.ACTIVATION, reason=reason)


def page(agents: Mapping[str, Sequence[Step]], count: int, subscribers: int | None) -> str:
    return render_html(agents, count, UTC, subscribers, GracePeriods(), START + timedelta(minutes=20))


def shown(*histories: History, count: int | None = None) -> str:
    agents = {history.agent: list(steps(history.entries)) for history in histories}
    return page(agents, count or len(agents), subscribers=2)


def test_nothing_from_outside_is_markup() -> None:
    """Titles, reasons, notes and addresses of others are text, also where they look like HTML."""
    html = shown(hostile())
    reader = Reader(html)
    assert set(reader.tags) <= ALLOWED
    assert set(reader.attributes) <= {"class", "title", "href"}
    assert reader.attributes.get("href", []) == []
    assert "<script>alert(1)</script>" in "".join(reader.text)


def test_each_agent_has_its_meeting_what_happened_and_its_timeline() -> None:
    html = shown(failed(), silent())
    text = "".join(Reader(html).text)
    assert '"Quarterly review"' not in text
    assert "Quarterly review" in text
    assert "failed, 1 minute after the meeting began" in text
    assert "never became active, 10 minutes after the meeting began" in text
    assert re.findall(r"\b(requested|accepted|failed|overdue)\b", text.partition("Timeline")[2])
    assert "https://app.cronofy.com/agents/692702a1" in Reader(html).attributes["href"]


def test_a_day_without_incidents_says_so() -> None:
    """An empty box could be a broken one."""
    assert "No incidents today." in "".join(Reader(page({}, 0, subscribers=2)).text)


@pytest.mark.parametrize(
    ("subscribers", "text"),
    [
        (0, "No confirmed subscriber: no one receives the alerts. Subscribe an address"),
        (3, "Confirmed subscribers of the alerts: 3."),
        (None, "The number of subscribers of the alerts could not be read."),
    ],
)
def test_a_page_says_how_many_receive_the_alerts(subscribers: int | None, text: str) -> None:
    """With incidents and without."""
    agents = {"ma_1": list(steps(failed().entries))}
    for html in (page({}, 0, subscribers), page(agents, 1, subscribers)):
        assert text in "".join(Reader(html).text)


def test_more_agents_than_are_shown_are_counted() -> None:
    assert f"And {100 - SHOWN} more." in shown(*(History(str(n)).ask() for n in range(SHOWN)), count=100)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ({"state": "failed"}, True),
        ({"state": "rejected"}, True),
        ({"state": "overdue"}, True),
        ({"state": "scheduled", "incident": "no_conference"}, True),
        ({"state": "complete", "incident": "resources_missing"}, True),
        ({"state": "scheduled"}, False),
        ({"state": "complete"}, False),
        ({"state": "cancelled"}, False),
    ],
)
def test_an_agent_that_needs_attention_is_shown(row: dict[str, Any], verdict: bool) -> None:
    assert has_incident(row) is verdict


def pixels(path: Path) -> tuple[int, int, set[bytes]]:
    """Width, height and colours of a PNG as Chromium writes it: 8 bits, RGB or RGBA."""
    content = path.read_bytes()
    width, height, _, kind = struct.unpack(">IIBB", content[16:26])
    size = {2: 3, 6: 4}[kind]
    data, at = b"", 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        if content[at + 4 : at + 8] == b"IDAT":
            data += content[at + 8 : at + 8 + length]
        at += 12 + length
    raw = zlib.decompress(data)
    line = width * size + 1
    return width, height, {raw[y * line + 1 : (y + 1) * line] for y in range(height)}


@pytest.mark.skipif(BROWSER is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
@pytest.mark.parametrize("case", ["incidents", "empty"])
def test_a_browser_draws_it(case: str, tmp_path: Path) -> None:
    """Parsed, laid out and drawn by Chromium: the table has its rows, no script ran, and the picture is not blank."""
    assert BROWSER
    html = shown(failed(), silent(), hostile(), reminded()) if case == "incidents" else page({}, 0, subscribers=2)
    source, picture = tmp_path / "page.html", tmp_path / "page.png"
    source.write_text(f'<!doctype html><meta charset="utf-8"><title>widget</title>{html}', encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    run = [*command, "--window-size=1200,700", "--hide-scrollbars", f"--screenshot={picture}", source.as_uri()]
    subprocess.run(run, check=True, capture_output=True, timeout=90)
    width, height, lines = pixels(picture)
    assert (width, height) == (1200, 700)
    assert len(lines) > (60 if case == "incidents" else 10)
    dumped = subprocess.run([*command, "--dump-dom", source.as_uri()], check=True, capture_output=True, timeout=90)
    dom = dumped.stdout.decode()
    assert dom.count("<tr>") == (4 if case == "incidents" else 0)  # with its head; two of the agents are one
    assert "<script>" not in dom
    assert "onerror=" not in re.sub(r"&lt;.*?&gt;", "", dom)


def invoke(stage: Stage, payload: dict[str, Any]) -> str:
    functions = stage.stack.session.client("lambda")
    answer = functions.invoke(FunctionName=stage.stack.functions["widget"], Payload=json.dumps(payload).encode())
    content: str = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, content
    return content


def test_the_deployed_widget_shows_what_failed_today(stage: Stage) -> None:
    """With nothing but permission to read, in the time zone of the viewer."""
    now = datetime.now(UTC)
    agent = stage.request("ev_widget", "Widget & co", now, now + timedelta(hours=1)).json()["agent"]["id"]
    stage.cronofy.fail((HOME, CALENDAR, "ev_widget"))
    context = {"widgetContext": {"timezone": {"label": "Local", "offsetISO": offset_at_noon()}}}

    def find() -> str | None:
        found = invoke(stage, context)
        return found if agent in found else None

    html = wait_until(find)
    assert html is not None
    assert "Widget &amp; co" in html
    assert IncidentType.FAILED in html


def test_the_deployed_widget_describes_itself_and_bears_any_context(stage: Stage) -> None:
    assert invoke(stage, {"describe": True}).startswith("## Incidents of today")
    odd = {"widgetContext": {"timezone": {"offsetISO": "<b>"}}}
    assert invoke(stage, odd).startswith("<style>")
    assert invoke(stage, {}).startswith("<style>")
