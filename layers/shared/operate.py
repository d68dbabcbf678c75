"""The commands for a deployed stack: `make agents`, `make retry`, `make doctor`, `make replay`, and the others.

Runs on the operator's machine with the operator's AWS credentials. It is no part of the layer, but stands beside
`meeting_agents` because it reads the same table. Each command shows its progress and ends with a count.
"""

import argparse
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import boto3
import httpx
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

import operate_bindings
import operate_erase
import operate_restore
import operate_silences
import operate_uninstall
from meeting_agents.aws.keys import RECORD, timestamp
from meeting_agents.cronofy.payloads import HOSTS
from meeting_agents.domain.model import State, Verdict
from operate_channels import test_channel
from operate_cost import MAX_DAYS, cost
from operate_doctor import doctor
from operate_export import export
from operate_incidents import acknowledge, find_agent, list_agents, list_incidents, retry, show_agent
from operate_parameters import parameters_of
from operate_redrive import redrive
from operate_secret import store_secret
from operate_stack import TIMEOUT, OperatorError, Stack, clear_progress, finish, nearest, show_progress

CONCURRENT_REQUESTS = 4
"""Requests to the API at the same time: few, so that a replay does not crowd out callers."""


# --------------------------------------------------------------------------------------------------------------- replay


def replay(stack: Stack, start: datetime, end: datetime, state: str | None, *, dry_run: bool) -> int:
    """Announce the entries from `start` until before `end` again. Return the number of agents that failed."""
    agents = list(dict.fromkeys(item["pk"]["S"] for item in stack.entries(timestamp(start), timestamp(end))))
    parameters = {"from": timestamp(start), "to": timestamp(end), "state": state, "dry_run": str(dry_run).lower()}
    announced, failures = 0, []
    with httpx.Client(timeout=TIMEOUT) as client, ThreadPoolExecutor(CONCURRENT_REQUESTS) as pool:
        paths = (f"/v1/meeting_agents/{agent}/replay" for agent in agents)
        responses = pool.map(lambda path: stack.request(client, "POST", path, **parameters), paths)
        for done, (agent, response) in enumerate(zip(agents, responses, strict=True), 1):
            if response.status_code == 200:
                announced += len(response.json()["announcements"])
            else:
                failures.append(f"{agent}: {response.status_code} {response.text}")
            show_progress(f"{done} of {len(agents)} agents, {announced} announcements")
    verb = "would be announced" if dry_run else "were announced"
    finish(
        [f"not replayed: {failure}" for failure in failures],
        f"{announced} entries of {len(agents) - len(failures)} agents {verb} again",
    )
    return len(failures)


# ------------------------------------------------------------------------------------------------------------- verdicts


def verdicts(stack: Stack) -> int:
    """Count the stored notifications by verdict. Return the number of those without one.

    stored = applied + duplicate + stale + conflicting + mismatched + unrecognised + in flight
    """
    stored: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    by_verdict: Counter[str] = Counter()
    now = time.time()
    for item in stack.scan(ProjectionExpression="pk, sk, signed_with, judged, expires_at", ConsistentRead=True):
        if float(item.get("expires_at", {}).get("N", "inf")) <= now:
            continue
        agent = item["pk"]["S"]
        stored[agent] += "signed_with" in item
        if item["sk"]["S"] == RECORD:
            counts = {verdict: int(count["N"]) for verdict, count in item.get("judged", {}).get("M", {}).items()}
            judged[agent] += sum(counts.values())
            by_verdict.update(counts)
    in_flight = {agent: stored[agent] - judged[agent] for agent in stored if stored[agent] != judged[agent]}
    parts = [f"{verdict} {by_verdict[verdict]:,}" for verdict in Verdict]
    finish(
        [f"in flight: {agent}: {count}" for agent, count in sorted(in_flight.items())[:20]],
        f"stored {stored.total():,} = {' + '.join(parts)} + in flight {sum(in_flight.values()):,}",
    )
    return sum(map(abs, in_flight.values()))


# -------------------------------------------------------------------------------------------------------------- command


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: set FROM=2026-11-22T08:00:00Z TO=2026-11-22T09:00:00Z"
        ) from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _time_or_latest(text: str) -> datetime | str:
    if text in ("", operate_restore.LATEST):
        return text
    try:
        return _time(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: set AT=2026-11-22T08:00:00Z or AT=latest") from None


def _data_center(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("no data center is named: set DATA_CENTER=de")
    if text not in HOSTS:
        raise argparse.ArgumentTypeError(f"there is no data center {text}: {nearest(text, HOSTS)}")
    return text


def _queue(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("no queue is named: set QUEUE=track|alert|…")
    return text


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MAX_DAYS):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {MAX_DAYS}: set DAYS=30")
    return int(text)


def _file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("no file is named: set JOURNAL=week.jsonl")
    return Path(text)


_SWITCH = (
    {"": False} | dict.fromkeys(("0", "no", "false", "off"), False) | dict.fromkeys(("1", "yes", "true", "on"), True)
)


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCH:
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no: set DRY_RUN=yes or DRY_RUN=no")
    return _SWITCH[text.lower()]


def _states(text: str) -> list[str]:
    names = [each.value for each in State]
    states = [state for state in text.replace(",", " ").split() if state]
    for state in states:
        if state not in names:
            raise argparse.ArgumentTypeError(f"there is no state {state}: {nearest(state, names)}")
    return states


def _labels(text: str) -> list[str]:
    labels = [label.strip() for label in text.split(",") if label.strip()]
    for label in labels:
        if not all(label.partition(":")):
            raise argparse.ArgumentTypeError(f"{label!r} is not a label with its value: set LABEL=team:sales")
    return labels


def _named(example: str) -> Callable[[str], str]:
    """Return a type of an argument that must not be empty."""

    def check(text: str) -> str:
        if not text.strip():
            raise argparse.ArgumentTypeError(f"it is empty: set {example}")
        return text.strip()

    return check


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="operate", description=__doc__.partition("\n")[0])
    parser.add_argument("--stack", default="meeting-agents")
    commands = parser.add_subparsers(dest="command", required=True)
    agents = commands.add_parser("agents", help="list the open incidents, or the agents in a state")
    agents.add_argument("--state", dest="states", type=_states, default=[], help="failed, overdue, …; several: a,b")
    agents.add_argument("--account", default="", help="only agents of this account")
    agents.add_argument("--label", dest="labels", type=_labels, default=[], help="team:sales; several: team:a,region:b")
    agents.add_argument("--from", dest="start", type=_time, metavar="TIME", help="only meetings then or later")
    agent = commands.add_parser("agent", help="show an agent with its timeline")
    agent.add_argument("--id", default="", help="ma_…")
    agent.add_argument("--event", default="", help="with --calendar: the agent of a calendar event")
    agent.add_argument("--calendar", default="")
    agent.add_argument("--data-center", default="")
    acknowledgement = commands.add_parser("acknowledge", help="acknowledge an incident, which ends its reminders")
    acknowledgement.add_argument("--id", type=_named("ID=ma_…"), required=True, help="ma_…, or a group's dedup_key")
    acknowledgement.add_argument("--note", type=_named('NOTE="I call them"'), required=True)
    again = commands.add_parser("retry", help="have Cronofy asked again now")
    again.add_argument("--id", type=_named("ID=ma_…"), required=True, help="ma_…")
    channel = commands.add_parser("channel-test", help="send a test incident to a channel, from trigger to resolve")
    channel.add_argument("--name", type=_named("NAME=pager"), required=True, help="the channel's name in the secret")
    bill = commands.add_parser("cost", help="print the bill of the last days, and what would lower it")
    bill.add_argument("--days", type=_days, default=30, help=f"1 to {MAX_DAYS}")
    commands.add_parser("doctor", help="say if the stack will work, and what to do if not")
    secret = commands.add_parser("secret", help="store the client id and the client secret of a data center")
    secret.add_argument("--data-center", type=_data_center, required=True)
    parameters = commands.add_parser(
        "parameters", help="print the parameters of an environment, with those given on top"
    )
    parameters.add_argument("--environment", default="default", help="a section of samconfig.toml")
    parameters.add_argument("pairs", nargs="*", metavar="Name=value")
    replays = commands.add_parser("replay", help="announce the entries of a span of time again")
    replays.add_argument("--state", choices=[state.value for state in State], help="only entries that led to it")
    replays.add_argument(
        "--dry-run", type=_switch, nargs="?", const=True, default=False, metavar="yes|no", help="only count"
    )
    redrives = commands.add_parser("redrive", help="return the messages of a dead-letter queue to their source")
    redrives.add_argument("--queue", type=_queue, required=True, help="track, alert, …")
    operate_silences.add_commands(commands, _time, _named)
    operate_erase.add_command(commands, _time)
    operate_restore.add_command(commands, _time_or_latest, _named)
    operate_uninstall.add_command(commands)
    operate_bindings.add_commands(commands, _named)
    exports = commands.add_parser("export", help="write the journals of the meetings of a span of time to a file")
    exports.add_argument("--file", type=_file, required=True, help="week.jsonl")
    for span in (replays, exports):
        example = "2026-04-29T15:30:00Z"
        span.add_argument("--from", dest="start", type=_time, required=True, metavar="TIME", help=example)
        span.add_argument("--to", dest="end", type=_time, required=True, metavar="TIME", help="exclusive")
    commands.add_parser("verdicts", help="count the notifications by verdict")
    return parser


def main(arguments: list[str]) -> int:
    """Run a command. Return 1 if something remains to be done, 2 if it could not run, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    if options.command in ("replay", "export") and options.start >= options.end:
        _refuse(options.command, "FROM must be before TO")
    if options.command == "agent" and bool(options.id) == bool(options.event and options.calendar):
        _refuse("agent", "set ID=ma_…, or EVENT=… and CALENDAR=…")
    if options.command == "erase" and (problem := operate_erase.wrong_arguments(options)):
        _refuse("erase", problem)
    try:
        if options.command == "parameters":
            print(shlex.join(parameters_of(options.environment, options.pairs)))  # noqa: T201
            return 0
        stack = Stack(options.stack, boto3.Session(region_name=os.environ.get("AWS_REGION") or None))
        remaining = _COMMANDS[options.command](stack, options)
    except (BotoCoreError, ClientError, httpx.HTTPError, OSError, OperatorError) as error:
        print(f"operate: {_problem(error)}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        clear_progress()
        print("operate: stopped; the same command again does the rest", file=sys.stderr)  # noqa: T201
        return 130
    return 1 if remaining else 0


def _refuse(command: str, problem: str) -> NoReturn:
    """End as `argparse` does with a wrong argument."""
    print(f"operate {command}: error: {problem}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


_COMMANDS: Mapping[str, Callable[[Stack, argparse.Namespace], int | None]] = {
    "agents": lambda stack, given: (
        list_agents(stack, given.states, given.account, given.labels, given.start)
        if given.states
        else list_incidents(stack, given.account, given.labels, given.start)
    ),
    "agent": lambda stack, given: show_agent(
        stack, given.id or find_agent(stack, given.calendar, given.event, given.data_center)
    ),
    "acknowledge": lambda stack, given: acknowledge(stack, given.id, given.note),
    "retry": lambda stack, given: retry(stack, given.id),
    "doctor": lambda stack, _: doctor(stack),
    "cost": lambda stack, given: cost(stack, given.days),
    "channel-test": lambda stack, given: test_channel(stack, given.name),
    "secret": lambda stack, given: store_secret(stack, given.data_center),
    "replay": lambda stack, given: replay(stack, given.start, given.end, given.state, dry_run=given.dry_run),
    "redrive": lambda stack, given: redrive(stack, given.queue),
    "export": lambda stack, given: export(stack, given.start, given.end, given.file),
    "verdicts": lambda stack, _: verdicts(stack),
    "restore": operate_restore.restore,
    "uninstall": operate_uninstall.uninstall,
    **operate_silences.COMMANDS,
    **operate_erase.COMMANDS,
    **operate_bindings.COMMANDS,
}
"""Each returns the number of things that remain to be done; None: nothing can remain."""


def _problem(error: Exception) -> str:
    """Describe in one line why a command could not run, and the next step."""
    match error:
        case NoRegionError():
            return "no AWS region is configured: set AWS_REGION=eu-central-1 or AWS_PROFILE=…"
        case NoCredentialsError():
            return "no AWS credentials are found: set AWS_PROFILE=…, or sign in"
        case ClientError() if error.operation_name in ("DescribeStacks", "ListStackResources"):
            message = error.response["Error"].get("Message", "")
            return f"the stack could not be read: {message}; set STACK=… and AWS_REGION=…"
        case _:
            return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
