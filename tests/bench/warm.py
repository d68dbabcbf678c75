"""Processor time of one notification in a warm `webhook`, beside the floor handler."""

import json
from pathlib import Path
from typing import Any

from tests.bench.measures import ratio, spread
from tests.runtime.platform import Function
from tests.runtime.stories import Scene, notification
from tests.sandbox.stand_in import sign

_FLOOR = Path(__file__).parent / "receivers/floor"
WARMING = 10
"""Invocations at the beginning of each process that do not count."""


def warm(scene: Scene, rounds: int, each: int) -> dict[str, Any]:
    """Milliseconds of processor time by handler, and their ratio; the two alternate, each notification is new."""
    platform, secrets = scene.platform, scene.cronofy.applications["us"].client_secrets
    webhook = platform.functions["webhook"]
    floor = Function(
        "floor",
        _FLOOR,
        platform.built / "SharedLayer",
        webhook.environment | {"SECRET": secrets[0]},
        platform.logs / "floor",
    )
    took: dict[str, list[float]] = {"webhook": [], "floor": []}
    try:
        for number in range(rounds):
            for function in (webhook, floor):
                events = []
                for index in range(WARMING + each):
                    body = notification(f"event-{number}-{index}", "meeting_agent_activated")
                    header = {"cronofy-hmac-sha256": sign(body.encode(), secrets)}
                    events.append(platform.http_event("POST", "/webhooks/cronofy/ma_warm", body, header)[1])
                done = function.invoke({}, events=events)
                if done.error or done.answer["statusCode"] != 200:
                    raise RuntimeError(f"{function.name}: {done.error or json.dumps(done.answer)}")
                took[function.name] += [seconds * 1000 for seconds in done.cpu[WARMING:]]
    finally:
        floor.end()
    return {name: spread(times, 2) for name, times in took.items()} | {"ratio": ratio(took["webhook"], took["floor"])}
