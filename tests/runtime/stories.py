"""The stories: each is one path of an agent through the system, the same every time."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meeting_agents.archiving import PART_BYTES
from meeting_agents.domain.identity import agent_id
from tests.runtime.platform import Fault, Platform
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.receivers import Receivers
from tests.sandbox.stand_in import Grant, StandIn, sign

CALENDAR = "cal_1"
EVENTS = f"/v1/calendars/{CALENDAR}/events"
GONE = "https://hooks.slack.com/services/T000/B000/revoked"
"""An address that Slack no longer knows."""
NO_GRACE = dict.fromkeys(("ACTIVATION_GRACE_PERIOD", "COMPLETION_GRACE_PERIOD", "RESOURCES_GRACE_PERIOD"), "0")
"""Settings without grace periods, so that a story need not wait; future meetings are years away."""


RETRIED_AFTER = 120
"""Seconds after which the sweep sends a request again."""
BUS = {"name": "bus", "kind": "topic"}
"""The channel that is the stack's own topic of incidents."""
MARKS = {
    "description": "mark-description-7f3a",
    "attendee": "mark-attendee-91bc@example.com",
    "person": "mark-person-c0de",
    "join link requested": "https://meet.example.com/mark-join-requested-5d1e",
    "join link reported": "https://meet.example.com/mark-join-reported-4b2f",
    "resource": "mark-resource-8a6d",
    "relink": "https://app.cronofy.com/v2/relink/zoom?email=example%40cronofy.com",
}
"""Private values in requests and notifications, each recognisable if it leaks into a log."""


UNKNOWN_RESOURCE = f"https://app.cronofy.com/{MARKS['resource']}"
"""The address of a transcript; a scene sends one that its stand-in Cronofy knows instead."""


@dataclass
class Scene:
    """A platform, a stand-in Cronofy, and the token of a user of its calendar."""

    platform: Platform
    cronofy: StandIn
    token: str
    receivers: Receivers
    granted: list[str] = field(default_factory=list)
    """Tokens of accounts that were registered."""
    grants: list[Grant] = field(default_factory=list)

    @property
    def secrets(self) -> dict[str, str]:
        """The credentials: the caller's token and the client secrets of every data center."""
        applications = self.cronofy.applications.items()
        granted = {f"token {number} of an account": token for number, token in enumerate(self.granted)}
        keys = {"key of a channel": self.receivers.pagerduty.key, "address of a channel": self.receivers.slack.address}
        return {"access token": self.token, **granted, **keys} | {
            f"client secret of {data_center}": secret
            for data_center, application in applications
            for secret in application.client_secrets
        }

    def event(self, event_id: str, year: int = 2091, **changes: Any) -> dict[str, Any]:
        """A calendar event with an agent."""
        return {
            "event_id": event_id,
            "summary": "Weekly sync",
            "start": f"{year}-04-25T15:30:00Z",
            "end": f"{year}-04-25T17:00:00Z",
            "tzid": "Europe/Berlin",
            "description": MARKS["description"],
            "attendees": {"invite": [{"email": MARKS["attendee"], "display_name": MARKS["person"]}]},
            "conferencing": {"profile_id": "explicit", "join_url": MARKS["join link requested"]},
            "meeting_agent": {"profile_id": "cronofy"},
            **changes,
        }

    @property
    def own_token(self) -> dict[str, str]:
        return {"cronofy-authorization": f"Bearer {self.token}"}

    def request_agent(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> str:
        """Send a calendar event as a caller would; the agent's id."""
        return self._agent_id("POST", EVENTS, body, headers or self.own_token)

    def _agent_id(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> str:
        return str(self._requested(method, path, body, headers)["id"])

    def _requested(self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        agent: dict[str, Any] = json.loads(self.platform.request(method, path, body, headers)["body"])["agent"]
        return agent

    def arrange(self, body: dict[str, Any], headers: dict[str, str]) -> str:
        """Send a calendar event; the agent's id once Cronofy has it, if need be by the sweep."""
        agent = self._requested("POST", EVENTS, body, headers)
        if agent["retry_at"]:
            self.platform.settle()
            self.platform.age(RETRIED_AFTER)
            self.platform.tick("sweep")
        return str(agent["id"])

    def register(self, account: str, providers: Sequence[str] = ()) -> dict[str, str]:
        """Register an account; the header for requests in its name. `providers`: of its conferencing profiles."""
        grant = self.cronofy.grant("us", calendars=(CALENDAR,), providers=providers)
        self.grants.append(grant)
        self.granted += [grant.access_token, grant.refresh_token]
        body = {"refresh_token": grant.refresh_token, "data_center": "us"}
        self.platform.request("PUT", f"/v1/accounts/{account}", body)
        return {"cronofy-account": account}

    def schedule(self, key: str) -> str:
        """Request an agent without a calendar event; its id."""
        body = {
            "join_url": MARKS["join link requested"],
            "on_behalf_of_attendee": {"email": MARKS["attendee"]},
            "scheduling_key": key,
            "join_time": "2091-04-25T15:30:00Z",
        }
        return self._agent_id("POST", "/v1/meeting_agents", body, {})

    def notify(self, agent: str, event_id: str, interaction: str, **changes: Any) -> dict[str, Any]:
        """Send a signed notification; its bytes are the same every time."""
        return self.post(agent, notification(event_id, interaction, **changes))

    def post(self, agent: str, body: str, trigger: str = "") -> dict[str, Any]:
        """Sign a body and send it as Cronofy does. `trigger`: the event trigger that it is."""
        sub = f"agt_{MARKS['resource']}"
        self.cronofy.offer(sub)
        body = body.replace(UNKNOWN_RESOURCE, f"{self.cronofy.url_for('us')}/resources/{sub}/transcript/cronofy")
        header = {"cronofy-hmac-sha256": sign(body.encode(), self.cronofy.applications["us"].client_secrets)}
        query = f"?trigger={trigger}" if trigger else ""
        return self.platform.request("POST", f"/webhooks/cronofy/{agent}{query}", body, header)


def notification(event_id: str, interaction: str, **changes: Any) -> str:
    resources = [{"category": "cronofy", "type": "dashboard", "url": "https://app.cronofy.com/agents/1"}]
    if interaction == "meeting_agent_complete":
        resources.append({"category": "transcript", "type": "cronofy", "url": UNKNOWN_RESOURCE})
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
            **changes,
        }
    )


def requested(scene: Scene) -> None:
    scene.request_agent(scene.event("requested"))
    scene.platform.settle()


def reported(scene: Scene) -> None:
    agent = scene.request_agent(scene.event("reported"))
    for interaction in ("meeting_agent_activated", "meeting_agent_complete"):
        scene.notify(agent, "reported", interaction)
    scene.platform.settle()


def failed(scene: Scene) -> None:
    agent = scene.request_agent(scene.event("failed"))
    scene.platform.settle()
    scene.notify(agent, "failed", "meeting_agent_failed")
    scene.platform.settle()


def silent(scene: Scene) -> None:
    """Cronofy reports nothing of the agent of a past meeting."""
    scene.request_agent(scene.event("silent", year=2020))
    scene.platform.settle()
    scene.platform.tick("sweep")
    scene.platform.settle()


def viewed(scene: Scene) -> None:
    """The dashboard shows a day on which an agent failed, and the day's digest is made."""
    now = datetime.now(UTC)
    times: dict[str, Any] = {"start": f"{now:%FT%TZ}", "end": f"{now + timedelta(hours=1):%FT%TZ}"}
    agent = scene.request_agent(scene.event("viewed", **times))
    scene.notify(agent, "viewed", "meeting_agent_failed")
    scene.platform.settle()
    for function in scene.platform.widgets:
        scene.platform.view(function)
    scene.platform.tick("digest")


def probed(scene: Scene) -> None:
    scene.platform.tick("probe")
    scene.platform.settle()


def cancelled(scene: Scene) -> None:
    scene.request_agent(scene.event("cancelled"))
    scene.platform.settle()
    scene.request_agent(scene.event("cancelled", meeting_agent={"profile_id": "none"}))
    scene.platform.settle()


def deleted(scene: Scene) -> None:
    """The calendar event is deleted, and the agent with it."""
    scene.request_agent(scene.event("deleted"))
    scene.platform.settle()
    scene.platform.request("DELETE", EVENTS, {"event_id": "deleted"}, scene.own_token)
    scene.platform.settle()


def requested_for_an_account(scene: Scene) -> None:
    headers = scene.register("alice")
    scene.request_agent(scene.event("account"), headers)
    scene.platform.settle()


def retried(scene: Scene) -> None:
    """Cronofy answers 503; later the sweep retries, with a token that it has to refresh."""
    headers = scene.register("alice")
    scene.cronofy.faults.add("POST", "/v1/calendars", status=503, times=2)
    scene.request_agent(scene.event("again"), headers)
    scene.platform.settle()
    scene.platform.age(7200)
    scene.cronofy.faults.clear()
    scene.platform.tick("sweep")
    scene.platform.settle()


def without_a_calendar_event(scene: Scene) -> None:
    scene.schedule("meeting-1")
    scene.platform.settle()
    scene.platform.age(120)  # the caller waits for the retry
    scene.platform.tick("sweep")
    scene.platform.settle()
    scene.platform.request("DELETE", "/v1/meeting_agents", {"scheduling_key": "meeting-1"})
    scene.platform.settle()


def labelled(scene: Scene) -> None:
    """The same request comes again with other labels, and its agent fails."""
    for team in ("sales", "support"):
        scene.request_agent(scene.event("labelled"), scene.own_token | {"x-label-team": team})
        scene.platform.settle()
    scene.notify(agent_id("us", CALENDAR, "labelled"), "labelled", "meeting_agent_failed")
    scene.platform.settle()


def silenced(scene: Scene) -> None:
    """A failure is held back by a silence, which is ended: then its alert is sent."""
    until = f"{datetime.now(UTC) + timedelta(days=1):%FT%TZ}"
    scene.platform.request("PUT", "/v1/silences/silenced", {"until": until, "why": "x", "label": ["team:sales"]})
    agent = scene.request_agent(scene.event("silenced"), scene.own_token | {"x-label-team": "sales"})
    scene.platform.settle()
    scene.notify(agent, "silenced", "meeting_agent_failed")
    scene.platform.settle()
    scene.platform.request("DELETE", "/v1/silences/silenced")
    scene.platform.tick("sweep")
    scene.platform.settle()


def acknowledged(scene: Scene) -> None:
    """A failure is acknowledged."""
    agent = scene.request_agent(scene.event("acknowledged"))
    scene.notify(agent, "acknowledged", "meeting_agent_failed")
    scene.platform.settle()
    scene.platform.request("POST", f"/v1/meeting_agents/{agent}/acknowledgement", {"note": "I take notes"})
    scene.platform.settle()


def erased(scene: Scene) -> None:
    """The data of an agent that failed is erased, while a silence holds its alert back; then Cronofy calls again."""
    agent = scene.request_agent(scene.event("erased"))
    until = f"{datetime.now(UTC) + timedelta(days=1):%FT%TZ}"
    scene.platform.request("PUT", "/v1/silences/erased", {"until": until, "why": "x", "agent": [agent]})
    scene.notify(agent, "erased", "meeting_agent_failed")
    scene.platform.settle()
    scene.platform.request("DELETE", f"/v1/meeting_agents/{agent}/data")
    scene.platform.settle()
    scene.notify(agent, "erased", "meeting_agent_complete")
    scene.platform.settle()


def replayed(scene: Scene) -> None:
    agent = scene.request_agent(scene.event("replayed"))
    scene.notify(agent, "replayed", "meeting_agent_complete")
    scene.platform.settle()
    scene.platform.request("POST", f"/v1/meeting_agents/{agent}/replay")
    scene.platform.settle()


def archived(scene: Scene) -> None:
    """The resources of a complete agent are copied into the archive."""
    complete(scene, "archived", 4096)


def archived_in_parts(scene: Scene) -> None:
    """A recording of two parts is copied by several invocations."""
    complete(scene, "parts", PART_BYTES + 5, "video")


def complete(scene: Scene, name: str, size: int, *categories: str) -> str:
    """Let an agent be complete, and its resources be copied; its id."""
    agent, body = completion(scene, name, size, *categories)
    scene.post(agent, body)
    scene.platform.settle()
    return agent


def completion(scene: Scene, name: str, size: int, *categories: str) -> tuple[str, str]:
    """Request an agent; its id, and the notification that it is complete, with recordings of this size."""
    scene.cronofy.behaviour.recording_bytes = size
    scene.cronofy.behaviour.next_sub = f"agt_6927{sum(name.encode()):020d}"  # the same in each run of a story
    agent = scene.request_agent(scene.event(name, conferencing={"profile_id": "default"}))
    scene.platform.settle()
    body = json.loads(scene.cronofy.complete(("us", CALENDAR, name), deliver=False).body)
    listed = body["meeting_agent"]["resources"]
    body["meeting_agent"]["resources"] = [each for each in listed if not categories or each["category"] in categories]
    return agent, json.dumps(body)


def rescued(scene: Scene) -> None:
    """An agent of an account fails in its meeting, and a second one is sent, of which nothing is heard."""
    failed_in_its_meeting(scene)
    scene.platform.tick("sweep")
    scene.platform.settle()


def failed_in_its_meeting(scene: Scene) -> None:
    """A second agent is due: that of an account fails, and its meeting still runs."""
    headers, now = scene.register("rescued"), datetime.now(UTC)
    start, end = now - timedelta(minutes=1), now + timedelta(hours=1)
    times: dict[str, Any] = {"start": f"{start:%FT%TZ}", "end": f"{end:%FT%TZ}"}
    agent = scene.request_agent(scene.event("rescued", **times), headers)
    scene.platform.settle()
    scene.notify(agent, "rescued", "meeting_agent_failed")
    scene.platform.settle()


def lost(scene: Scene) -> None:
    """Cronofy does not answer for a resource, and then no longer has it: people get an alert."""
    agent, body = completion(scene, "lost", 4096, "audio")
    scene.post(agent, body)
    scene.platform.age(8000)
    scene.cronofy.faults.add("GET", "/resources", status=503)
    scene.cronofy.expire_resources(("us", CALENDAR, "lost"))
    scene.platform.settle()


def archived_again(scene: Scene) -> None:
    """An agent whose journal has expired is complete again, and its file is still there."""
    for _ in range(2):
        scene.platform.expire(complete(scene, "again-archived", 4096, "audio"))


def archive_erased(scene: Scene) -> None:
    """The data of an agent is erased while one of its files is locked, and another one is being copied."""
    platform = scene.platform
    agent = complete(scene, "shelved", 4096)
    platform.request("GET", f"/v1/meeting_agents/{agent}/resources/audio?format=json")
    s3, bucket = platform.client("s3"), {"Bucket": platform.archive}
    [video] = [key for key in platform.files() if key.endswith("/video.mp4")]
    s3.create_multipart_upload(**bucket, Key=video)
    until = datetime.now(UTC) + timedelta(hours=1)
    s3.put_object_retention(**bucket, Key=video, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    platform.request("DELETE", f"/v1/meeting_agents/{agent}/data")
    platform.settle()
    platform.request("GET", f"/v1/meeting_agents/{agent}/data")


def returned(scene: Scene) -> None:
    """An agent returns after its journal has expired, and before DynamoDB has deleted it."""
    start = datetime.now(UTC) + timedelta(hours=1)  # after both requests: the deadline is of the same time
    times: dict[str, Any] = {"start": f"{start:%FT%TZ}", "end": f"{start + timedelta(hours=1):%FT%TZ}"}
    for _ in range(2):
        agent = scene.request_agent(scene.event("returned", **times))
        scene.platform.settle()
        scene.platform.age(3601)
        scene.platform.tick("sweep")
        scene.platform.settle()
        scene.notify(agent, "returned", "meeting_agent_failed")
        scene.platform.settle()
        scene.platform.expire(agent)


def pressed(scene: Scene) -> None:
    """A failure is acknowledged, the agent is sent again, and announced again, all by buttons."""
    agent = scene.arrange(scene.event("pressed"), scene.register("pressed"))
    scene.notify(agent, "pressed", "meeting_agent_failed")
    scene.platform.settle()
    _press(scene, "pressed")


def pressed_late(scene: Scene) -> None:
    """The same in the meeting, after the alert, when the account's token has expired."""
    now = datetime.now(UTC)
    _refused(scene, "pressed_late", start=f"{now:%FT%TZ}", end=f"{now + timedelta(hours=3):%FT%TZ}")
    scene.platform.age(7200)
    scene.platform.view("widget", agent_id=agent_id("us", CALENDAR, "pressed_late"))
    _press(scene, "pressed_late")


def _refused(scene: Scene, name: str, **times: Any) -> None:
    headers = scene.register(name)
    scene.cronofy.faults.add("POST", "/v1/calendars", status=404, times=1)
    scene.platform.request("POST", EVENTS, scene.event(name, **times), headers)
    scene.platform.settle()
    scene.cronofy.faults.clear()


def _press(scene: Scene, name: str) -> None:
    for action in ("acknowledge", "retry", "replay"):
        scene.platform.view("button", action=action, agent_id=agent_id("us", CALENDAR, name))
    scene.platform.settle()


def disconnected(scene: Scene) -> None:
    """An account must authorise again while a request waits, and is registered again before the request is sent."""
    platform = scene.platform
    headers = scene.register("disconnected")
    scene.cronofy.revoke(scene.grants[-1])
    platform.request("POST", EVENTS, scene.event("disconnected"), headers)
    platform.settle()
    platform.age(1200)
    for _ in range(2):
        platform.tick("sweep")
        platform.settle()
    platform.view("widget")
    platform.view("button", action="acknowledge", group="account_disconnected/disconnected")
    scene.register("disconnected")
    platform.tick("sweep")
    platform.settle()


def unlinked(scene: Scene) -> None:
    """The conferencing profile of an account is disconnected while a meeting waits for it, and connected again."""
    platform = scene.platform
    headers = scene.register("unlinked", ["zoom"])
    [profile] = scene.grants[-1].profiles
    scene.cronofy.connect_profile(profile["profile_id"], is_connected=False)
    scene.request_agent(scene.event("unlinked", conferencing={"profile_id": "default"}), headers)
    platform.settle()
    for seconds in (180, 1200):  # until the look, and until the patience is over
        platform.age(seconds)
        platform.tick("sweep")
        platform.settle()
    scene.cronofy.connect_profile(profile["profile_id"], is_connected=True)
    platform.age(1200)
    for _ in range(2):
        platform.tick("sweep")
        platform.settle()


def moved(scene: Scene) -> None:
    """A person moved one meeting in the calendar of an account and deleted another; the sweep reads it first."""
    headers, now = scene.register("alice"), datetime.now(UTC)
    times: dict[str, Any] = {"start": f"{now:%FT%TZ}", "end": f"{now + timedelta(hours=3):%FT%TZ}"}
    for name in ("moved", "gone"):
        scene.request_agent(scene.event(name, **times), headers)
    scene.platform.settle()
    scene.platform.age(7200)
    scene.cronofy.drag(("us", CALENDAR, "moved"), start="2091-04-26T15:30:00Z", end="2091-04-26T17:00:00Z")
    scene.cronofy.delete_in_calendar(("us", CALENDAR, "gone"))
    scene.platform.tick("sweep")
    scene.platform.settle()


def forwarded(scene: Scene) -> None:
    """A channel refuses a change for good, and another one everything."""
    platform, receivers = scene.platform, scene.receivers
    receivers.store(platform.stack)
    agent = scene.request_agent(scene.event("forwarded"))
    scene.notify(agent, "forwarded", "meeting_agent_failed")
    platform.settle()
    receivers.store(platform.stack, "pager", more=[{"name": "gone", "kind": "slack", "url": GONE}])
    receivers.pagerduty.refuse(400, {"status": "invalid event", "errors": ["refused on purpose"]})
    record = {
        "messageId": "1",
        "receiptHandle": "none",
        "body": json.dumps({"subject": agent}),
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
    platform.invoke("forward", {"Records": [record]})
    receivers.store(platform.stack, "pager", more=[BUS])
    platform.invoke("forward", {"test": "pager"})
    platform.settle()


def errands(scene: Scene) -> None:
    """Reads, and requests that cannot be repeated; they are no part of the crash matrix."""
    platform = scene.platform
    headers = scene.register("errands")
    agent = scene.request_agent(scene.event("errands", conferencing={"profile_id": "default"}), headers)
    platform.settle()
    complete = scene.cronofy.complete(("us", CALENDAR, "errands"), deliver=False)
    platform.request(
        "POST", f"/webhooks/cronofy/{agent}", complete.body.decode(), {"cronofy-hmac-sha256": complete.signature}
    )
    platform.settle()
    platform.request("GET", "/v1/meeting_agents?from=2091-04-25T00:00:00Z&to=2091-04-26T00:00:00Z")
    platform.request("GET", f"/v1/meeting_agents/{agent}")
    platform.request("GET", f"/v1/meeting_agents/{agent}/resources/transcript?format=json")
    platform.request("GET", "/v1/accounts/errands")
    platform.request("GET", "/v1/accounts")
    platform.request("PUT", "/v1/accounts/errands", {"refresh_token": MARKS["person"], "data_center": "us"})
    wrong = {"errors": {"summary": [{"key": "errors.invalid", "description": MARKS["description"]}]}}
    scene.cronofy.faults.add("POST", "/v1/calendars", status=422, body=wrong)
    refused = scene.request_agent(scene.event("errands-refused"), headers)
    platform.settle()
    platform.request("GET", "/v1/incidents")
    platform.request("GET", "/v1/silences")
    platform.request("GET", "/v1/silences/none")
    platform.request("GET", "/v1/incidents?status=all&from=2091-04-25T00:00:00Z&to=2091-04-26T00:00:00Z")
    platform.request("GET", "/v1/meeting_agents?incident=open&from=2091-04-25T00:00:00Z&to=2091-04-26T00:00:00Z")
    platform.request("POST", f"/v1/meeting_agents/{refused}/retry")
    platform.request("POST", "/v1/incidents/account_disconnected/errands/acknowledgement", {"note": "I call them"})
    platform.settle()
    platform.request("DELETE", "/v1/accounts/errands")
    now = {"join_url": MARKS["join link requested"], "on_behalf_of_attendee": {"email": MARKS["attendee"]}}
    platform.request("POST", "/v1/meeting_agents", now, {"idempotency-key": "errand-1"})
    platform.settle()
    scene.cronofy.faults.add("POST", "/v1/meeting_agents", status=503, times=2)
    later = now | {"scheduling_key": "errand-2", "join_time": "2091-04-25T15:30:00Z"}
    platform.invoke(*platform.http_event("POST", "/v1/meeting_agents", later, {}))
    platform.settle()
    for days in (0, 1):  # agents for the dashboard and the digest
        at = datetime.now(UTC) - timedelta(days=days)
        times: dict[str, Any] = {"start": at.isoformat(), "end": (at + timedelta(hours=1)).isoformat()}
        agent = scene.request_agent(scene.event(f"errand-{days}", **times))
        scene.notify(agent, f"errand-{days}", "meeting_agent_failed")
        platform.settle()
    platform.tick("digest")
    platform.view("widget")
    agent = scene.request_agent(scene.event("errand-alert"))
    scene.notify(agent, "errand-alert", "meeting_agent_failed")
    platform.fault = Fault("alert", platform.next_invocation("alert"), 0, "refused")  # a failed alert is retried
    platform.settle()
    platform.age(120)
    scene.cronofy.faults.clear()
    platform.tick("sweep")
    platform.settle()


STORIES: dict[str, Callable[[Scene], None]] = {
    "requested": requested,
    "reported": reported,
    "failed": failed,
    "silent": silent,
    "viewed": viewed,
    "probed": probed,
    "cancelled": cancelled,
    "deleted": deleted,
    "account": requested_for_an_account,
    "retried": retried,
    "without an event": without_a_calendar_event,
    "acknowledged": acknowledged,
    "labelled": labelled,
    "silenced": silenced,
    "pressed": pressed,
    "replayed": replayed,
    "erased": erased,
    "archived": archived,
    "archived in parts": archived_in_parts,
    "rescued": rescued,
}


def store_secrets(stack: deployment.Stack, cronofy: StandIn) -> None:
    """Store the client secrets, as an operator does after the first deploy."""
    value = {
        data_center: {"client_id": application.client_id, "client_secrets": list(application.client_secrets)}
        for data_center, application in cronofy.applications.items()
    }
    stack.session.client("secretsmanager").put_secret_value(
        SecretId=stack.outputs["CronofySecretArn"], SecretString=json.dumps(value)
    )


@contextmanager
def scene(built: Path | None = None, settings: dict[str, str] | None = None, **parameters: str) -> Iterator[Scene]:
    """The deployed stack on a platform, with a stand-in Cronofy and a caller's token."""
    built = built or deployment.build()
    with EmbeddedAws() as aws, StandIn() as cronofy, Receivers() as receivers:
        cronofy.behaviour.enforce_limits = False
        addresses = {"CronofyUrl": f"{cronofy.url}/{{host}}", "ChannelsUrl": f"{receivers.url}/{{host}}"}
        switched_on = {"Channels": "on", "Archive": "all", "Rescue": "once"}
        stack = deployment.deploy(aws, built, {**addresses, **switched_on, **parameters})
        store_secrets(stack, cronofy)
        if "ChannelsSecretArn" in stack.outputs:
            receivers.store(stack, "pager", more=[BUS])
        token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
        with Platform(aws, stack, built, NO_GRACE if settings is None else settings) as platform:
            yield Scene(platform, cronofy, token, receivers)
