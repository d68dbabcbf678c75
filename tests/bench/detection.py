"""Time until a silent agent is found, time until an alert is published, and the messages of a thousand failures."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.bench.measures import percentile, spread
from tests.runtime.stories import CALENDAR, Scene, notification
from tests.sandbox.deployment import Stack
from tests.sandbox.stand_in import sign

SWEEP = 60.0
"""Seconds between two sweeps, by the template."""


def alert_times(stack: Stack, secrets: Sequence[str], count: int) -> dict[str, Any]:
    """Milliseconds from Cronofy's call to the alert published, one failure after the other.

    The embedded AWS hands over what is in a queue at once: on AWS the window for collecting alerts comes on top.
    """
    listener = stack.listen("AlertsTopic")
    sqs = stack.session.client("sqs")
    times = []
    for number in range(count):
        body = notification(f"alert-{number}", "meeting_agent_failed").encode()
        agent = f"ma_alert{number}"
        began = time.perf_counter()
        httpx.post(
            f"{stack.api_url}/webhooks/cronofy/{agent}",
            content=body,
            headers={"cronofy-hmac-sha256": sign(body, secrets)},
            timeout=60,
            trust_env=False,
        ).raise_for_status()
        while True:
            messages = sqs.receive_message(QueueUrl=listener, MaxNumberOfMessages=10, WaitTimeSeconds=20).get(
                "Messages", []
            )
            for message in messages:
                sqs.delete_message(QueueUrl=listener, ReceiptHandle=message["ReceiptHandle"])
            if any(agent in message["Body"] for message in messages):
                break
        times.append((time.perf_counter() - began) * 1000)
    return spread(times) | {"p95": round(percentile(times, 0.95), 1)}


def outage(scene: Scene, agents: int) -> dict[str, Any]:
    """Let all agents fail at once; the number of alerts in one window, and of agents in none or in two."""
    platform = scene.platform
    platform.forget()
    secrets = scene.cronofy.applications["us"].client_secrets
    events = []
    for number in range(agents):
        body = notification(f"outage-{number}", "meeting_agent_failed")
        header = {"cronofy-hmac-sha256": sign(body.encode(), secrets)}
        events.append(platform.http_event("POST", f"/webhooks/cronofy/ma_outage{number:05d}", body, header)[1])
    done = platform.functions["webhook"].invoke({}, events=events)
    if done.error:
        raise RuntimeError(done.error)
    platform.settle()
    messages = platform.alerts()
    failed = [f"ma_outage{number:05d}" for number in range(agents)]
    times = [sum(_mentions(message, agent) for message in messages) for agent in failed]
    return {
        "failures": agents,
        "messages": len(messages),
        "not_in_an_alert": times.count(0),
        "in_two_alerts": sum(count > 1 for count in times),
        "invocations_of_alert": sum(run.function == "alert" for run in platform.invocations),
    }


def _mentions(message: str, agent: str) -> bool:
    return f'"{agent}"' in message or f"{agent}." in message or f"/{agent}" in message


def detection(stack: Stack, token: str, count: int, spacing: float) -> dict[str, Any]:
    """Seconds from an agent's deadline to the entry that says it passed, with the schedule of the template running.

    The deadlines are spread over a sweep's interval, so that every distance to the next sweep occurs. The stack's
    ActivationGracePeriod must be a second.
    """
    deadlines: dict[str, float] = {}
    found: dict[str, float] = {}
    for number in range(count):
        now = datetime.now(UTC)
        answer = httpx.post(
            f"{stack.api_url}/v1/calendars/{CALENDAR}/events",
            json={
                "event_id": f"detection-{number}",
                "summary": "Silent",
                "tzid": "Etc/UTC",
                "start": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "end": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
                "meeting_agent": {"profile_id": "cronofy"},
            },
            headers={"cronofy-authorization": f"Bearer {token}"},
            timeout=60,
            trust_env=False,
        ).raise_for_status()
        deadlines[answer.json()["agent"]["id"]] = time.time() + 1
        time.sleep(spacing)
    until = time.monotonic() + 2 * SWEEP
    pages = stack.session.client("dynamodb").get_paginator("scan")
    while len(found) < count and time.monotonic() < until:
        for page in pages.paginate(TableName=stack.outputs["AgentsTableName"]):
            for item in page["Items"]:
                agent = item["pk"]["S"]
                if item["sk"]["S"].startswith("entry#overdue") and agent in deadlines:
                    found[agent] = datetime.fromisoformat(item["at"]["S"]).timestamp() - deadlines[agent]
        time.sleep(1)
    seconds = list(found.values())
    return {
        "agents": count,
        "not_found": count - len(found),
        "seconds": spread(seconds),
        "most_seconds": round(max(seconds), 1),
    }
