"""The commands about silences: `make silence`, `make silences`, `make unsilence`, all through the API."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from textwrap import fill
from typing import Any

from meeting_agents.alerting.text import format_duration, sanitize
from meeting_agents.aws.keys import timestamp
from operate_stack import WIDTH, Stack, finish

SILENCES = "/v1/silences"
CRITERIA = ("account", "data_center", "type", "agent", "label")
INDENT = " " * 10
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def add_commands(commands: Any, time: Callable[[str], datetime], named: Callable[[str], Callable[[str], str]]) -> None:
    """Add the commands to the parser. `time`, `named`: the types of a time, and of an argument that is not empty."""

    def until(text: str) -> datetime | timedelta:
        found = re.fullmatch(r"(\d{1,4})([mhd])", text.strip())
        return timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else time(text)

    silence = commands.add_parser("silence", help="send nothing about some incidents for a time")
    silence.add_argument("--name", type=named("NAME=move-to-zoom"), required=True)
    silence.add_argument("--from", dest="start", type=time, metavar="TIME", help="now if it is left out")
    silence.add_argument("--until", type=until, required=True, metavar="TIME", help="or for how long: 90m, 2h, 3d")
    silence.add_argument("--why", type=named('WHY="we move to Zoom"'), required=True)
    for name in CRITERIA:
        silence.add_argument(f"--{name.replace('_', '-')}", type=_listed, default=[], help="several: a,b")
    silence.add_argument("--everything", action="store_true", help="all incidents")
    unsilence = commands.add_parser("unsilence", help="end a silence now")
    unsilence.add_argument("--name", type=named("NAME=move-to-zoom"), required=True)
    commands.add_parser("silences", help="list the silences")


def end_silence(stack: Stack, name: str) -> None:
    """End a silence now."""
    stack.call("DELETE", f"{SILENCES}/{name}")
    finish([], f"{name} is over; what it held back and still stands is sent within a minute or two")


def put_silence(stack: Stack, options: argparse.Namespace) -> None:
    """Make a silence, in place of one of its name."""
    start = options.start or datetime.now(UTC)
    until = start + options.until if isinstance(options.until, timedelta) else options.until
    body: dict[str, Any] = {name: getattr(options, name) for name in CRITERIA if getattr(options, name)}
    body |= {"until": timestamp(until), "why": options.why}
    body |= {"from": timestamp(start)} if options.start else {}
    body |= {"everything": True} if options.everything else {}
    silence = stack.call("PUT", f"{SILENCES}/{options.name}", body)
    print("\n".join(_lines(silence, datetime.now(UTC))))  # noqa: T201 - a command prints
    finish([], f"make unsilence NAME={options.name} ends it")


def list_silences(stack: Stack) -> None:
    """Print the silences that are planned or active."""
    silences = stack.call("GET", SILENCES)["silences"]
    for silence in silences:
        print("\n".join([*_lines(silence, datetime.now(UTC)), ""]))  # noqa: T201 - a command prints
    finish([], f"{len(silences)} silence{'' if len(silences) == 1 else 's'}")


def _lines(silence: dict[str, Any], now: datetime) -> Iterator[str]:
    start, until = (datetime.fromisoformat(silence[name]) for name in ("from", "until"))
    left = format_duration((start if start > now else until) - now)
    words = f"begins in {left}" if start > now else f"ends in {left}"
    yield f"{silence['status'].upper():<10}{silence['name']}, {words}"
    yield f"{INDENT}{start:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    chosen = [f"{name.replace('_', ' ')} {sanitize(', '.join(silence[name]))}" for name in CRITERIA if silence[name]]
    by = silence["by"].rpartition("/")[2]
    for text in ("; ".join(chosen) or "everything", f"{sanitize(silence['why'])}{f' ({by})' if by else ''}"):
        yield fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)


def _listed(text: str) -> list[str]:
    return [value.strip() for value in text.split(",") if value.strip()]


COMMANDS: Mapping[str, Callable[[Stack, argparse.Namespace], None]] = {
    "silence": put_silence,
    "silences": lambda stack, _: list_silences(stack),
    "unsilence": lambda stack, given: end_silence(stack, given.name),
}
