"""The state of the stand-in Cronofy: applications, grants, calendar events, agents, and the body of each callback.

No HTTP, no threads, no clock of its own. Where Cronofy's documentation is silent, `Behaviour` names the choice
and lets a test make the other one, or a docstring says "unknown": no choice is to pass for fact.
"""

from __future__ import annotations

import secrets
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from tests.sandbox.stand_in import rules
from tests.sandbox.stand_in.media import Media
from tests.sandbox.stand_in.rules import JsonObject

type Key = str | tuple[str, ...]

# https://docs.cronofy.com/developers/data-centers/
HOSTS = {
    "us": "api.cronofy.com",
    "au": "api-au.cronofy.com",
    "ca": "api-ca.cronofy.com",
    "de": "api-de.cronofy.com",
    "sg": "api-sg.cronofy.com",
    "uk": "api-uk.cronofy.com",
}

# https://docs.cronofy.com/developers/api/meeting-agents/resource-download/
RECORDINGS = {"transcript": "cronofy", "audio": "voice", "video": "conference"}


@dataclass(frozen=True)
class Step:
    """A step of a meeting: the interaction that reports it, and the agent's state after it."""

    interaction: str
    state: str | None = None
    concerns_agent: bool = True


# The state after a failure is not documented; "failed" is the stand-in's guess.
STEPS = {
    "activate": Step("meeting_agent_activated"),
    "complete": Step("meeting_agent_complete", "complete"),
    "fail": Step("meeting_agent_failed", "failed"),
    "assign_conferencing": Step("conferencing_assigned", concerns_agent=False),
    "fail_conferencing": Step("conferencing_failing", concerns_agent=False),
}


TRIGGER_WINDOW = timedelta(minutes=1)
"""Documented: an event trigger is sent within this time. Sent later, it would say the wrong time."""


class Refusal(Exception):
    """Cronofy rejects the request: with this status, and this body if Cronofy is known to send one."""

    def __init__(self, status: int, body: JsonObject | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


@dataclass
class Behaviour:
    """Choices where Cronofy is undocumented, has changed, or gets in the way of a test."""

    merge_subscriptions: bool = False
    """Unknown: a second upsert replaces the list of subscriptions, or (True) adds to it."""
    reschedule: Literal["update", "refuse", "duplicate"] = "update"
    """Unknown: what a second request with the same scheduling_key does."""
    older_beta: bool = False
    """Changed once: no attendee was needed, and the agent was answered at top level."""
    rotate_refresh_tokens: bool = False
    """Undocumented: a refresh hands out a new refresh token, and the old one is dead."""
    enforce_limits: bool = False
    """Documented: 50 requests a second and 500 a minute per application, else 429."""
    retry_after: int | None = None
    """Unknown: whether a 429 carries Retry-After, in seconds."""
    refuse_transitions: Sequence[str] = ()
    """Unknown: data centers that refuse event triggers beside other subscriptions, and how they name the field."""
    account_email: str = "marty@example.com"
    """Unknown: whether each account has an address."""
    page_size: int = 100
    """Unknown: the most events on a page of Read Events."""
    next_sub: str = ""
    """The sub of the next agent, so that it is the same each time; empty: a random one."""
    recording_bytes: int = 4096
    """The size of each recording. How large Cronofy's are is theirs to know; an hour of video has one or two GB."""
    ranges: bool = True
    """Unknown: whether the host of presigned addresses answers ranges."""
    range_bytes: int = 10**12
    """Unknown: the most bytes of a range."""
    address_uses: int | None = None
    """Unknown: how long a presigned address lasts. None: for ever; else for so many requests, then it answers 403."""
    compact_json: bool = True
    """Unknown: whether callbacks are written without spaces. The signature covers the bytes as sent."""


@dataclass(frozen=True)
class Application:
    """A registration in one data center. A secret is OAuth client secret, API key and HMAC key at once."""

    client_id: str
    client_secrets: tuple[str, ...]

    @classmethod
    def random(cls) -> Application:
        return cls(client_id=secrets.token_urlsafe(24), client_secrets=(new_secret(),))


@dataclass
class Grant:
    """A user's consent: the application's scope, its calendars and its tokens."""

    data_center: str
    calendars: tuple[str, ...]
    scope: str
    expires_in: int
    profiles: list[JsonObject] = field(default_factory=list)
    """The conferencing profiles that the user has authorised, as UserInfo lists them."""
    sub: str = field(default_factory=lambda: f"acc_{secrets.token_hex(12)}")
    access_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    refresh_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    revoked: bool = False


@dataclass
class Agent:
    """An agent, as the top level of a callback has it."""

    sub: str
    resources: list[JsonObject]
    state: str = "created"
    joined: bool = False
    cancelled: bool = False

    @property
    def is_live(self) -> bool:
        return self.state == "created" and not self.cancelled

    def as_json(self) -> JsonObject:
        return {"sub": self.sub, "state": self.state, "resources": self.resources}


@dataclass
class Meeting:
    """A calendar event or a bare address to join, and its agents.

    Its key is (data center, calendar_id, event_id), (data center, scheduling_key), or, of an agent sent at
    once, (data center, sub).
    """

    key: tuple[str, ...]
    request: JsonObject
    subscriptions: list[JsonObject] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)
    conference_url: str = field(default_factory=lambda: f"https://zoom.us/j/{secrets.randbelow(10**11):011}")
    conference_failed: bool = False
    deleted: bool = False
    updated_at: float = 0.0
    """The time of the last change, by a caller or by a person in the calendar."""
    triggered: set[tuple[str, str, datetime]] = field(default_factory=set)
    """The event triggers that were sent: the address, the moment, and its time."""

    @property
    def data_center(self) -> str:
        return self.key[0]

    @property
    def is_calendar_event(self) -> bool:
        return len(self.key) == 3

    @property
    def live_agent(self) -> Agent | None:
        return next((agent for agent in self.agents if agent.is_live), None)

    def subscribers_to(self, interaction: str) -> tuple[str, ...]:
        """The addresses that subscribe to this interaction."""
        return tuple(
            subscription["uri"]
            for subscription in self.subscriptions
            if any(each["type"] == interaction for each in subscription.get("interactions", []))
        )


class World:
    """The state of one stand-in, and the effect of each call. Only one thread at a time may call it."""

    def __init__(
        self,
        url: str,
        applications: Mapping[str, Application],
        behaviour: Behaviour,
        clock: Callable[[], float],
    ) -> None:
        self.url = url
        self.applications = {name: applications.get(name) or Application.random() for name in HOSTS}
        self.behaviour = behaviour
        self.clock = clock
        self.meetings: dict[tuple[str, ...], Meeting] = {}
        self._agents: dict[str, tuple[Meeting, Agent]] = {}
        self._grants: dict[tuple[str, str], Grant] = {}
        self._access: dict[tuple[str, str], tuple[Grant, float]] = {}
        self._presigned: dict[str, tuple[str, ...]] = {}
        self._uses: Counter[str] = Counter()
        self.editions: defaultdict[str, int] = defaultdict(lambda: 1)
        """The edition of an agent's recordings, by its `sub`."""
        self.offered: set[str] = set()
        """Agents that are known for their transcript alone."""
        self.expired: set[str] = set()
        """The agents whose resources are gone."""
        self._pages: dict[tuple[str, ...], tuple[list[JsonObject], int]] = {}

    # Credentials: https://docs.cronofy.com/developers/api/authorization/

    def grant(
        self, data_center: str, calendars: tuple[str, ...], scope: str, expires_in: int, providers: tuple[str, ...]
    ) -> Grant:
        """Let a user consent, and issue the tokens. `providers`: of the conferencing profiles, all connected."""
        grant = Grant(data_center, calendars, scope, expires_in)
        for name in providers:
            profile = {"provider_name": name, "profile_id": f"pro_{secrets.token_hex(5)}", "profile_connected": True}
            grant.profiles.append(profile | {"profile_name": "example@cronofy.com"})
        self._grants[data_center, grant.refresh_token] = grant
        self._issue(grant)
        return grant

    def expire(self, access_token: str) -> None:
        """Expire one access token."""
        for key, (grant, _) in list(self._access.items()):
            if key[1] == access_token:
                self._access[key] = (grant, self.clock())

    def rotate_secrets(self, data_center: str, *, finish: bool) -> Application:
        """Add a second active secret; with `finish`, retire all but the newest."""
        old = self.applications[data_center]
        active = old.client_secrets[-1:] if finish else (old.client_secrets[-1], new_secret())
        self.applications[data_center] = Application(old.client_id, active)
        return self.applications[data_center]

    def refresh(self, data_center: str, body: JsonObject) -> JsonObject:
        """Answer `POST /oauth/token`, the only endpoint that answers 400."""
        application = self.applications[data_center]
        if (
            body.get("client_id") != application.client_id
            or body.get("client_secret") not in application.client_secrets
        ):
            raise Refusal(400, {"error": "invalid_client"})
        if body.get("grant_type") != "refresh_token":
            raise Refusal(400, {"error": "unsupported_grant_type"})
        grant = self._grants.get((data_center, str(body.get("refresh_token"))))
        if grant is None or grant.revoked:
            raise Refusal(400, {"error": "invalid_grant"})
        grant.access_token = secrets.token_urlsafe(24)
        if self.behaviour.rotate_refresh_tokens:
            del self._grants[data_center, grant.refresh_token]
            grant.refresh_token = secrets.token_urlsafe(24)
            self._grants[data_center, grant.refresh_token] = grant
        self._issue(grant)
        return {
            "token_type": "bearer",
            "access_token": grant.access_token,
            "expires_in": grant.expires_in,
            "refresh_token": grant.refresh_token,
            "scope": grant.scope,
        }

    def _issue(self, grant: Grant) -> None:
        """Older access tokens keep working until they expire (unknown)."""
        self._access[grant.data_center, grant.access_token] = (grant, self.clock() + grant.expires_in)

    def _check_user(self, data_center: str, token: str | None, calendar_id: str, scope: str) -> None:
        grant = self._check_token(data_center, token)
        if scope not in grant.scope.split():
            raise Refusal(403)
        if calendar_id not in grant.calendars:
            raise Refusal(404)

    def read(
        self, data_center: str, token: str | None, query: Mapping[str, list[str]], page: tuple[str, ...] = ()
    ) -> JsonObject:
        """Answer `GET /v1/events` with the first page, or a later `page`. Only managed events exist here.

        https://docs.cronofy.com/developers/api/events/read-events/. Not known here: recurring events, `from` and `to`,
        and what `include_moved` adds without them.
        """
        grant = self._check_reader(data_center, token)
        if page:
            if page not in self._pages:
                raise Refusal(404)
            return self._page(data_center, *self._pages.pop(page))
        _refuse_if({} if "tzid" in query else {"tzid": [{"key": "errors.required", "description": "required"}]})
        since = rules.parse_time(query.get("last_modified", [None])[0])
        is_requested = "true" in query.get("only_managed", []) + query.get("include_managed", [])
        found = [
            self._list_event(meeting)
            for meeting in self.meetings.values()
            if meeting.is_calendar_event
            and is_requested
            and meeting.key[:2] in {(data_center, name) for name in query.get("calendar_ids[]", grant.calendars)}
            and meeting.key[1] in grant.calendars
            and (not meeting.deleted or "true" in query.get("include_deleted", []))
            and (since is None or meeting.updated_at >= since.timestamp())
        ]
        return self._page(data_center, found, 1)

    # Conferencing profiles: https://docs.cronofy.com/developers/api/conferencing-services/conferencing-profiles/

    def user_info(self, data_center: str, token: str | None) -> JsonObject:
        """Answer `GET /v1/userinfo`. Its calendar profiles are left out; the scope that it needs is unknown."""
        grant = self._check_token(data_center, token)
        data = {"authorization": {"scope": grant.scope}, "conferencing_profiles": grant.profiles}
        return {"sub": grant.sub, "cronofy.type": "account", "cronofy.data": data}

    def account(self, data_center: str, token: str | None) -> JsonObject:
        """Answer `GET /v1/account` as Cronofy's Python SDK reads it; the scope that it needs is unknown."""
        grant = self._check_token(data_center, token)
        return {"account": {"account_id": grant.sub, "email": self.behaviour.account_email}}

    def connect_profile(self, profile_id: str, *, is_connected: bool) -> None:
        """Let the credentials of a conferencing profile expire, or its user connect it again."""
        profiles = (profile for grant in self._grants.values() for profile in grant.profiles)
        profile = next((one for one in profiles if one["profile_id"] == profile_id), None)
        if profile is None:
            raise LookupError(f"no conferencing profile {profile_id}")
        profile["profile_connected"] = is_connected
        profile.pop("profile_relink_url", None)
        if not is_connected:
            name = profile["provider_name"]
            profile["profile_relink_url"] = f"https://app.cronofy.com/v2/relink/{name}?email=example%40cronofy.com"

    def _page(self, data_center: str, found: list[JsonObject], number: int) -> JsonObject:
        size = self.behaviour.page_size
        pages: JsonObject = {"current": number, "total": max(number, number - 1 + -(-len(found) // size))}
        if len(found) > size:
            name = secrets.token_hex(8)
            self._pages["pages", name] = found[size:], number + 1
            pages["next_page"] = f"https://{HOSTS[data_center]}/v1/events/pages/{name}"
        return {"pages": pages, "events": found[:size]}

    def _check_token(self, data_center: str, token: str | None) -> Grant:
        grant, expires_at = self._access.get((data_center, token or ""), (None, 0.0))
        if grant is None or grant.revoked or expires_at <= self.clock():
            raise Refusal(401)
        return grant

    def _check_reader(self, data_center: str, token: str | None) -> Grant:
        grant = self._check_token(data_center, token)
        if "read_events" not in grant.scope.split():
            raise Refusal(403)
        return grant

    def _list_event(self, meeting: Meeting) -> JsonObject:
        described = self._describe_event(meeting)
        times = {name: _in_utc(described.get(name), described["tzid"]) for name in ("start", "end")}
        return {
            "calendar_id": meeting.key[1],
            "event_id": meeting.key[2],
            "event_uid": f"evt_{meeting.key[2]}",
            "summary": described.get("summary", ""),
            "description": meeting.request.get("description", ""),
            "deleted": meeting.deleted,
            "updated": datetime.fromtimestamp(meeting.updated_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "recurring": bool(meeting.request.get("recurrence")),
            **times,
        }

    def _check_application(self, data_center: str, token: str | None) -> None:
        if token not in self.applications[data_center].client_secrets:
            raise Refusal(401)

    # Calendar events: https://docs.cronofy.com/developers/api/meeting-agents/provisioning/

    def upsert(self, data_center: str, token: str | None, calendar_id: str, body: JsonObject) -> None:
        """Write a calendar event, and provision or de-provision its agent if the body says so."""
        self._check_user(data_center, token, calendar_id, "create_event")
        _refuse_if(rules.errors_in_event(body))
        key = (data_center, calendar_id, body["event_id"])
        if data_center in self.behaviour.refuse_transitions and any(
            "transitions" in subscription for subscription in body.get("subscriptions", ())
        ):
            raise Refusal(422, {"errors": {"subscriptions.transitions": [{"key": "errors.invalid"}]}})
        meeting = self.meetings.setdefault(key, Meeting(key, body))
        meeting.updated_at = self.clock()
        if meeting.deleted:
            meeting.deleted, meeting.subscriptions, meeting.request = False, [], body
        untouched = {
            name: meeting.request[name] for name in ("meeting_agent", "conferencing") if name in meeting.request
        }
        meeting.request = untouched | body
        self._subscribe(meeting, body)
        match body.get("meeting_agent"):
            case {"profile_id": "cronofy"}:
                self._provision(meeting)
            case {"profile_id": "none"}:
                _cancel(meeting)

    def delete(self, data_center: str, token: str | None, calendar_id: str, body: JsonObject) -> None:
        """Delete a calendar event, and its agent with it. A missing one is not rejected (unknown)."""
        self._check_user(data_center, token, calendar_id, "delete_event")
        _refuse_if(rules.errors_in_deletion(body, "event_id"))
        meeting = self.meetings.get((data_center, calendar_id, body["event_id"]))
        if meeting:
            meeting.deleted, meeting.updated_at = True, self.clock()
            _cancel(meeting)

    # People in their calendar: https://docs.cronofy.com/developers/workflow-triggers/event-triggers/

    def drag(self, key: Key, **changes: str) -> None:
        """Let a person change the `start`, `end` or `summary` of a calendar event. Its subscriptions follow."""
        meeting, _ = self.find(key)
        meeting.request, meeting.updated_at = meeting.request | changes, self.clock()

    def delete_in_calendar(self, key: Key) -> None:
        """Let a person delete a calendar event. That its agent is cancelled is inferred."""
        meeting, _ = self.find(key)
        meeting.deleted, meeting.updated_at = True, self.clock()
        _cancel(meeting)

    def due_triggers(self) -> Iterator[tuple[Meeting, str, JsonObject]]:
        """Yield the address and the body of each event trigger that is due, once for each time of its moment.

        It is sent within a minute; the field that names it in the body is unknown, so there is none.
        """
        now = datetime.fromtimestamp(self.clock(), UTC)
        for meeting in self.meetings.values():
            if meeting.deleted or not meeting.is_calendar_event:
                continue
            for subscription in meeting.subscriptions:
                for moment, offset in filter(None, map(rules.moment_of, subscription.get("transitions", ()))):
                    value, tzid = meeting.request.get(moment.removeprefix("event_")), meeting.request.get("tzid")
                    at = rules.parse_time(value, tzid or "Etc/UTC")
                    if at is None or not at + offset <= now < at + offset + TRIGGER_WINDOW:
                        continue
                    trigger = subscription["uri"], f"{moment}{offset}", at
                    if trigger not in meeting.triggered:
                        meeting.triggered.add(trigger)
                        body = {"notification": {"type": "event_subscription"}, "event": self._describe_event(meeting)}
                        yield meeting, subscription["uri"], body

    # Agents without an event: https://docs.cronofy.com/developers/api/meeting-agents/schedule/

    def request_agent(self, data_center: str, token: str | None, body: JsonObject) -> JsonObject | None:
        """Send an agent at once and return it; or schedule one and return None."""
        self._check_application(data_center, token)
        _refuse_if(rules.errors_in_agent(body, attendee_required=not self.behaviour.older_beta))
        if "scheduling_key" in body:
            self._schedule((data_center, body["scheduling_key"]), body)
            return None
        sub = new_sub()
        meeting = self.meetings[data_center, sub] = Meeting((data_center, sub), body)
        agent = self._send_agent(meeting, sub)
        self._subscribe(meeting, body)
        return agent.as_json() if self.behaviour.older_beta else {"meeting_agent": agent.as_json()}

    def cancel_agent(self, data_center: str, token: str | None, body: JsonObject) -> None:
        """Cancel a scheduled agent; one already joining stays. An unknown key is not rejected (unknown)."""
        self._check_application(data_center, token)
        _refuse_if(rules.errors_in_deletion(body, "scheduling_key"))
        meeting = self.meetings.get((data_center, body["scheduling_key"]))
        if meeting:
            _cancel(meeting)

    def _schedule(self, key: tuple[str, str], body: JsonObject) -> None:
        meeting = self.meetings.get(key)
        if meeting and self.behaviour.reschedule == "refuse":
            raise Refusal(422, {"errors": {"scheduling_key": [{"key": "errors.invalid", "description": "is taken"}]}})
        meeting = self.meetings.setdefault(key, Meeting(key, body))
        meeting.request = body
        self._subscribe(meeting, body)
        if self.behaviour.reschedule == "duplicate":
            self._send_agent(meeting, new_sub())
        else:
            self._provision(meeting)

    # Resources: https://docs.cronofy.com/developers/api/meeting-agents/resource-download/

    def presign(self, data_center: str, token: str | None, resource: tuple[str, ...]) -> str:
        """Return a presigned address of the resource, which needs no credentials."""
        self._check_application(data_center, token)
        sub, category, kind = resource
        if sub in self.offered and category == "transcript":
            return self._sign(resource)
        meeting, agent = self._agents.get(sub, (None, None))
        if meeting is None or agent is None or meeting.data_center != data_center or category == "cronofy":
            raise Refusal(404)
        if (category, kind) not in ((each["category"], each["type"]) for each in agent.resources):
            raise Refusal(404)
        if sub in self.expired:
            raise Refusal(404)
        return self._sign(resource)

    def _sign(self, resource: tuple[str, ...]) -> str:
        signature = secrets.token_hex(16)
        self._presigned[signature] = resource
        return f"{self.url}/presigned/{'/'.join(resource)}?signature={signature}"

    def download(self, signature: str | None, resource: tuple[str, ...]) -> JsonObject | Media:
        """Return a transcript, or a recording, for its presigned address."""
        if self._presigned.get(signature or "") != resource:
            raise Refusal(403)
        self._uses[signature or ""] += 1
        if self.behaviour.address_uses is not None and self._uses[signature or ""] > self.behaviour.address_uses:
            raise Refusal(403)
        sub, category, _ = resource
        return transcript(sub) if category == "transcript" else self.recording(sub, category)

    def recording(self, sub: str, category: str) -> Media:
        """Return a recording as it is now."""
        return Media(f"{category} of {sub}", self.behaviour.recording_bytes, self.editions[sub])

    # Callbacks: https://docs.cronofy.com/developers/api/meeting-agents/callbacks/

    def find(self, key: Key) -> tuple[Meeting, Agent | None]:
        """Look up a meeting and its latest agent; or, by its sub, exactly one agent.

        A key is a meeting's whole key, or its last part alone when only one meeting has it.
        """
        if isinstance(key, str) and key in self._agents:
            return self._agents[key]
        found = [meeting for whole, meeting in self.meetings.items() if key in (whole, whole[-1])]
        if len(found) != 1:
            raise LookupError(f"{len(found)} meetings have the key {key!r}")
        return found[0], found[0].agents[-1] if found[0].agents else None

    def take_step(self, step: Step, key: Key) -> tuple[Meeting, JsonObject]:
        """Let a step of a meeting happen, and return the body of its callback.

        Unknown: whether `event` is there for an agent sent without one, and whether the agent is there in a
        callback about conferencing. Here neither is so.
        """
        meeting, agent = self.find(key)
        body: JsonObject = {
            "notification": {"type": "event_subscription", "interactions": [{"type": step.interaction}]}
        }
        if not step.concerns_agent:
            meeting.conference_failed = step is STEPS["fail_conferencing"]
        if meeting.is_calendar_event:
            body["event"] = self._describe_event(meeting)
        if step.concerns_agent:
            if agent is None:
                raise LookupError(f"no agent was requested with {key!r}")
            agent.joined = True
            agent.state = step.state or agent.state
            if step is STEPS["complete"]:
                agent.resources = self._resources(meeting.data_center, agent.sub, RECORDINGS)
            body["meeting_agent"] = agent.as_json()
        return meeting, body

    def _describe_event(self, meeting: Meeting) -> JsonObject:
        event: JsonObject = {
            name: meeting.request[name] for name in ("event_id", "summary", "start", "end") if name in meeting.request
        }
        event["tzid"] = meeting.request.get("tzid", "Etc/UTC")
        conferencing = self._conferencing(meeting)
        if conferencing:
            event["conferencing"] = conferencing
        if "meeting_agent" in meeting.request:
            event["meeting_agent"] = meeting.request["meeting_agent"]
        return event

    def _conferencing(self, meeting: Meeting) -> JsonObject | None:
        """No conference is created for an event in the past; an explicit one is the caller's own."""
        requested = meeting.request.get("conferencing") or {}
        profile = requested.get("profile_id", "none")
        if profile == "explicit" and "join_url" in requested:
            return {"provider_name": requested.get("provider_description"), "join_url": requested["join_url"]}
        start = rules.parse_time(meeting.request.get("start"), meeting.request.get("tzid") or "Etc/UTC")
        is_past = start is not None and start < datetime.fromtimestamp(self.clock(), UTC)
        if profile in ("explicit", "none") or meeting.conference_failed or is_past:
            return None
        return {"provider_name": "zoom", "join_url": meeting.conference_url}

    # Agents

    def _provision(self, meeting: Meeting) -> None:
        """Give the meeting an agent unless it has a live one; after an end, a new one (unknown)."""
        if meeting.live_agent is None:
            self._send_agent(meeting, self.behaviour.next_sub or new_sub())
            self.behaviour.next_sub = ""

    def _send_agent(self, meeting: Meeting, sub: str) -> Agent:
        agent = Agent(sub, self._resources(meeting.data_center, sub, {}))
        meeting.agents.append(agent)
        self._agents[sub] = (meeting, agent)
        return agent

    def _resources(self, data_center: str, sub: str, kinds: Mapping[str, str]) -> list[JsonObject]:
        api = f"{self.url}/{HOSTS[data_center]}/resources/{sub}"
        dashboard = {"category": "cronofy", "type": "dashboard", "url": f"{self.url}/dashboard/{sub}"}
        return [
            dashboard,
            *({"category": name, "type": kind, "url": f"{api}/{name}/{kind}"} for name, kind in kinds.items()),
        ]

    def _subscribe(self, meeting: Meeting, body: JsonObject) -> None:
        """An empty list removes all; a list left out changes nothing (unknown)."""
        if "subscriptions" not in body:
            return
        uris = {subscription["uri"] for subscription in body["subscriptions"]}
        others = [subscription for subscription in meeting.subscriptions if subscription["uri"] not in uris]
        merges = self.behaviour.merge_subscriptions and uris
        meeting.subscriptions = [*(others if merges else ()), *body["subscriptions"]]


def _in_utc(value: object, tzid: str) -> object:
    """A time as Read Events shows it in the time zone Etc/UTC; a date stays one."""
    at = None if isinstance(value, str) and len(value) == len("2026-04-29") else rules.parse_time(value, tzid)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else value


def transcript(sub: str) -> JsonObject:
    """A transcript in the shape of https://docs.cronofy.com/developers/api/meeting-agents/transcripts/."""
    sentence = {"text": "Grüß Gott, shall we begin?", "start": 0.4, "end": 2.1}
    speaker = {"identifier": "speaker_1", "name": "Marty"}
    paragraph = {"speaker": speaker, "start": 0.4, "end": 2.1, "sentences": [sentence]}
    return {
        "meeting_agent": {"sub": sub},
        "transcript": {"summary": "They began.", "paragraphs": [paragraph]},
    }


def new_sub() -> str:
    """An agent's identifier in Cronofy's present form."""
    return f"agt_{secrets.token_hex(12)}"


def new_secret() -> str:
    """A client secret in Cronofy's present form."""
    return "CRN_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(38))


def _cancel(meeting: Meeting) -> None:
    """Cancel agents that have not joined. One that has, stays: documented without an event, unknown with one."""
    for agent in meeting.agents:
        agent.cancelled = agent.cancelled or (agent.is_live and not agent.joined)


def _refuse_if(errors: JsonObject) -> None:
    if errors:
        raise Refusal(422, {"errors": errors})
