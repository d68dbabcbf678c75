"""`python -m tests.sandbox run` runs the story; `serve` offers the same stack without it, until interrupted."""

import argparse
import json
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn, TextIO

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.domain.identity import agent_id
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.live import LiveView
from tests.sandbox.screen import Screen
from tests.sandbox.stage import CALENDAR, GRACE, HOME, Stage
from tests.sandbox.stand_in import sign
from tests.sandbox.story import EXPECTED, Story, compare

HEADER = "Cronofy-HMAC-SHA256"
ADDRESSES = Path(".sandbox.json")
INTERRUPTED = 130
ALREADY_RUNNING = 2
LOOK_SECONDS = 0.5
"""Seconds between two looks at the queues, while the live view is shown."""


def main(arguments: Sequence[str], out: TextIO, expected: Mapping[str, str] = EXPECTED) -> int:
    """Run one command; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the story, then stay up")
    run.add_argument("--once", action="store_true", help="end after the story")
    commands.add_parser("serve", help="stay up; the addresses are in .sandbox.json")
    chosen = parser.parse_args(arguments)

    screen = Screen(out)
    if chosen.command == "serve" and (other := _running()):
        screen.line(f"A sandbox is running in this folder already: {ADDRESSES} names {other}. Stop it first.")
        return ALREADY_RUNNING
    status = INTERRUPTED
    try:
        if chosen.command == "run":
            screen.title("Meeting agents", "The whole story on this machine: an embedded AWS, a stand-in for Cronofy.")
            with Stage(screen=screen) as stage:
                story = Story(stage, screen)
                story.run()
                status = compare(expected, story.seen, screen)
                if status:
                    screen.scene("The end of the embedded AWS's log")
                    screen.line(stage.aws.log_tail())
                if not chosen.once:
                    _show_examples(stage, screen)
                    screen.line("Running until Ctrl-C. What your commands lead to appears here:")
                    _follow(LiveView(stage, screen))
        else:
            screen.title("Meeting agents", "A sandbox on this machine: an embedded AWS, a stand-in for Cronofy.")
            # Any access key is accepted here; policies would reject an invented one.
            with (
                EmbeddedAws(enforces_policies=False) as aws,
                Stage(aws, screen=screen) as stage,
                _addresses_in_file(stage),
            ):
                status = 0
                screen.step("addresses", f"{ADDRESSES.name}, until this ends")
                _show_examples(stage, screen)
                screen.line("Running until Ctrl-C.")
                threading.Event().wait()
    except KeyboardInterrupt:
        screen.line()
        screen.line("Stopped; nothing is left running.")
    return status


def examples(stage: Stage) -> list[tuple[str, str]]:
    """`curl` commands, each with a title, in an order that makes sense; together they use every route."""
    now = datetime.now(UTC).replace(second=0)
    start, end = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (now, now + timedelta(hours=1)))
    event = {"event_id": "try-me", "summary": "Try me", "start": start, "end": end}
    event_with_agent = event | {"meeting_agent": {"profile_id": "cronofy"}}
    scheduled = {
        "scheduling_key": "try-me",
        "join_url": "https://zoom.us/j/1",
        "join_time": end,
        "on_behalf_of_attendee": {"email": "marty@example.com"},
    }
    activated = {"notification": {"type": "event_subscription", "interactions": [{"type": "meeting_agent_activated"}]}}
    sent = json.dumps(activated).encode()
    signature = sign(sent, [stage.addresses["client_secret"]])
    registration = {"data_center": HOME, "refresh_token": stage.grant.refresh_token}
    api, agent = stage.stack.api_url, agent_id(HOME, CALENDAR, "try-me")
    events, agents, account = (
        f"{api}/v1/calendars/{CALENDAR}/events",
        f"{api}/v1/meeting_agents",
        f"{api}/v1/accounts/me",
    )
    webhook, control = f"{api}/webhooks/cronofy/{agent}", f"{stage.cronofy.url}/_control"
    token = f"Cronofy-Authorization: Bearer {stage.grant.access_token}"
    return [
        (
            f"Request an agent; {GRACE} s later it is overdue, unless a notification comes",
            _curl("POST", events, event_with_agent, token),
        ),
        ("Read its record and its timeline", _curl("GET", f"{agents}/{agent}")),
        ("List what is wrong, of meetings of any day", _curl("GET", f"{api}/v1/incidents")),
        ("Have Cronofy asked again, which only its caller can: 409", _curl("POST", f"{agents}/{agent}/retry")),
        (
            "Acknowledge the incident, so that no reminder is sent",
            _curl("POST", f"{agents}/{agent}/acknowledgement", {"note": "I am on it"}),
        ),
        (
            "Send a signed notification: the agent is active",
            _curl("POST", webhook, activated, f"{HEADER}: {signature}"),
        ),
        (
            "Read the notification again, byte for byte",
            _curl("GET", f"{agents}/{agent}/notifications/{sha256(sent).hexdigest()}"),
        ),
        ("Send a forged notification: 401", _curl("POST", webhook, activated, f"{HEADER}: {sign(b'', ['guessed'])}")),
        (
            "Let the stand-in Cronofy report it complete",
            _curl("POST", f"{control}/agents/{HOME}/{CALENDAR}/try-me/complete"),
        ),
        (
            "Let a person move its meeting in the calendar",
            _curl("POST", f"{control}/events/{HOME}/{CALENDAR}/try-me/drag", {"start": end}),
        ),
        ("Send the event triggers that are due", _curl("POST", f"{control}/triggers")),
        ("Find its transcript", _curl("GET", f"{agents}/{agent}/resources/transcript?format=json")),
        ("Publish its announcements again", _curl("POST", f"{agents}/{agent}/replay")),
        ("Delete its calendar event", _curl("DELETE", events, {"event_id": "try-me"}, token)),
        ("Schedule an agent without a calendar event", _curl("POST", agents, scheduled)),
        ("Cancel it", _curl("DELETE", agents, {"scheduling_key": "try-me"})),
        (
            "List the agents that were cancelled or are complete",
            _curl("GET", f"{agents}?state=cancelled&state=complete"),
        ),
        ("Register an account, so that its tokens are refreshed", _curl("PUT", account, registration)),
        ("List the accounts", _curl("GET", f"{api}/v1/accounts")),
        (
            "Send nothing about the agent for two hours; what still stands then is sent",
            _curl("PUT", f"{api}/v1/silences/quiet", {"until": "PT2H", "why": "we know", "agent": [agent]}),
        ),
        ("List the silences", _curl("GET", f"{api}/v1/silences")),
        ("Read one", _curl("GET", f"{api}/v1/silences/quiet")),
        ("End it", _curl("DELETE", f"{api}/v1/silences/quiet")),
        ("Read the account", _curl("GET", account)),
        (
            "Acknowledge the incident of the account, which has none: 404",
            _curl("POST", f"{api}/v1/incidents/account_disconnected/me/acknowledgement", {"note": "I am on it"}),
        ),
        ("Delete the account", _curl("DELETE", account)),
        ("Get the OpenAPI document", _curl("GET", f"{api}/openapi.json") + " -o /tmp/openapi.json"),
        ("Get the document as a page, for a browser", _curl("GET", f"{api}/docs") + " -o /dev/null"),
        ("List the controls of the stand-in Cronofy", _curl("GET", control)),
    ]


def _curl(method: str, url: str, body: dict[str, Any] | None = None, *headers: str) -> str:
    parts = [f"curl -sS -w ' %{{http_code}}\\n' -X {method} {shlex.quote(url)}"]
    parts += [f"-H {shlex.quote(header)}" for header in headers]
    if body is not None:
        parts += [f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body))}"]
    return " \\\n  ".join(parts)


def _follow(view: LiveView) -> NoReturn:
    """Show what happens until interrupted. A queue that cannot be read for a moment is read again."""
    while True:
        with suppress(BotoCoreError, ClientError):
            view.show_new()
        time.sleep(LOOK_SECONDS)


def _show_examples(stage: Stage, screen: Screen) -> None:
    screen.scene(
        "Try it",
        "On AWS a caller signs with IAM too (curl --aws-sigv4). The access token expires in an hour, as Cronofy's do;"
        f" a new one: curl -X POST {stage.cronofy.url}/_control/grants",
    )
    for title, command in examples(stage):
        screen.line()
        screen.note(f"# {title}")
        screen.line(command)
    screen.line()


def _running() -> str:
    """The address of the sandbox that the file names, if it answers; a file that was left behind does not count."""
    try:
        url = str(json.loads(ADDRESSES.read_text(encoding="utf-8"))["aws_endpoint_url"])
        httpx.get(f"{url}/_ministack/health", timeout=10, trust_env=False)
    except (OSError, ValueError, LookupError, TypeError, httpx.HTTPError, httpx.InvalidURL):
        return ""
    return url


@contextmanager
def _addresses_in_file(stage: Stage) -> Iterator[None]:
    """Keep the addresses in a file while they are valid; the file is written at once or not at all."""
    text = json.dumps(stage.addresses, indent=2) + "\n"
    unfinished = ADDRESSES.with_name(f"{ADDRESSES.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(ADDRESSES)
    try:
        yield
    finally:
        if (
            ADDRESSES.exists() and ADDRESSES.read_text(encoding="utf-8") == text
        ):  # another sandbox may have its own there
            ADDRESSES.unlink()


def _interrupt(number: int, frame: object) -> NoReturn:
    """Stop once, also if signals come again."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    os.write(1, "\nStopping…\n".encode())  # at once, even while a line is being written
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.exit(main(sys.argv[1:], sys.stdout))
