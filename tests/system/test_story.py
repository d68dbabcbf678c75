"""`make run` and `make sandbox`, from the first line to Ctrl-C."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.sandbox.__main__ import main
from tests.sandbox.deployment import ROOT
from tests.sandbox.screen import Screen
from tests.sandbox.story import EXPECTED, REVIEW, WEEKLY, compare

COMMANDS = re.compile(r"^# (.+(?:\n# .+)*)\n((?:(?!# ).+\n)+)", re.MULTILINE)
DATES = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d\d"
    r" (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?:\d{4}, )?(?=\d\d:\d\d)"
)
"""A date before its time of day: it is written twice only where two differ."""
PARTS = re.compile(rf"\n *\n|^  ✓  {WEEKLY}  .*$", re.MULTILINE)
"""Separates the parts of the story; the expectation of the weekly meeting is changed here."""
AT_A_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " signal.signal(signal.SIGINT, signal.SIG_DFL);"  # a run in the background ignores it, and so would its children
    " os.execvp(sys.argv[1], sys.argv[1:])"
)
"""Runs a command whose standard input is its terminal, so that Ctrl-C can be typed."""
COMPARED = re.compile(r"^  ([✓✗])  (.+?)  +", re.MULTILINE)


def test_the_story_meets_its_expectations_and_one_that_it_cannot_meet_is_status_1() -> None:
    """One run with one impossible expectation: only that one is missed."""
    out = io.StringIO()

    status = main(["run", "--once"], out, dict(EXPECTED) | {WEEKLY: "requested, failed"})

    page = out.getvalue()
    assert status == 1, page
    verdicts = {name: mark for mark, name in COMPARED.findall(page)}
    assert verdicts == dict.fromkeys(EXPECTED, "✓") | {WEEKLY: "✗"}, page
    assert "expected: requested, failed / seen: requested, accepted," in page
    assert f"{len(EXPECTED) - 1} of {len(EXPECTED)} as expected." in page
    assert re.search(r"│ To: +oncall@example.com\n +│ Subject: .*Design review", page), "alerts are shown as e-mails"
    assert "\x1b" not in page, "a page that is no terminal gets no colours"
    story = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- story -->")[1].split("<!-- /story -->")[0]
    shown = story.partition("```text")[2]
    *parts, last = [part for part in PARTS.split(shown) if part.strip(" \n`…")]
    assert last.endswith(f"{len(EXPECTED)} of {len(EXPECTED)} as expected.\n```\n")
    assert len(parts) > 10
    seen = words(page)
    for part in parts:
        _, found, seen = seen.partition(words(part))
        there = page[page.find(part.strip().partition("\n")[0]) :][: 2 * len(part)]
        assert found, f"a run does not print this part of the README here:\n{part}\nbut, perhaps there:\n{there}"


def words(text: str) -> str:
    """A text without what differs from run to run: times, ports, ids, counts, spaces and line ends."""
    text = re.sub(r"[\s│`…]+", " ", text)
    text = DATES.sub("", text).replace(" CEST", " CET")
    text = text.replace(" an unknown number of subscribers", " subscribers")  # the embedded AWS can be too busy to say
    return re.sub(r"\d+|\s+", "", text)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ('"Customer call", 22 Nov 16:23 CET', '"Customer call", 05 May 16:23\n                  CEST'),
        (
            "Sun 22 Nov 2026, 16:23 - 16:24 CET (15:23 - 15:24 UTC)",
            "Thu 31 Dec 2026, 23:59 - Fri 01 Jan 2027, 00:00 CET (22:59 - 23:00 UTC)",
        ),
        (
            "Sun 22 Nov 2026, 16:23 CET (15:23 UTC)",
            "Sun 28 Mar 2027, 01:59 CET (Sat 27 Mar 2027, 23:59\n  │ UTC)",
        ),
        ("at 09:03 CET to 2 subscribers", "at 09:03 CET to an unknown number of\n     subscribers"),
    ],
    ids=["a subject", "a meeting", "a time", "a count"],
)
def test_the_story_is_the_same_on_another_day(one: str, another: str) -> None:
    """Each form of a time, and each line end that moves with it, is ignored; other words count."""
    assert words(one) == words(another)
    assert words(one) != words(another.replace("CE", "GE"))


def test_a_story_as_expected_ends_with_status_0() -> None:
    """The comparison alone, of EXPECTED with itself."""
    out = io.StringIO()

    assert compare(EXPECTED, dict(EXPECTED), Screen(out)) == 0
    assert out.getvalue().rstrip().endswith(f"{len(EXPECTED)} of {len(EXPECTED)} as expected.")


@pytest.mark.parametrize(
    "seen",
    [
        {name: text for name, text in EXPECTED.items() if name != REVIEW},
        dict(EXPECTED) | {REVIEW: "requested, accepted"},
        dict(EXPECTED) | {"something else": "happened"},
    ],
    ids=["missing", "different", "surplus"],
)
def test_each_difference_from_the_expectation_is_status_1(seen: dict[str, str]) -> None:
    """A missing, a different and an unexpected result."""
    assert compare(EXPECTED, seen, Screen(io.StringIO())) == 1


@dataclass
class Served:
    """A `make sandbox` that stays up: its process, its addresses, its output."""

    process: subprocess.Popen[str]
    file: Path
    page: str

    @property
    def addresses(self) -> dict[str, Any]:
        addresses: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        return addresses


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The command of `make sandbox`, in a folder of its own, beside any sandbox that runs already."""
    folder = tmp_path_factory.mktemp("served")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sandbox", "serve"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers/shared'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        page = ""
        for line in process.stdout:
            page += line
            if line.startswith("Running until"):
                break
        try:
            yield Served(process, folder / ".sandbox.json", page)
        finally:
            process.terminate()


def test_the_addresses_of_a_sandbox_are_in_a_file_while_it_is_up(served: Served) -> None:
    """The names that scripts outside rely on, and the token and the calendar of a request."""
    addresses = served.addresses

    assert addresses.keys() == {
        "api_url",
        "cronofy_url",
        "aws_endpoint_url",
        "region",
        "table",
        "lifecycle_topic_arn",
        "alerts_topic_arn",
        "lifecycle_queue_url",
        "alerts_queue_url",
        "client_secret",
        "functions",
        "page_url",
        "access_key_id",
        "secret_access_key",
        "access_token",
        "calendar_id",
    }
    every = {path.parent.name for path in ROOT.glob("functions/*/app.py")}
    assert addresses["functions"].keys() == every - {"archive"}  # which the default parameters do not create


def test_every_curl_command_works_as_it_is_printed(served: Served) -> None:
    """Pasted into a shell one after the other, the variables first; meanwhile a sweep finds the silent agent."""
    (_, settings), *commands = COMMANDS.findall(served.page)
    answers, statuses = {}, {}
    for title, command in commands:
        script = f"set -o pipefail\n{settings}{command}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (title, done)
        statuses[title], answers[title] = done.stderr.strip(), done.stdout
        if title.startswith("Request an agent"):
            agent = f"{served.addresses['api_url']}/v1/meeting_agents/{json.loads(done.stdout)['agent']['id']}"
            assert _becomes("overdue", agent), served.page

    rejected = {title: status for title, status in statuses.items() if not status.startswith("2")}
    assert rejected == {title: title[-3:] for title in statuses if re.search(r": [45][0-9][0-9]$", title)}, answers
    assert len(rejected) == 3
    assert json.loads(answers["Read its record and its timeline"])["state"] == "overdue"
    assert '"succeeded": true' in answers["Let the stand-in Cronofy report it complete"]
    assert "/presigned/" in answers["Find its transcript"]


def test_there_is_a_curl_command_for_every_route(served: Served) -> None:
    """Each route of the deployed API can be tried at the terminal."""
    client: Any = boto3.client(
        "apigatewayv2",
        endpoint_url=served.addresses["aws_endpoint_url"],
        region_name=served.addresses["region"],
        aws_access_key_id="anybody",
        aws_secret_access_key="anything",
    )
    api_id = served.addresses["api_url"].rpartition("/")[2]
    routes = [
        route["RouteKey"] for route in client.get_routes(ApiId=api_id)["Items"] if route["RouteKey"] != "$default"
    ]
    tried = re.findall(r'-X (\w+)[\s\\]+"\$API([^\s"?]*)', served.page)

    assert len(routes) > 2
    for route in routes:
        method, path = route.split(" ")
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        assert any(m == method and re.fullmatch(pattern, p) for m, p in tried), f"{route} has no curl command"


def test_a_second_sandbox_in_the_same_folder_is_refused(served: Served) -> None:
    """It prints one line, and the first one's file stays as it is."""
    before = served.file.read_bytes()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers/shared'}"}
    command = [sys.executable, "-m", "tests.sandbox", "serve"]
    second = subprocess.run(
        command, cwd=served.file.parent, env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    url = served.addresses["aws_endpoint_url"]
    assert (second.returncode, second.stderr) == (2, "")
    assert second.stdout == (
        f"A sandbox is running in this folder already: .sandbox.json names {url}. Stop it first.\n"
    )
    assert served.file.read_bytes() == before


def test_an_interrupted_sandbox_ends_quietly_and_removes_its_addresses(served: Served) -> None:
    """Ctrl-C is the normal end: status 0, no traceback, no file, no server."""
    url = served.addresses["aws_endpoint_url"]

    served.process.send_signal(signal.SIGINT)
    rest, _ = served.process.communicate(timeout=15)

    assert served.process.returncode == 0
    assert [line for line in rest.splitlines() if line] == ["Stopping…", "Stopped; nothing is left running."]
    assert not list(served.file.parent.iterdir())
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["curl", "-sS", url], check=True, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("target", ["run", "sandbox"])
def test_ctrl_c_at_a_terminal_is_no_error_of_make(target: str, tmp_path: Path) -> None:
    """The recipe as it is, with a program in the place of Python that ends as a sandbox does."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(rf"^{target}:.*\n\t(.*)$", text, re.MULTILINE)
    assert found
    (tmp_path / "python").write_text("#!/bin/sh\ntrap 'echo Stopped; exit 0' INT\necho Running\nsleep 20 & wait\n")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "Makefile").write_text(f"IN_VENV := PATH='{tmp_path}':$$PATH\n{target}:\n\t{found[1]}\n")
    terminal, device = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", AT_A_TERMINAL, "make", target],
        cwd=tmp_path,
        env={
            name: value for name, value in os.environ.items() if not name.startswith("MAKE")
        },  # of the tests' own make
        stdin=device,
        stdout=device,
        stderr=device,
        start_new_session=True,
    ) as process:
        os.close(device)
        shown = _read(terminal, b"Running")
        os.write(terminal, b"\x03")
        shown += _read(terminal, b"")
    # GNU make has a race of its own, if the program ends before make comes to wait for it: it says so, and no more.
    is_late = b"No child processes" in shown
    assert process.returncode == (2 if is_late else -signal.SIGINT)
    lines = [line.strip() for line in shown.replace(b"^C", b"").splitlines() if not (is_late and b"make: ***" in line)]
    assert [line for line in lines if line] == [b"Running", b"Stopped"]
    assert b"Error" not in shown


def _read(terminal: int, last: bytes) -> bytes:
    """The output of a terminal until a word, or until it is closed."""
    shown = b""
    while not last or last not in shown:
        try:
            part = os.read(terminal, 1000)
        except OSError:  # so Linux says that it is closed
            part = b""
        if not part:
            break
        shown += part
    return shown


def _becomes(state: str, agent_url: str, within: float = 20) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        got = subprocess.run(["curl", "-sS", agent_url], stdout=subprocess.PIPE, text=True, check=True).stdout
        if json.loads(got)["state"] == state:
            return True
        time.sleep(0.2)
    return False
