"""`make export`: the journals of a span of time, in a file that `make simulate JOURNAL=…` lives again."""

import base64
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from meeting_agents.aws.keys import DAY_INDEX, ENTRY_PREFIX, day_shards, timestamp
from operate_stack import Stack, finish, show_progress


def export(stack: Stack, start: datetime, end: datetime, file: Path) -> None:
    """Write the journals of the agents whose meetings start from `start` until before `end`, an entry a line.

    The first line has the stack's parameters. Journals have titles of meetings and addresses of people: only the
    file's owner can read it.
    """
    agents, entries = list(agents_between(stack, start, end)), 0
    head = {"stack": stack.name, "from": timestamp(start), "to": timestamp(end), "parameters": stack.parameters}
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as lines:
        print(json.dumps(head), file=lines)
        for done, agent_id in enumerate(agents, 1):
            for item in stack.query(
                KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
                ExpressionAttributeValues={":pk": {"S": agent_id}, ":entry": {"S": ENTRY_PREFIX}},
            ):
                print(json.dumps(item, default=lambda raw: base64.b64encode(raw).decode()), file=lines)
                entries += 1
            show_progress(f"{done} of {len(agents)} agents")
    finish([], f"{entries} entries of {len(agents)} agents are in {file}")


def agents_between(stack: Stack, start: datetime, end: datetime) -> Iterator[str]:
    """Iterate over the agents whose meetings start from `start` until before `end`."""
    bounds = {":start": {"S": timestamp(start)}, ":end": {"S": timestamp(end)}}  # a meeting at the end sorts after it
    for number in range((end.date() - start.date()).days + 1):
        for shard in day_shards((start.date() + timedelta(days=number)).isoformat()):
            items = stack.query(
                IndexName=DAY_INDEX,
                KeyConditionExpression="#day = :day AND listed BETWEEN :start AND :end",
                ProjectionExpression="pk",
                ExpressionAttributeNames={"#day": "day"},
                ExpressionAttributeValues={":day": {"S": shard}, **bounds},
            )
            yield from (item["pk"]["S"] for item in items)
