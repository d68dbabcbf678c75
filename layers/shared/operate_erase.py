"""`make erase`: the data of agents is erased through the API, and what dead-letter queues hold of them is deleted."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import httpx

from meeting_agents.aws import keys
from meeting_agents.aws.queues import subject_of
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType
from operate_export import agents_between
from operate_stack import BACKUP_DAYS, TIMEOUT, Stack, confirm, counted, finish, problem_of, show_progress

CONCURRENT_REQUESTS = 4
"""Erasures at the same time: few, so that they do not crowd out callers."""
QUEUES = ("AlertDeadLetterQueue", "ForwardDeadLetterQueue", "ArchiveDeadLetterQueue")
"""They hold whole announcements until a redrive. The other queues empty themselves, or have only ids."""
VISIBILITY_SECONDS = 300
"""Longer than a queue takes to be looked through."""


def add_command(commands: Any, time: Callable[[str], datetime]) -> None:
    """Add the command to the parser. `time`: the type of a time."""
    parser = commands.add_parser("erase", help="erase the data of an agent, of an account, or of a span of time")
    parser.add_argument("--id", default="", help="ma_…")
    parser.add_argument("--account", default="", help="all agents of the account, and the account with its tokens")
    parser.add_argument("--from", dest="start", type=time, metavar="TIME", help="with --to: meetings that start then")
    parser.add_argument("--to", dest="end", type=time, metavar="TIME", help="exclusive")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def wrong_arguments(given: argparse.Namespace) -> str:
    """Return what is wrong with the arguments; empty if nothing is."""
    if bool(given.start) != bool(given.end) or bool(given.id) + bool(given.account) + bool(given.start) != 1:
        return "set one of ID=ma_…, ACCOUNT=… or FROM=… TO=…"
    return "FROM must be before TO" if given.start and given.start >= given.end else ""


def erase(stack: Stack, given: argparse.Namespace) -> int:
    """Say what will be erased, ask, and erase it. Return the number of agents whose data was not erased.

    Each agent is erased by a request of its own, so that the command can be stopped and run again.
    """
    agents = sorted(_agents(stack, given))
    for line in _plan(stack, agents, given):
        print(line)  # noqa: T201 - a command prints
    if not agents and not given.account:
        finish([], "nothing to erase")
        return 0
    confirm("Erase this data for good?", is_given=given.yes)
    failures, entries, locked = _erase_all(stack, agents)
    remarks = [f"not erased: {agent}: {problem}" for agent, problem in failures.items()]
    remarks += [f"{agent} left {files} in the archive; the same again deletes them then" for agent, files in locked]
    if given.account:
        remarks += _forget_account(stack, given.account, is_done=not failures)
    messages = _delete_dead_letters(stack, set(agents) - failures.keys())
    count = f"{counted(len(agents) - len(failures), 'agent')} erased, with {counted(entries, 'entry')}"
    finish(remarks, f"{count}; {counted(messages, 'message')} deleted from dead-letter queues")
    return len(failures)


def _agents(stack: Stack, given: argparse.Namespace) -> set[str]:
    """Return the agents that are meant. Those of an account, of any day, are found in the whole table."""
    if given.id:
        return {given.id}
    if given.start:
        return set(agents_between(stack, given.start, given.end))
    items = stack.scan(
        FilterExpression="#account = :account OR #request.#account = :account",
        ExpressionAttributeNames={"#account": "account", "#request": "request"},
        ExpressionAttributeValues={":account": {"S": given.account}},
        ProjectionExpression="pk",
    )
    return {item["pk"]["S"] for item in items}


def _plan(stack: Stack, agents: list[str], given: argparse.Namespace) -> Iterator[str]:
    days = stack.parameters.get("LogRetentionDays", "30")
    whose = f" of the account {given.account}, and the account with its tokens" if given.account else ""
    yield f"This erases from the stack {stack.name} the journal, the record and all notifications of"
    yield f"{counted(len(agents), 'agent')}{whose}. It cannot be undone."
    if "ArchiveBucket" in stack.resources:
        yield "Their files in the archive go, too, but for those that Object Lock keeps."
    yield "What is not reached: the table's point-in-time backups, which AWS keeps"
    yield f"{BACKUP_DAYS} days; logs, which have ids of agents and no titles, kept {days} days; what subscribers,"
    yield "channels and e-mail have received; and Cronofy."


def _erase_all(stack: Stack, agents: list[str]) -> tuple[dict[str, str], int, list[tuple[str, str]]]:
    """Erase agents. Return why some were not, the number of entries that were erased, and the files that are locked."""
    failures: dict[str, str] = {}
    locked: list[tuple[str, str]] = []
    entries = 0
    with httpx.Client(timeout=TIMEOUT) as client:
        pool = ThreadPoolExecutor(CONCURRENT_REQUESTS)
        try:
            responses = pool.map(lambda a: stack.request(client, "DELETE", f"/v1/meeting_agents/{a}/data"), agents)
            for done, (agent, response) in enumerate(zip(agents, responses, strict=True), 1):
                if response.is_success:
                    erased = response.json()
                    entries += erased["entries"]
                    if files := erased["locked_files"]:
                        until = max(file["until"] or "its bucket is deleted" for file in files)
                        locked.append((agent, f"{counted(len(files), 'file')} locked until {until}"))
                else:
                    failures[agent] = problem_of(response)
                show_progress(f"{done} of {len(agents)} agents")
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C no further one begins
    return failures, entries, locked


def _forget_account(stack: Stack, account: str, *, is_done: bool) -> list[str]:
    """Delete an account with its tokens, and what the table has of its incident. Return remarks."""
    if not is_done:
        return [f"{account} stays registered, because it has agents whose data was not erased"]
    with httpx.Client(timeout=TIMEOUT) as client:
        response = stack.request(client, "DELETE", f"/v1/accounts/{account}")
        if not response.is_success and response.status_code != httpx.codes.NOT_FOUND:
            return [f"{account} is still registered: {problem_of(response)}"]
        silences = stack.request(client, "GET", "/v1/silences").json().get("silences", [])
    group = keys.group(Group(IncidentType.ACCOUNT_DISCONNECTED, account).key)
    stack.session.client("dynamodb").delete_item(TableName=stack.outputs["AgentsTableName"], Key=group)
    names = [silence["name"] for silence in silences if account in silence["account"]]
    return [f"the silence {name} names {account}: make unsilence NAME={name}" for name in names]


def _delete_dead_letters(stack: Stack, agents: set[str]) -> int:
    """Delete the announcements of agents from the dead-letter queues, and return their number."""
    sqs, deleted = stack.session.client("sqs"), 0
    for url in (stack.resources[name] for name in QUEUES if name in stack.resources):
        kept = []
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=VISIBILITY_SECONDS
        ).get("Messages"):
            for message in messages:
                if _subject(message["Body"]) in agents:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    deleted += 1
                else:
                    kept.append(message["ReceiptHandle"])
        for handle in kept:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return deleted


def _subject(body: str) -> object:
    """Return the agent that a dead letter is about; Lambda wraps an event that it failed to deliver."""
    try:
        return subject_of(body)
    except ValueError:
        return None


COMMANDS: Mapping[str, Callable[[Stack, argparse.Namespace], int]] = {"erase": erase}
