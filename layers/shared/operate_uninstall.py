"""`make uninstall`: the stack goes; its tables and their key stay until somebody wants them gone, too."""

import argparse
import time
from collections.abc import Iterator
from typing import Any

from meeting_agents.aws.keys import DUE_INDEX
from operate_cost import priced
from operate_restore import KEY, POLL_SECONDS, TABLES, Source, find_source
from operate_stack import BACKUP_DAYS, OperatorError, Stack, confirm, finish, show_progress

KEY_DAYS = 30
"""Days for which KMS can still be made to keep a key, the most that it offers."""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("uninstall", help="delete the stack")
    parser.add_argument("--everything", action="store_true", help="its tables and their key, too")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def uninstall(stack: Stack, given: argparse.Namespace) -> None:
    """Say what will go and what will stay, ask, and delete the stack. Run again, it does what is left to do."""
    source = find_source(stack.session, stack.name)
    sizes = {table: _described(source, table) for table in TABLES}
    for line in _plan(stack, source, sizes, everything=given.everything):
        print(line)  # noqa: T201 - a command prints
    if source.is_deleted and not (given.everything and any(sizes.values())):
        finish([], f"{stack.name} is gone")
        return
    confirm(f"Delete {stack.name}{' with everything' if given.everything else ''}?", is_given=given.yes)
    if not source.is_deleted:
        _delete_stack(stack, source.id)
    if given.everything:
        _delete_the_rest(source, [table for table, size in sizes.items() if size])
        finish([], f"{stack.name} is gone, and so are its tables; its key is deleted in {KEY_DAYS} days")
        return
    finish([], "\n".join([f"{stack.name} is gone.", *_left(source)]))


def _plan(stack: Stack, source: Source, sizes: dict[str, Any], *, everything: bool) -> Iterator[str]:
    if not source.is_deleted:
        yield f"This deletes the stack {stack.name} in {stack.session.region_name}: its API with its address,"
        yield "functions, topics with their subscriptions, queues, alarms, logs, and the secrets that are stored."
        client = stack.session.client("dynamodb")
        pages = client.get_paginator("scan").paginate(
            TableName=source.ids["AgentsTable"], IndexName=DUE_INDEX, Select="COUNT"
        )
        if waiting := sum(page["Count"] for page in pages):
            yield f"{waiting:,} agents still have a deadline. No one follows them then: callbacks find no address."
    verb = "deletes" if everything else "leaves"
    for table, size in sizes.items():
        if size:
            yield f"It {verb} {table}, about {size.get('ItemCount', 0):,} items: {source.ids[table]}"
    yield f"It {verb} their key: {source.ids[KEY]}"
    if bucket := stack.resources.get("ArchiveBucket"):
        yield f"It leaves the archive and its key, with everything too: {bucket}"
        yield "Empty that bucket and the one of its access logs in the S3 console to delete them."
    if everything:
        yield f"DynamoDB keeps a last backup of the tables for {BACKUP_DAYS} days, KMS the key for {KEY_DAYS} days."
        return
    gigabytes = sum(size.get("TableSizeBytes", 0) for size in sizes.values()) / 1e9
    amounts = {"table GB-months": gigabytes, "backup GB-months": gigabytes, "key months": 1}
    month = priced(amounts, str(stack.session.region_name))
    yield f"What is left costs about US$ {sum(month.values()):.2f} a month."


def _left(source: Source) -> Iterator[str]:
    yield "Take its tables into a stack again, or delete them:"
    yield f"  make restore STACK={source.name} SOURCE={source.name}"
    yield f"  make uninstall STACK={source.name} EVERYTHING=1"


def _described(source: Source, table: str) -> Any:
    """Return what DynamoDB says of a table; nothing, if it is gone."""
    client = source.session.client("dynamodb")
    try:
        return client.describe_table(TableName=source.ids[table])["Table"]
    except client.exceptions.ResourceNotFoundException:
        return {}


def _delete_stack(stack: Stack, id_: str) -> None:
    """Delete a stack, and wait until it is gone. Raises `OperatorError` with what could not be deleted, and why."""
    client = stack.session.client("cloudformation")
    client.delete_stack(StackName=id_)
    while (status := client.describe_stacks(StackName=id_)["Stacks"][0]["StackStatus"]) != "DELETE_COMPLETE":
        if status == "DELETE_FAILED":
            events = client.describe_stack_events(StackName=id_)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}"
                for event in events
                if event["ResourceStatus"] == "DELETE_FAILED"
            ]
            raise OperatorError(f"not deleted: {'; '.join(reasons)}. Correct that, and run the command again")
        show_progress(f"CloudFormation deletes {stack.name}")
        time.sleep(POLL_SECONDS)


def _delete_the_rest(source: Source, tables: list[str]) -> None:
    """Delete what the stack left, unless a stack has taken it since."""
    cloudformation = source.session.client("cloudformation")
    for table in tables:
        try:
            owners = cloudformation.describe_stack_resources(PhysicalResourceId=source.ids[table])["StackResources"]
        except cloudformation.exceptions.ClientError:  # it is in no stack
            owners = []
        if others := {each["StackName"] for each in owners if each["StackId"] != source.id}:
            raise OperatorError(
                f"{table} is left alone, because it is in use: by the stack {', '.join(sorted(others))}"
            )
    for table in tables:
        source.session.client("dynamodb").delete_table(TableName=source.ids[table])
    kms = source.session.client("kms")
    if not kms.describe_key(KeyId=source.ids[KEY])["KeyMetadata"].get("DeletionDate"):
        kms.schedule_key_deletion(KeyId=source.ids[KEY], PendingWindowInDays=KEY_DAYS)
