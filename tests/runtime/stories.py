"""What happens to agents, told to a platform: each story is one path through the system, the same every time."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.runtime.platform import Fault, Platform
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import StandIn, sign

CALENDAR = "cal_1"
EVENTS = f"/v1/calendars/{CALENDAR}/events"
PATIENCE = dict.fromkeys(("ACTIVATION_GRACE_PERIOD", "COMPLETION_GRACE_PERIOD", "RESOURCES_GRACE_PERIOD"), "0")
"""Silence is not borne at all, so that a story need not wait for it; meetings to come are years away."""


MARKS = {
    "description": "mark-description-7f3a",
    "attendee": "mark-attendee-91bc@example.com",
    "person": "mark-person-c0de",
    "join link asked for": "https://meet.example.com/mark-join-asked-5d1e",
    "join link reported": "https://meet.example.com/mark-join-reported-4b2f",
    "resource": "https://app.cronofy.com/mark-resource-8a6d",
}
"""Values in what callers and Cronofy send that a reader of logs has no business with, each to be found if it leaks."""


@dataclass
class Scene:
    """A platform, a Cronofy, and somebody who may write to its calendar."""

    platform: Platform
    cronofy: StandIn
    token: str
    granted: list[str] = field(default_factory=list)
    """Tokens of accounts that were registered."""

    @property
    def secrets(self) -> dict[str, str]:
        """What nobody may ever find anywhere: the caller's token and the client secrets of every data center."""
        applications = self.cronofy.applications.items()
        granted = {f"token {number} of an account": token for number, token in enumerate(self.granted)}
        return {"access token": self.token, **granted} | {
            f"client secret of {data_center}": secret
            for data_center, application in applications
            for secret in application.client_secrets
        }

    def event(self, event_id: str, year: int = 2091, **more: Any) -> dict[str, Any]:
        """A calendar event with an agent."""
        return {
            "event_id": event_id,
            "summary": "Weekly sync",
            "start": f"{year}-04-25T15:30:00Z",
            "end": f"{year}-04-25T17:00:00Z",
            "tzid": "Europe/Berlin",
            "description": MARKS["description"],
            "attendees": {"invite": [{"email": MARKS["attendee"], "display_name": MARKS["person"]}]},
            "conferencing": {"profile_id": "explicit", "join_url": MARKS["join link asked for"]},
            "meeting_agent": {"profile_id": "cronofy"},
            **more,
        }

    @property
    def own_token(self) -> dict[str, str]:
        return {"cronofy-authorization": f"Bearer {self.token}"}

    def ask(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> str:
        """Send a calendar event as a caller would; the agent's id."""
        return self._asked("POST", EVENTS, body, headers or self.own_token)

    def _asked(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> str:
        answer = self.platform.request(method, path, body, headers)
        agent: str = json.loads(answer["body"])["agent"]["id"]
        return agent

    def register(self, account: str) -> dict[str, str]:
        """Register an account; the header that asks in its name."""
        grant = self.cronofy.grant("us", calendars=(CALENDAR,))
        self.granted += [grant.access_token, grant.refresh_token]
        body = {"refresh_token": grant.refresh_token, "data_center": "us"}
        self.platform.request("PUT", f"/v1/accounts/{account}", body)
        return {"cronofy-account": account}

    def schedule(self, key: str) -> str:
        """Ask for an agent without a calendar event; its id."""
        body = {
            "join_url": MARKS["join link asked for"],
            "on_behalf_of_attendee": {"email": MARKS["attendee"]},
            "scheduling_key": key,
            "join_time": "2091-04-25T15:30:00Z",
        }
        return self._asked("POST", "/v1/meeting_agents", body, {})

    def notify(self, agent: str, event_id: str, interaction: str, **more: Any) -> dict[str, Any]:
        """A signed notification, as bytes that are always the same."""
        body = notification(event_id, interaction, **more)
        secrets = self.cronofy.applications["us"].client_secrets
        header = {"cronofy-hmac-sha256": sign(body.encode(), secrets)}
        return self.platform.request("POST", f"/webhooks/cronofy/{agent}", body, header)


def notification(event_id: str, interaction: str, **more: Any) -> str:
    resources = [{"category": "cronofy", "type": "dashboard", "url": "https://app.cronofy.com/agents/1"}]
    if interaction == "meeting_agent_complete":
        resources.append({"category": "transcript", "type": "cronofy", "url": MARKS["resource"]})
    return json.dumps(
        {
            "notification": {"type": "event_subscription", "interactions": [{"type": interaction}]},
            "event": {
                "event_id": event_id,
                "summary": "Weekly sync",
                "description": MARKS["description"],
                "conferencing": {"provider_name": "zoom", "join_url": MARKS["join link reported"]},
            },
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
    """Nothing is heard of the agent of a past meeting."""
    scene.ask(scene.event("silent", year=2020))
    scene.platform.settle()
    scene.platform.tick("sweep")
    scene.platform.settle()


def is_looked_at(scene: Scene) -> None:
    """Somebody looks at a day on which one failed, and the day's digest is made."""
    now = datetime.now(UTC)
    times: dict[str, Any] = {"start": f"{now:%FT%TZ}", "end": f"{now + timedelta(hours=1):%FT%TZ}"}
    agent = scene.ask(scene.event("looked-at", **times))
    scene.notify(agent, "looked-at", "meeting_agent_failed")
    scene.platform.settle()
    for function in scene.platform.looked_at:
        scene.platform.look(function)
    scene.platform.tick("digest")


def is_probed(scene: Scene) -> None:
    scene.platform.tick("probe")
    scene.platform.settle()


def is_cancelled(scene: Scene) -> None:
    scene.ask(scene.event("cancelled"))
    scene.platform.settle()
    scene.ask(scene.event("cancelled", meeting_agent={"profile_id": "none"}))
    scene.platform.settle()


def is_deleted(scene: Scene) -> None:
    """The whole calendar event goes, and the agent with it."""
    scene.ask(scene.event("deleted"))
    scene.platform.settle()
    scene.platform.request("DELETE", EVENTS, {"event_id": "deleted"}, scene.own_token)
    scene.platform.settle()


def is_asked_for_in_the_name_of_an_account(scene: Scene) -> None:
    headers = scene.register("somebody")
    scene.ask(scene.event("account"), headers)
    scene.platform.settle()


def is_asked_for_again(scene: Scene) -> None:
    """Cronofy cannot now; when it can, the sweep asks again, with a token that it has to renew."""
    headers = scene.register("somebody")
    scene.cronofy.faults.add("POST", "/v1/calendars", status=503, times=2)
    scene.ask(scene.event("again"), headers)
    scene.platform.settle()
    scene.platform.age(7200)
    scene.cronofy.faults.clear()
    scene.platform.tick("sweep")
    scene.platform.settle()


def comes_without_a_calendar_event(scene: Scene) -> None:
    scene.schedule("meeting-1")
    scene.platform.settle()
    scene.platform.age(120)  # whoever was told that it is asked again waits until it was
    scene.platform.tick("sweep")
    scene.platform.settle()
    scene.platform.request("DELETE", "/v1/meeting_agents", {"scheduling_key": "meeting-1"})
    scene.platform.settle()


def is_taken_on(scene: Scene) -> None:
    """Somebody says that they take care of a failure."""
    agent = scene.ask(scene.event("taken-on"))
    scene.notify(agent, "taken-on", "meeting_agent_failed")
    scene.platform.settle()
    scene.platform.request("POST", f"/v1/meeting_agents/{agent}/acknowledgement", {"note": "I take notes"})
    scene.platform.settle()


def is_replayed(scene: Scene) -> None:
    agent = scene.ask(scene.event("replayed"))
    scene.notify(agent, "replayed", "meeting_agent_complete")
    scene.platform.settle()
    scene.platform.request("POST", f"/v1/meeting_agents/{agent}/replay")
    scene.platform.settle()


def runs_errands(scene: Scene) -> None:
    """What reads only, or may be asked but once: no part of the crash matrix."""
    platform = scene.platform
    headers = scene.register("errands")
    agent = scene.ask(scene.event("errands", conferencing={"profile_id": "default"}), headers)
    platform.settle()
    told = scene.cronofy.complete(("us", CALENDAR, "errands"), deliver=False)
    platform.request("POST", f"/webhooks/cronofy/{agent}", told.body.decode(), {"cronofy-hmac-sha256": told.signature})
    platform.settle()
    platform.request("GET", "/v1/meeting_agents?from=2091-04-25T00:00:00Z&to=2091-04-26T00:00:00Z")
    platform.request("GET", f"/v1/meeting_agents/{agent}")
    platform.request("GET", f"/v1/meeting_agents/{agent}/resources/transcript?format=json")
    platform.request("GET", "/v1/accounts/errands")
    platform.request("DELETE", "/v1/accounts/errands")
    now = {"join_url": MARKS["join link asked for"], "on_behalf_of_attendee": {"email": MARKS["attendee"]}}
    platform.request("POST", "/v1/meeting_agents", now, {"idempotency-key": "errand-1"})
    platform.settle()
    scene.cronofy.faults.add("POST", "/v1/meeting_agents", status=503, times=2)
    later = now | {"scheduling_key": "errand-2", "join_time": "2091-04-25T15:30:00Z"}
    platform.invoke(*platform.http_event("POST", "/v1/meeting_agents", later, {}))
    platform.settle()
    for days in (0, 1):  # something for the dashboard to show, and for the digest to tell
        at = datetime.now(UTC) - timedelta(days=days)
        times: dict[str, Any] = {"start": at.isoformat(), "end": (at + timedelta(hours=1)).isoformat()}
        agent = scene.ask(scene.event(f"errand-{days}", **times))
        scene.notify(agent, f"errand-{days}", "meeting_agent_failed")
        platform.settle()
    platform.tick("digest")
    platform.look("widget")
    agent = scene.ask(scene.event("errand-untold"))
    scene.notify(agent, "errand-untold", "meeting_agent_failed")
    platform.fault = Fault("alert", platform.next_invocation("alert"), 0, "refused")  # what is not told is tried again
    platform.settle()
    platform.age(120)
    scene.cronofy.faults.clear()
    platform.tick("sweep")
    platform.settle()


STORIES: dict[str, Callable[[Scene], None]] = {
    "asked for": is_asked_for,
    "reported": is_reported,
    "failed": fails,
    "silent": is_silent,
    "looked at": is_looked_at,
    "probed": is_probed,
    "cancelled": is_cancelled,
    "deleted": is_deleted,
    "account": is_asked_for_in_the_name_of_an_account,
    "asked again": is_asked_for_again,
    "without an event": comes_without_a_calendar_event,
    "taken on": is_taken_on,
    "replayed": is_replayed,
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
