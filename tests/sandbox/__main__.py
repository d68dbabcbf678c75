"""`python -m tests.sandbox run` runs the story; `serve` offers the same stack without it, until interrupted."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TextIO

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.examples import Examples
from tests.sandbox.live import LiveView
from tests.sandbox.screen import Screen
from tests.sandbox.stage import Stage
from tests.sandbox.story import EXPECTED, Story, compare

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
    serve = commands.add_parser("serve", help="stay up; the addresses are in .sandbox.json")
    serve.add_argument("--signed", action="store_true", help="answer only signed requests, and enforce every policy")
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
                    screen.note("Running until Ctrl-C. What your commands lead to appears here:")
                    _follow(LiveView(stage, screen))
        else:
            screen.title("Meeting agents", "A sandbox on this machine: an embedded AWS, a stand-in for Cronofy.")
            # Unless requests must be signed, any access key is accepted; policies would reject an invented one.
            with (
                EmbeddedAws(enforces_policies=chosen.signed) as aws,
                Stage(aws, screen=screen, enforces_iam=chosen.signed) as stage,
                _addresses_in_file(stage),
            ):
                status = 0
                screen.step("addresses", f"{ADDRESSES.name}, until this ends")
                if chosen.signed:
                    screen.scene("Try it", "OPERATIONS.md, “A sandbox on this machine”, has a caller that signs.")
                    screen.line()
                else:
                    _show_examples(stage, screen)
                screen.line("Running until Ctrl-C.")
                threading.Event().wait()
    except KeyboardInterrupt:
        screen.line()
        screen.line("Stopped; nothing is left running.")
    return status


def _follow(view: LiveView) -> NoReturn:
    """Show what happens until interrupted. A queue that cannot be read for a moment is read again."""
    while True:
        with suppress(BotoCoreError, ClientError):
            view.show_new()
        time.sleep(LOOK_SECONDS)


def _show_examples(stage: Stage, screen: Screen) -> None:
    shown = Examples(stage, screen.width)
    screen.scene(
        "Try it",
        "On AWS a caller signs with IAM too (curl --aws-sigv4). The access token expires in an hour, as Cronofy's do;"
        f" a new one: curl -X POST $CONTROL/grants. What is wrong, with buttons, in a browser: {stage.page.url}",
    )
    for title, command in [("Paste this first: the variables of the commands below", shown.settings), *shown]:
        screen.line()
        screen.note(f"# {title}", "# ")
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
