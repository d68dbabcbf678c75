"""The overview in a real browser: the deployed functions, and the page of the sandbox in the part of CloudWatch."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import httpx
import pytest

from meeting_agents.domain.identity import agent_id
from tests.browser import DESKTOP, PHONE, ROOT, SECONDS, Browser
from tests.golden_files import GOLDEN
from tests.overview_world import World, failed, many_incidents, meeting, midnight_of, outage, refused, some_incidents
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.page import LocalPage
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until

PICTURES = GOLDEN / "overview"
ALERT_ADDRESS = "oncall@example.com"
MAX_PICTURES_BYTES = 500_000
SHALLOW = (1200, 300)
DARK, LIGHT = 60, 180
"""The brightness of a background and of a text in the dark."""
BUTTON = "#widget .ma-button"
_accounts = count(400_000_000_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stage of its own: on a shared one, incidents of other tests would fill the first page."""
    with Stage() as stage:
        yield stage


@pytest.fixture
def world(aws: EmbeddedAws) -> Iterator[tuple[World, LocalPage]]:
    """A stack of its own, empty, and the page that shows it. No Cronofy, no sweep: what is there stays as it is."""
    with deployed(aws) as found:
        yield found


@contextmanager
def deployed(aws: EmbeddedAws) -> Iterator[tuple[World, LocalPage]]:
    account = str(next(_accounts))
    parameters = {"AlertEmail": ALERT_ADDRESS}
    stack = deployment.deploy(aws, deployment.build(), parameters, name=f"overview-{account}", account=account)
    aws.confirm(stack.outputs["AlertsTopicArn"], ALERT_ADDRESS)
    with LocalPage.of(stack) as page:
        yield World(stack.session, stack.outputs["AgentsTableName"], datetime.now(UTC)), page


def zone_at_noon() -> str:
    """The name of a time zone in which it is about noon, so that no test depends on the hour."""
    hours = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-hours:+d}"


def local_midnight() -> datetime:
    return midnight_of(datetime.now(timezone(timedelta(hours=12 - datetime.now(UTC).hour))))


def opened(
    browser: Browser,
    page: LocalPage,
    size: tuple[int, int] = DESKTOP,
    *,
    is_dark: bool = False,
    seconds: float = SECONDS,
) -> None:
    browser.open(page.url, size, is_dark=is_dark, zone=zone_at_noon())
    browser.wait("document.querySelector('#widget .ma-root') !== null", seconds)


def text_of(browser: Browser, selector: str = "#widget") -> str:
    text: str = browser.evaluate(f"document.querySelector({selector!r}).innerText")
    return text


def titles(browser: Browser) -> list[str]:
    """The titles of the cards."""
    found: list[str] = browser.evaluate(
        "[...document.querySelectorAll('.ma-card h4')].map((h) => h.firstChild.textContent)"
    )
    return found


def wait_for_text(browser: Browser, text: str, selector: str = "#widget") -> None:
    browser.wait(f"(document.querySelector({selector!r}) || document.body).innerText.includes({text!r})")


def answered(browser: Browser) -> str:
    """Wait for the answer in the pop-up, and return it."""
    browser.wait("document.querySelector('#popup[open] .ma-answer') !== null")
    return text_of(browser, "#popup")


def close(browser: Browser) -> None:
    browser.press("#popup .close button")
    browser.wait("!document.querySelector('#popup').open")


def pictured(browser: Browser, name: str, folder: Path, *, is_whole: bool = False) -> None:
    """Take a picture; `UPDATE_GOLDEN=1` keeps it in the documents."""
    kept = PICTURES if os.environ.get("UPDATE_GOLDEN") else folder
    kept.mkdir(exist_ok=True)
    browser.picture(kept / f"{name}.webp", is_whole=is_whole, quality=70)
    if os.environ.get("PICTURES_AS_PNG"):
        browser.picture(Path(os.environ["PICTURES_AS_PNG"]) / f"{name}.png", is_whole=is_whole)
    assert (kept / f"{name}.webp").stat().st_size > 3000


def fits(browser: Browser) -> bool:
    """Nothing is wider than the window."""
    width: list[int] = browser.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return width[0] <= width[1]


def colours(browser: Browser) -> dict[str, str]:
    found: dict[str, str] = browser.evaluate(
        "({text: getComputedStyle(document.querySelector('.ma-root')).color,"
        " back: getComputedStyle(document.body).backgroundColor})"
    )
    return found


def brightness(colour: str) -> float:
    red, green, blue = (int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    return 0.299 * red + 0.587 * green + 0.114 * blue


# ------------------------------------------------------------------------------------------------------ how it looks


def test_an_empty_day_says_that_all_is_well(browser: Browser, world: tuple[World, LocalPage], tmp_path: Path) -> None:
    opened(browser, world[1], SHALLOW)
    text = text_of(browser)
    assert "No open incidents. Every agent is on its way or done." in text
    assert "1 confirmed subscriber of the alerts" in text
    assert browser.errors == []
    pictured(browser, "empty", tmp_path)


def test_incidents_of_a_working_day(browser: Browser, world: tuple[World, LocalPage], tmp_path: Path) -> None:
    """On a desktop, on a phone and in the dark; the timeline unfolds."""
    tables, page = world
    tables.fill_day(340, local_midnight())
    tables.add(*some_incidents(tables.now))
    tables.hear("de", tables.now - timedelta(seconds=100))
    opened(browser, page)
    assert titles(browser)[:2] == ["Board meeting", "Interview: data engineer"]
    assert len(titles(browser)) == 6
    pictured(browser, "desktop", tmp_path)
    assert not browser.evaluate("document.querySelector('.ma-card details').open")
    browser.press(".ma-card summary")
    wait_for_text(browser, "Requested", ".ma-card .ma-timeline")
    opened(browser, page, PHONE)
    assert fits(browser)
    pictured(browser, "phone", tmp_path)
    opened(browser, page, is_dark=True)
    seen = colours(browser)
    assert brightness(seen["back"]) < DARK
    assert brightness(seen["text"]) > LIGHT
    pictured(browser, "dark", tmp_path)
    assert browser.errors == []


def test_an_outage_is_one_card_on_top(browser: Browser, world: tuple[World, LocalPage], tmp_path: Path) -> None:
    tables, page = world
    tables.fill_day(340, local_midnight())
    outage(tables, 30)
    board = meeting("Board meeting", tables.now + timedelta(minutes=12))
    tables.add(refused(board, at=tables.now - timedelta(hours=3)))
    opened(browser, page)
    wait_for_text(browser, "30 meeting agents silent")
    assert len(titles(browser)) == 2
    pictured(browser, "outage", tmp_path)
    browser.press("#widget summary", "30 meetings")
    browser.press(BUTTON, "Details", near="30 meeting agents silent")
    wait_for_text(browser, "never became active", "#popup[open]")
    close(browser)
    browser.type("#widget input[name^=note]", "Cronofy's status page says so", near="30 meeting agents silent")
    browser.press(BUTTON, "Acknowledge for all", near="30 meeting agents silent")
    assert "Cronofy's status page says so" in answered(browser)
    close(browser)
    wait_for_text(browser, "acknowledged at")
    opened(browser, page, PHONE)
    assert fits(browser)


def test_thirty_incidents_have_pages_and_fit_on_a_phone(browser: Browser, world: tuple[World, LocalPage]) -> None:
    tables, page = world
    tables.add(*many_incidents(tables.now, 30))
    opened(browser, page, PHONE)
    assert fits(browser)
    first = titles(browser)
    assert len(first) == 20
    browser.press(BUTTON, "Next page")
    wait_for_text(browser, "Page 2 of 2")
    second = titles(browser)
    assert len(second) == 10
    assert not set(first) & set(second)
    browser.type("#widget input[name=search]", "Sprint planning")
    browser.key("Enter")
    browser.wait(
        "document.querySelector('#widget input[name=search]').value === 'Sprint planning' &&"
        " document.querySelectorAll('.ma-card').length < 10"
    )
    assert {title.rpartition(" ")[0] for title in titles(browser)} == {"Sprint planning"}
    browser.press(BUTTON, "Show all")
    browser.wait("document.querySelectorAll('.ma-card').length === 20")
    assert browser.errors == []


def test_five_thousand_agents_of_a_day_are_counted_from_the_index(
    browser: Browser, world: tuple[World, LocalPage]
) -> None:
    """All of them, in one page. The embedded AWS answers the queries of the shards one after the other."""
    tables, page = world
    tables.fill_day(5_000, local_midnight())
    tables.add(failed(meeting("Board meeting", tables.now - timedelta(minutes=5))))
    opened(browser, page, seconds=90)
    assert "5,001\nmeetings today" in text_of(browser)
    assert titles(browser) == ["Board meeting"]


# ----------------------------------------------------------------------------------------------------------- buttons


def follow_the_story(stage: Stage, folder: Path) -> str:
    """Run the commands of OPERATIONS.md as they are, in a folder with the sandbox's addresses; their output."""
    text = (ROOT / "OPERATIONS.md").read_text(encoding="utf-8")
    commands = text.partition("<!-- run by tests/system/test_overview.py -->\n```sh\n")[2].partition("```")[0]
    (folder / ".sandbox.json").write_text(json.dumps(stage.addresses), encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_an_incident_is_seen_acknowledged_sent_again_and_closes(browser: Browser, stage: Stage, tmp_path: Path) -> None:
    """The story of OPERATIONS.md, with the buttons pressed in a real browser."""
    opened(browser, stage.page)
    assert '"cronofy_404"' in follow_the_story(stage, tmp_path)
    wait_for_text(browser, "Board meeting")
    wait_for_text(browser, "Meeting agent was refused")
    browser.type("#widget input[name=who]", "Ada")
    browser.type("#widget input[name^=note]", "I write to the owner", near="Board meeting")
    browser.press(BUTTON, "Acknowledge", near="Board meeting")
    assert "by Ada: “I write to the owner”" in answered(browser)
    close(browser)
    wait_for_text(browser, "by Ada: I write to the owner")
    browser.press(BUTTON, "Ask Cronofy again", near="Board meeting")
    browser.press("#question button[value=no]")
    assert not browser.evaluate("document.querySelector('#popup').open")
    browser.press(BUTTON, "Ask Cronofy again", near="Board meeting")
    browser.press("#question button[value=yes]")
    assert "Cronofy accepted the request." in answered(browser)
    close(browser)
    browser.wait("![...document.querySelectorAll('.ma-card h4')].some((h) => h.textContent.includes('Board meeting'))")
    agent = agent_id(HOME, CALENDAR, "board")
    kinds = [entry["kind"] for entry in stage.read(agent)["timeline"]]
    assert [kind for kind in kinds if kind != "alerted"][:5] == [
        "requested",
        "rejected",
        "acknowledged",
        "requested",
        "accepted",
    ]
    assert browser.errors == []


def test_details_open_in_a_pop_up_whose_buttons_work(browser: Browser, stage: Stage) -> None:
    """An acknowledgement with a note of its own, and a replay after its question."""
    now = datetime.now(UTC)
    agent = stage.request("ev_details", "Details & <b>all</b>", now, now + timedelta(hours=1)).json()["agent"]["id"]
    stage.cronofy.fail(
        (HOME, CALENDAR, "ev_details"), extra={"meeting_agent": {"reason": "<img src=x onerror=alert(1)>"}}
    )
    opened(browser, stage.page)
    wait_for_text(browser, "Details & <b>all</b>")
    browser.press(BUTTON, "Details", near="Details & <b>all</b>")
    wait_for_text(browser, "<img src=x onerror=alert(1)>", "#popup[open]")
    wait_for_text(browser, "only the caller can send it again", "#popup[open]")
    browser.type("#popup input", "seen in the details")
    browser.press("#popup .ma-button", "Acknowledge")
    assert "seen in the details" in answered(browser)
    close(browser)
    browser.press(BUTTON, "Details", near="Details & <b>all</b>")
    browser.press("#popup .ma-button", "Replay")
    browser.press("#question button[value=yes]")
    assert "published again" in answered(browser)
    assert wait_until(
        lambda: [one for one in stage.lifecycle.messages() if one["subject"] == agent and one["data"]["replayed"]]
    )
    notes = [entry["reason"]["text"] for entry in stage.read(agent)["timeline"] if entry["kind"] == "acknowledged"]
    assert notes == ["seen in the details"]
    assert browser.errors == []


def test_an_agent_is_silenced_and_the_silence_is_ended(browser: Browser, stage: Stage) -> None:
    """After a question; the note is the reason."""
    now = datetime.now(UTC)
    agent = stage.request("ev_quiet", "Silent night", now, now + timedelta(hours=1)).json()["agent"]["id"]
    stage.cronofy.fail((HOME, CALENDAR, "ev_quiet"))
    opened(browser, stage.page)
    wait_for_text(browser, "Silent night")
    browser.type("#widget input[name^=note]", "we know", near="Silent night")
    browser.press(BUTTON, "Silence for 2 hours", near="Silent night")
    browser.press("#question button[value=yes]")
    assert "No message about this agent is sent until" in answered(browser)
    close(browser)
    wait_for_text(browser, f"silenced by agent-{agent.replace('_', '-')} until")
    silences = stage.api.get("/v1/silences").json()["silences"]
    assert [(one["agent"], one["why"]) for one in silences] == [([agent], "we know")]
    browser.press(BUTTON, "End the silence", near="Silent night")
    assert "The silence is over" in answered(browser)
    close(browser)
    browser.wait("!document.querySelector('#widget').textContent.includes('silenced by agent-')")
    assert stage.api.get("/v1/silences").json()["silences"] == []
    assert browser.errors == []


def test_what_is_typed_survives_the_refresh_and_what_is_unfolded_stays(browser: Browser, stage: Stage) -> None:
    now = datetime.now(UTC)
    stage.request("ev_typed", "Typed into", now, now + timedelta(hours=1))
    stage.cronofy.fail((HOME, CALENDAR, "ev_typed"))
    opened(browser, stage.page)
    wait_for_text(browser, "Typed into")
    browser.type("#widget input[name^=note]", "half a note", near="Typed into")
    browser.press("#widget summary", near="Typed into")  # leaves the field
    refreshed = browser.evaluate("Number(document.querySelector('#widget').dataset.refreshed)")
    browser.wait(f"Number(document.querySelector('#widget').dataset.refreshed) > {refreshed + 1}")
    assert (
        browser.evaluate("[...document.querySelectorAll('#widget input')].map((i) => i.value)").count("half a note")
        == 1
    )
    assert browser.evaluate("document.querySelectorAll('.ma-card details[open]').length") == 1


def test_a_function_that_cannot_be_called_is_named_in_the_pop_up(browser: Browser, stage: Stage) -> None:
    """The page may call the two functions of the overview, and no other."""
    now = datetime.now(UTC)
    stage.request("ev_denied", "Not to be called", now, now + timedelta(hours=1))
    stage.cronofy.fail((HOME, CALENDAR, "ev_denied"))
    opened(browser, stage.page)
    wait_for_text(browser, "Not to be called")
    browser.evaluate(
        "document.querySelectorAll('cwdb-action').forEach((action) =>"
        " action.setAttribute('endpoint', action.getAttribute('endpoint').replace(/[^:]+$/, 'another')))"
    )
    browser.press(BUTTON, "Details", near="Not to be called")
    wait_for_text(browser, "the page may not call this function", "#popup[open]")


def test_the_page_is_for_this_machine_and_this_page_alone(stage: Stage) -> None:
    """Another site cannot call the functions through it."""
    call = {"endpoint": "x", "payload": {}}
    for headers in ({"Host": "evil.example"}, {"Content-Type": "text/plain"}):
        answer = httpx.post(f"{stage.page.url}/invoke", json=call, headers=headers, trust_env=False)
        assert answer.status_code == 403
    assert stage.page.url.startswith("http://127.0.0.1:")


def test_the_pictures_in_the_documents_are_small_and_all_are_shown() -> None:
    pictures = sorted(PICTURES.iterdir())
    assert pictures
    assert sum(picture.stat().st_size for picture in pictures) < MAX_PICTURES_BYTES
    documents = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "OPERATIONS.md"))
    assert {picture.name for picture in pictures} == set(re.findall(r"tests/golden/overview/([\w.-]+)", documents))
