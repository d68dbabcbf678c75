"""What happens to agents, told to a platform: each story is one path through the system, the same every time."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.runtime.platform import Platform
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import StandIn, sign

CALENDAR = "cal_1"
PATIENCE = dict.fromkeys(("ACTIVATION_GRACE", "COMPLETION_GRACE", "RESOURCES_GRACE"), "0")
"""Silence is not borne at all, so that a story need not wait for it; meetings to come are years away."""


@dataclass
class Scene:
    """A platform, a Cronofy, and somebody who may write to its calendar."""

    platform: Platform
    cronofy: StandIn
    token: str

    def event(self, event_id: str, year: int = 2091, **more: Any) -> dict[str, Any]:
        """A calendar event with an agent."""
        return {
            "event_id": event_id,
            "summary": "Weekly sync",
            "start": f"{year}-04-25T15:30:00Z",
            "end": f"{year}-04-25T17:00:00Z",
            "tzid": "Europe/Berlin",
            "meeting_agent": {"profile_id": "cronofy"},
            **more,
        }

    def ask(self, body: dict[str, Any]) -> str:
        """Send a calendar event as a caller would; the agent's id."""
        answer = self.platform.request(
            "POST", f"/v1/calendars/{CALENDAR}/events", body, {"cronofy-authorization": f"Bearer {self.token}"}
        )
        agent: str = json.loads(answer["body"])["agent"]["id"]
        return agent

    def notify(self, agent: str, event_id: str, interaction: str, **more: Any) -> dict[str, Any]:
        """A signed notification, as bytes that are always the same."""
        body = notification(event_id, interaction, **more)
        secrets = self.cronofy.applications["us"].client_secrets
        header = {"cronofy-hmac-sha256": sign(body.encode(), secrets)}
        return self.platform.request("POST", f"/webhooks/cronofy/{agent}", body, header)


def notification(event_id: str, interaction: str, **more: Any) -> str:
    resources = [{"category": "cronofy", "type": "dashboard", "url": "https://app.cronofy.com/agents/1"}]
    if interaction == "meeting_agent_complete":
        resources.append({"category": "transcript", "type": "cronofy", "url": "https://app.cronofy.com/t/1"})
    return json.dumps(
        {
            "notification": {"type": "event_subscription", "interactions": [{"type": interaction}]},
            "event": {"event_id": event_id, "summary": "Weekly sync"},
            "meeting_agent": {"sub": "agt_692702a100ccd07000000000", "state": "created", "resources": resources},
            **more,
        }
    )


def is_asked_for(scene: Scene) -> None:
    scene.ask(scene.event("asked"))
    scene.platform.settle()


def is_reported(scene: Scene) -> None:
    agent = scene.ask(scene.event("reported"))
    for interaction in ("meeting_agent_activated", "meeting_agent_complete"):
        scene.notify(agent, "reported", interaction)
    scene.platform.settle()


def fails(scene: Scene) -> None:
    agent = scene.ask(scene.event("failed"))
    scene.platform.settle()
    scene.notify(agent, "failed", "meeting_agent_failed")
    scene.platform.settle()


def is_silent(scene: Scene) -> None:
    """Nothing is heard of the agent of a past meeting; whatever runs by the clock runs."""
    scene.ask(scene.event("silent", year=2020))
    scene.platform.settle()
    for function in scene.platform.scheduled:
        scene.platform.tick(function)
    scene.platform.settle()


def is_cancelled(scene: Scene) -> None:
    scene.ask(scene.event("cancelled"))
    scene.platform.settle()
    scene.ask(scene.event("cancelled", meeting_agent={"profile_id": "none"}))
    scene.platform.settle()


STORIES: dict[str, Callable[[Scene], None]] = {
    "asked for": is_asked_for,
    "reported": is_reported,
    "failed": fails,
    "silent": is_silent,
    "cancelled": is_cancelled,
}


def store_secrets(stack: deployment.Stack, cronofy: StandIn) -> None:
    """What an operator does after the first deploy."""
    value = {
        data_center: {"client_id": application.client_id, "client_secrets": list(application.client_secrets)}
        for data_center, application in cronofy.applications.items()
    }
    stack.session.client("secretsmanager").put_secret_value(
        SecretId=stack.outputs["CronofySecretArn"], SecretString=json.dumps(value)
    )


@contextmanager
def scene(built: Path | None = None, settings: dict[str, str] | None = None, **parameters: str) -> Iterator[Scene]:
    """A stage with everything on it."""
    built = built or deployment.build()
    with EmbeddedAws() as aws, StandIn() as cronofy:
        cronofy.behaviour.enforce_limits = False
        stack = deployment.deploy(aws, built, {"CronofyUrl": f"{cronofy.url}/{{host}}", **parameters})
        store_secrets(stack, cronofy)
        token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
        with Platform(aws, stack, built, PATIENCE if settings is None else settings) as platform:
            yield Scene(platform, cronofy, token)
