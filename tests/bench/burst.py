"""A burst of notifications from many senders at once, through the HTTP API of the deployed stack."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.bench.measures import percentile
from tests.runtime.stories import notification
from tests.sandbox.deployment import Stack
from tests.sandbox.stand_in import sign

WAIT_SECONDS = 300.0
"""The longest wait until all that was accepted is announced."""


def burst(stack: Stack, secrets: Sequence[str], *, agents: int, copies: int, senders: int) -> dict[str, Any]:
    """Two notifications for each agent, each `copies` times, in no order. `doubled` and `unaccounted` must be 0.

    doubled      entries and announcements beyond one for each distinct notification
    unaccounted  accepted notifications that no record's verdicts count
    """
    listener, prefix = stack.listen("LifecycleTopic"), f"ma_burst{copies}x"
    distinct = [
        (f"{prefix}{number}", notification(f"burst-{number}", interaction).encode())
        for number in range(agents)
        for interaction in ("meeting_agent_activated", "meeting_agent_complete")
    ]
    posts = distinct * copies
    random.Random(1).shuffle(posts)
    local = threading.local()
    clients: list[httpx.Client] = []

    def post(what: tuple[str, bytes]) -> tuple[int, float]:
        if not hasattr(local, "client"):
            local.client = httpx.Client(timeout=60, trust_env=False)
            clients.append(local.client)
        agent, body = what
        began = time.perf_counter()
        answer = local.client.post(
            f"{stack.api_url}/webhooks/cronofy/{agent}",
            content=body,
            headers={"cronofy-hmac-sha256": sign(body, secrets), "content-type": "application/json"},
        )
        return answer.status_code, (time.perf_counter() - began) * 1000

    post(posts[0])  # the first process starts
    began = time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        answers = list(pool.map(post, posts))
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    statuses = Counter(status for status, _ in answers)
    times = [milliseconds for _, milliseconds in answers]
    announced = _announced(stack, listener, prefix, len(distinct))
    items = _items(stack, prefix)
    entries = [item for item in items if item["sk"]["S"].startswith("entry#")]
    counted = sum(
        int(count["N"]) for item in items if item["sk"]["S"] == "record" for count in item["verdicts"]["M"].values()
    )
    accepted = len({what for what, (status, _) in zip(posts, answers, strict=True) if status == 200})
    return {
        "notifications": len(posts),
        "distinct": len(distinct),
        "senders": senders,
        "per_second": round(len(posts) / seconds),
        "ack_ms": {
            name: round(percentile(times, share), 1) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        },
        "statuses": {str(status): count for status, count in statuses.items()},
        "doubled": len(entries) - len(distinct) + len(set(announced) - {_id(entry) for entry in entries}),
        "unaccounted": accepted - counted,
        "not_announced": len({_id(entry) for entry in entries} - set(announced)),
    }


def _announced(stack: Stack, listener: str, prefix: str, expected: int) -> list[str]:
    """The ids of the announcements, when all have come or the wait is over."""
    sqs = stack.session.client("sqs")
    ids: list[str] = []
    until = time.monotonic() + WAIT_SECONDS
    while len(set(ids)) < expected and time.monotonic() < until:
        for message in sqs.receive_message(QueueUrl=listener, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
            "Messages", []
        ):
            announcement = json.loads(message["Body"])
            if announcement["subject"].startswith(prefix):  # the stack may have agents of other tests
                ids.append(announcement["id"])
            sqs.delete_message(QueueUrl=listener, ReceiptHandle=message["ReceiptHandle"])
    return ids


def _items(stack: Stack, prefix: str) -> list[dict[str, Any]]:
    pages = stack.session.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["AgentsTableName"])
    return [dict(item) for page in pages for item in page["Items"] if item["pk"]["S"].startswith(prefix)]


def _id(entry: dict[str, Any]) -> str:
    return f"{entry['pk']['S']}.{entry['sk']['S'].removeprefix('entry#')}"
