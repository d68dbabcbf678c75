"""The stand-in itself: its server, and the methods that control it."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self, TypedDict, Unpack
from urllib.parse import parse_qs

from tests.sandbox.stand_in.control import CONTROL, steer
from tests.sandbox.stand_in.courier import Courier, Notification, sign
from tests.sandbox.stand_in.media import CONTENT_TYPES, Media
from tests.sandbox.stand_in.rules import JsonObject
from tests.sandbox.stand_in.wire import Answer, Faults, Request, Server, encode
from tests.sandbox.stand_in.world import (
    HOSTS,
    STEPS,
    Agent,
    Application,
    Behaviour,
    Grant,
    Key,
    Meeting,
    Refusal,
    World,
)

# Documented, per application: seconds and the requests they may hold.
LIMITS = {1: 50, 60: 500}
MAX_REQUESTS_KEPT = 20_000


class DeliveryOptions(TypedDict, total=False):
    """Options for making and delivering a callback."""

    deliver: bool
    """False: only make it. It can be delivered later, in any order, or never."""
    times: int
    """Number of deliveries of the same bytes."""
    delay: float
    """Seconds to wait before the first delivery."""
    secrets: str | Sequence[str]
    """Sign with these instead of the application's own: a forgery."""
    body: bytes | str | JsonObject
    """Send this instead."""
    extra: JsonObject
    """Merge this into the body, level by level: a reason, an unknown field."""
    to: str
    """Deliver here instead of to the subscriptions."""


class StandIn:
    """A running stand-in. Every method may be called from any thread."""

    def __init__(
        self,
        *,
        port: int = 0,
        applications: Mapping[str, Application] | None = None,
        behaviour: Behaviour | None = None,
        backoff: Sequence[float] = (0.1, 0.3, 0.9),
        callback_timeout: float = 7.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Set the port and the applications; a data center without an application gets a random one.

        A callback times out after `callback_timeout` seconds, and is retried after each pause of `backoff`.
        """
        self.behaviour = behaviour or Behaviour()
        self.faults = Faults()
        self._lock = threading.RLock()
        self._requests: deque[Request] = deque(maxlen=MAX_REQUESTS_KEPT)
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._server = Server(port, self._respond, self.faults, self._record)
        self._courier = Courier(backoff=backoff, timeout=callback_timeout)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._world = World(self.url, applications or {}, self.behaviour, clock)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.stop()
        self._courier.close()

    def url_for(self, data_center: str) -> str:
        """The base address of one data center, where Cronofy's own would be `https://{host}`."""
        return f"{self.url}/{HOSTS[data_center]}"

    # State

    @property
    def applications(self) -> Mapping[str, Application]:
        """Applications, by data center."""
        return self._world.applications

    @property
    def requests(self) -> list[Request]:
        """Requests that were received and answered, oldest first, without the controls."""
        with self._lock:
            return list(self._requests)

    @property
    def meetings(self) -> list[Meeting]:
        with self._lock:
            return list(self._world.meetings.values())

    @property
    def agents(self) -> list[Agent]:
        """All agents, ended and cancelled ones included."""
        return [agent for meeting in self.meetings for agent in meeting.agents]

    def meeting(self, key: Key) -> Meeting:
        """The meeting with that key, whole or only its last part.

        The whole key is (data center, calendar_id, event_id) or (data center, scheduling_key).
        """
        with self._lock:
            return self._world.find(key)[0]

    def agent(self, key: Key) -> Agent:
        """The agent with that sub, or the latest one of the meeting with that key."""
        with self._lock:
            agent = self._world.find(key)[1]
        if agent is None:
            raise LookupError(f"no agent was requested with {key!r}")
        return agent

    def count(self, method: str, path_prefix: str) -> int:
        """Number of such requests received."""
        return sum(each.method == method and each.path.startswith(path_prefix) for each in self.requests)

    def busiest(self, seconds: float, data_center: str = "us") -> int:
        """The most API requests within any period of that length; Cronofy's limits are of this number."""
        window: deque[float] = deque()
        most = 0
        for at in sorted(
            each.received_at for each in self.requests if each.data_center == data_center and _is_api(each)
        ):
            window.append(at)
            while window[0] <= at - seconds:
                window.popleft()
            most = max(most, len(window))
        return most

    # Credentials

    def grant(
        self,
        data_center: str = "us",
        *,
        calendars: Sequence[str] = ("cal_n23kjnwrw2_jsdfjksn234",),
        scope: str = "create_event delete_event read_events",
        service_account: bool = False,
        providers: Sequence[str] = (),
    ) -> Grant:
        """Let a user consent to a scope; without `create_event` an upsert is answered 403, as is a read.

        `providers`: those of the user's conferencing profiles, such as `zoom`; all are connected.
        """
        expires_in = 1800 if service_account else 3600
        with self._lock:
            return self._world.grant(data_center, tuple(calendars), scope, expires_in, tuple(providers))

    def connect_profile(self, profile_id: str, *, is_connected: bool) -> None:
        """Let the credentials of a conferencing profile expire, or its user connect it again."""
        with self._lock:
            self._world.connect_profile(profile_id, is_connected=is_connected)

    def expire(self, access_token: str) -> None:
        with self._lock:
            self._world.expire(access_token)

    def revoke(self, grant: Grant) -> None:
        """Let the user revoke it: from now on its access tokens are answered 401, its refresh token 400."""
        with self._lock:
            grant.revoked = True

    def rotate_secrets(self, data_center: str = "us", *, finish: bool = False) -> Application:
        """Add a second active secret; with `finish`, retire all but the newest."""
        with self._lock:
            return self._world.rotate_secrets(data_center, finish=finish)

    # Steps of an agent

    def activate(self, key: Key, **options: Unpack[DeliveryOptions]) -> Notification:
        """The agent is about to join."""
        return self.report("activate", key, **options)

    def complete(self, key: Key, **options: Unpack[DeliveryOptions]) -> Notification:
        """The meeting is over and its recordings are there."""
        return self.report("complete", key, **options)

    def fail(self, key: Key, **options: Unpack[DeliveryOptions]) -> Notification:
        """The agent failed. No field for a reason is documented: give one as `extra`."""
        return self.report("fail", key, **options)

    def assign_conferencing(self, key: Key, **options: Unpack[DeliveryOptions]) -> Notification:
        """The conference exists, and its address with it."""
        return self.report("assign_conferencing", key, **options)

    def fail_conferencing(self, key: Key, **options: Unpack[DeliveryOptions]) -> Notification:
        """The conference could not be created; the event was written without one."""
        return self.report("fail_conferencing", key, **options)

    def fire_triggers(self) -> list[Notification]:
        """Send the event triggers that are due by the stand-in's clock."""
        with self._lock:
            due = list(self._world.due_triggers())
            secrets = {
                meeting.data_center: self.applications[meeting.data_center].client_secrets for meeting, *_ in due
            }
        made = [(meeting.data_center, uri, self._encode(body)) for meeting, uri, body in due]
        return [self.deliver(Notification((uri,), body, sign(body, secrets[name]))) for name, uri, body in made]

    # Recordings

    def recording(self, key: Key, category: str) -> Media:
        """The recording of the latest agent of a meeting, as it is now."""
        with self._lock:
            return self._world.recording(self.agent(key).sub, category)

    def offer(self, sub: str) -> None:
        """Have a transcript of an agent that is not known here."""
        with self._lock:
            self._world.offered.add(sub)

    def edit_recordings(self, key: Key) -> None:
        """Let the recordings be other ones, at the same addresses."""
        with self._lock:
            self._world.editions[self.agent(key).sub] += 1

    def expire_resources(self, key: Key) -> None:
        """Let the resources be gone."""
        with self._lock:
            self._world.expired.add(self.agent(key).sub)

    # People in their calendar

    def drag(self, key: Key, **changes: str) -> None:
        """Let a person change the `start`, `end` or `summary` of a calendar event."""
        with self._lock:
            self._world.drag(key, **changes)

    def delete_in_calendar(self, key: Key) -> None:
        """Let a person delete a calendar event."""
        with self._lock:
            self._world.delete_in_calendar(key)

    def report(self, step: str, key: Key, **options: Unpack[DeliveryOptions]) -> Notification:
        """Let one of STEPS happen, and report it to its subscribers. LookupError: unknown key."""
        if unknown := options.keys() - DeliveryOptions.__annotations__.keys():
            raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
        with self._lock:
            meeting, body = self._world.take_step(STEPS[step], key)
            active = self.applications[meeting.data_center].client_secrets
            uris = meeting.subscribers_to(STEPS[step].interaction)
        content = self._encode(options.get("body", _merged(body, options.get("extra", {}))))
        signers = options.get("secrets", active)
        signature = sign(content, (signers,) if isinstance(signers, str) else signers)
        notification = Notification((options["to"],) if "to" in options else uris, content, signature)
        if not options.get("deliver", True):
            return notification
        time.sleep(options.get("delay", 0))
        return self.deliver(notification, times=options.get("times", 1))

    def deliver(self, notification: Notification, *, times: int = 1) -> Notification:
        """Deliver a notification `times` times; each outcome is added to its `deliveries`."""
        for _ in range(times):
            made = self._courier.deliver(notification)
            notification = replace(notification, deliveries=notification.deliveries + made)
        return notification

    def _encode(self, body: bytes | str | JsonObject) -> bytes:
        if isinstance(body, bytes):
            return body
        if isinstance(body, str):
            return body.encode()
        return encode(body, compact=self.behaviour.compact_json)

    # Responses

    def _record(self, request: Request) -> None:
        if not request.path.startswith(CONTROL):
            with self._lock:
                self._requests.append(request)

    def forget_requests(self) -> None:
        with self._lock:
            self._requests.clear()

    def _respond(self, request: Request) -> Answer:
        if request.path.startswith(CONTROL):
            return steer(self, request)
        with self._lock:
            if self._is_over_limit(request):
                after = self.behaviour.retry_after
                return Answer(429, headers={} if after is None else {"Retry-After": str(after)})
            try:
                return self._answer(request)
            except Refusal as refusal:
                return Answer(refusal.status) if refusal.body is None else Answer.of(refusal.status, refusal.body)

    def _answer(self, request: Request) -> Answer:  # noqa: C901 - one case for each route
        """Route a call. A body that is not a JSON object counts as one without fields."""
        world, data_center, token = self._world, request.data_center, request.token
        body = parsed if isinstance(parsed := request.json, dict) else {}
        match request.method, request.parts:
            case "POST", ("oauth", "token"):
                return Answer.of(200, world.refresh(data_center, body))
            case "POST", ("v1", "calendars", calendar_id, "events"):
                world.upsert(data_center, token, calendar_id, body)
                return Answer(202)
            case "DELETE", ("v1", "calendars", calendar_id, "events"):
                world.delete(data_center, token, calendar_id, body)
                return Answer(202)
            case "GET", ("v1", "events", *page):
                query = parse_qs(request.target.partition("?")[2])
                return Answer.of(200, world.read(data_center, token, query, tuple(page)))
            case "GET", ("v1", "userinfo"):
                return Answer.of(200, world.user_info(data_center, token))
            case "GET", ("v1", "account"):
                return Answer.of(200, world.account(data_center, token))
            case "POST", ("v1", "meeting_agents"):
                agent = world.request_agent(data_center, token, body)
                return Answer(202) if agent is None else Answer.of(200, agent)
            case "DELETE", ("v1", "meeting_agents"):
                world.cancel_agent(data_center, token, body)
                return Answer(202)
            case "GET", ("resources", *resource) if len(resource) == 3:
                address = world.presign(data_center, token, tuple(resource))
                return Answer.of(302, {"resource": {"download_url": address}}, Location=address)
            case "GET", ("presigned", *resource):
                content = world.download(request.query.get("signature"), tuple(resource))
                return self._serve(request, content) if isinstance(content, Media) else Answer.of(200, content)
            case "GET", ("dashboard", sub):
                return Answer(200, f"The dashboard of {sub}, for a browser.\n".encode(), "text/plain; charset=utf-8")
            case _:
                return Answer(404)

    def _serve(self, request: Request, media: Media) -> Answer:
        """Serve a recording as S3 does: a range, if the etag is the one that is wanted."""
        if request.headers.get("if-match", media.etag) != media.etag:
            return Answer(412)
        kind = CONTENT_TYPES.get(request.parts[-2], "application/octet-stream")
        headers = {"ETag": media.etag, "Last-Modified": "Wed, 29 Apr 2026 15:30:00 GMT"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if wanted is None or not self.behaviour.ranges:
            return Answer(200, b"", kind, headers, media.pieces(), media.size)
        start, end = int(wanted[1]), min(int(wanted[2] or media.size - 1) + 1, media.size)
        end = min(end, start + self.behaviour.range_bytes)
        if start >= media.size:
            return Answer(416, headers={"Content-Range": f"bytes */{media.size}"})
        ranged = headers | {"Content-Range": f"bytes {start}-{end - 1}/{media.size}"}
        return Answer(206, b"", kind, ranged, media.pieces(start, end), end - start)

    def _is_over_limit(self, request: Request) -> bool:
        if not self.behaviour.enforce_limits or not _is_api(request):
            return False
        now, recent = time.monotonic(), self._recent[request.data_center]
        while recent and recent[0] <= now - max(LIMITS):
            recent.popleft()
        if any(sum(at > now - seconds for at in recent) >= most for seconds, most in LIMITS.items()):
            return True
        recent.append(now)
        return False


def _is_api(request: Request) -> bool:
    return request.parts[0] in {"v1", "oauth", "resources"}


def _merged(body: JsonObject, extra: JsonObject) -> JsonObject:
    """`extra` over `body`, objects merged and everything else replaced."""
    both = {
        name: _merged(body[name], value) if isinstance(body.get(name), dict) and isinstance(value, dict) else value
        for name, value in extra.items()
    }
    return body | both
