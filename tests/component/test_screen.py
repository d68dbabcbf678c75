"""The terminal output of the sandbox: it fits, and what is wrapped keeps its indent."""

import io
import os
import re
from pathlib import Path

import pytest

from tests.sandbox import examples
from tests.sandbox.examples import Example, Examples
from tests.sandbox.screen import NARROW, WIDE, Screen
from tests.sandbox.stage import Stage

ROWS = [
    ("06:07:05.983", "conferencing_assigned", "applied", "scheduled", "Cronofy accepted the request (202)"),
    ("06:07:06.180", "alerted", "applied", "overdue", "alert published to 2 subscribers: never_activated firing"),
]
EMAIL = """The meeting agent for "Design review" failed, 60 minutes before the meeting begins.

Meeting      Thu 26 Nov 2026, 08:07 - 08:08 CET (07:07 - 07:08 UTC)

Next steps
  1. Open the meeting and check what keeps the agent out. In Zoom, a meeting
     that Cronofy did not create needs its organiser's one-time consent by
     e-mail.
"""


def screen(width: int) -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    screen = Screen(out)
    screen.width = width
    return screen, out


@pytest.mark.parametrize("width", [NARROW, 80, WIDE])
def test_each_part_of_the_page_fits_into_the_terminal(width: int) -> None:
    page, out = screen(width)
    page.title("Meeting agents", "The whole story on this machine: an embedded AWS, a stand-in for Cronofy.")
    page.step("Cronofy", "reports it active, after the end", "200  stale: stays complete")
    page.step("on-call", "[critical] meeting-agents: Meeting agent failed: a meeting with a long title")
    page.table(ROWS)
    page.email("oncall@example.com", "[critical] meeting-agents: Meeting agent failed: Design review, 26 Nov", EMAIL)
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_what_is_wrapped_keeps_its_indent_in_a_narrow_terminal() -> None:
    page, out = screen(60)
    page.step("Cronofy", "reports it active, after the end", "200  stale: stays complete")
    page.table(ROWS[1:])
    page.email("oncall@example.com", "[critical] Meeting agent failed: Design review, 26 Nov 2026", EMAIL)
    page.note("# Request an agent; 5 s later it is overdue, unless a notification comes", "# ")
    shown = re.sub(r"^ *\d+\.\d s", " 0.0 s", out.getvalue(), flags=re.MULTILINE)
    assert shown.splitlines() == [
        " 0.0 s  Cronofy   reports it active, after the end",
        "                    200  stale: stays complete",
        "  06:07:06.180  alerted  applied  overdue",
        "      alert published to 2 subscribers: never_activated",
        "      firing",
        "",
        "  │ To:         oncall@example.com",
        "  │ Subject:    [critical] Meeting agent failed: Design",
        "  │             review, 26 Nov 2026",
        "  │",
        '  │ The meeting agent for "Design review" failed, 60 minutes',
        "  │ before the meeting begins.",
        "  │",
        "  │ Meeting      Thu 26 Nov 2026, 08:07 - 08:08 CET (07:07 -",
        "  │              07:08 UTC)",
        "  │",
        "  │ Next steps",
        "  │   1. Open the meeting and check what keeps the agent",
        "  │      out. In Zoom, a meeting that Cronofy did not create",
        "  │      needs its organiser's one-time consent by e-mail.",
        "# Request an agent; 5 s later it is overdue, unless a",
        "# notification comes",
    ]


def test_a_terminal_says_how_wide_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    for columns, width in (("20", NARROW), ("70", 70), ("200", WIDE)):
        monkeypatch.setenv("COLUMNS", columns)
        assert Screen(Terminal()).width == width
    out = Terminal()
    monkeypatch.setenv("COLUMNS", "60")
    Screen(out).awaiting("sweep", "looks for agents past their deadline, and for much more than that")
    assert len(re.sub(r"\r|\x1b\[[0-9;]*\w", "", out.getvalue())) <= 60, "a line that wraps could not be erased"


@pytest.mark.parametrize("width", [60, 80, WIDE])
def test_a_command_is_short_and_shares_its_variables(stage: Stage, width: int) -> None:
    """Only a word that cannot be broken, an address or a signature, may be longer than the terminal is wide."""
    shown = Examples(stage, width)
    names = set(re.findall(r"^(\w+)=", shown.settings, re.MULTILINE))
    used = {name for _, command in shown for name in re.findall(r"\$(\w+)", command)}
    assert used == names
    for _, command in shown:
        for line in command.splitlines():
            words = re.findall(
                r"""'[^']*'|"[^"]*"|\S+""", line.removesuffix(examples.JQ).removesuffix("; echo").rstrip(" \\")
            )
            assert len(line) <= width or words[0] == "-H" or len(words) == 1, line
        assert stage.stack.api_url not in command
        assert stage.grant.access_token not in command


def test_json_is_readable_where_jq_is_installed(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jq").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert Example("", "GET", "$API").command(80) == 'curl -sS -w "$STATUS" -X GET "$API" | jq'
    monkeypatch.setenv("PATH", "/nowhere")
    assert Example("", "GET", "$API").command(80) == 'curl -sS -w "$STATUS" -X GET "$API"'
