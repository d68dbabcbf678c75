"""Cronofy in a simulated month: its calendar events, its agents, its callbacks. It is the truth about the meetings.

It answers, accepts and refuses as Cronofy documents; where the documentation is silent, the script of the meeting says
what it does, so that the product meets every possibility.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import httpx

from tests.simulation.calendar_events import Agent, CalendarEvent, State
from tests.simulation.requests import Request
from tests.simulation.scheduler import Scheduler
from tests.simulation.scripts import DESTINIES, MINUTE, Script

LATENCY = 0.2
TOKEN_SECONDS = 3600
_ANSWER_TIMEOUT = 8.0
_PAUSES = (30.0, 120.0, 600.0, 1800.0, 3600.0)
"""Seconds between the deliveries of a callback that is not answered with success."""


@dataclass
class Cronofy:
    """All calendar events. `deliver`: calls back an address with bytes, and returns the status of the answer."""

    scheduler: Scheduler
    deliver: Callable[[str, Mapping[str, str], bytes], int]
    is_down: Callable[[str], bool]
    happened: Counter[str]
    log: Callable[[CalendarEvent | None, str], None]

    def __post_init__(self) -> None:
        self.events: dict[tuple[str, str], CalendarEvent] = {}
        self._calendars: dict[str, list[CalendarEvent]] = {}
        self._by_link: dict[str, CalendarEvent] = {}
        self._tokens: dict[str, float] = {}
        self._recent: deque[float] = deque()
        self._numbers = 0

    def expect(self, key: tuple[str, str], script: Script) -> CalendarEvent:
        """Return the calendar event with this key; `script`: what will become of it."""
        if key not in self.events:
            self.events[key] = CalendarEvent(script, key)
            self._calendars.setdefault(key[0], []).append(self.events[key])
            self._by_link[join_url_of(script)] = self.events[key]
        return self.events[key]

    # ----------------------------------------------------------------------------------------------------- credentials

    def issue(self, user: str) -> str:
        """Return a new access token."""
        self._numbers += 1
        token = f"{user}.{self._numbers}"
        self._tokens[token] = self.scheduler.now + TOKEN_SECONDS
        return token

    def _is_valid(self, token: str) -> bool:
        user = token.partition(".")[0]
        if token == "CRN_secret" or self.is_down(f"grant {user}"):
            return token == "CRN_secret"
        return self._tokens.get(token, 0.0) > self.scheduler.now

    # -------------------------------------------------------------------------------------------------------- requests

    def send(self, request: Request) -> httpx.Response:
        """Answer a request of the product's."""
        body = json.loads(request.content or b"{}")
        path = request.url.path
        if path == "/oauth/token":
            return self._refresh(body)
        if request.method == "GET":
            return self._read(request)
        calendar = path.split("/")[3] if "/calendars/" in path else ""
        identifier = body.get("event_id") or body.get("scheduling_key") or body.get("join_url", "")
        event = self.events.get((calendar, identifier)) or self._by_link[identifier]
        event.requests += 1
        fate = dict(event.script.fates).get(event.requests, "")
        self.log(event, f"Cronofy gets {request.method}{f', {fate}' if fate else ''}")
        if self.is_down("cronofy"):
            fate = "503" if event.requests % 2 else "hangs"
        elif fate:
            self.happened[f"cronofy: {fate}"] += 1
        return self._answer(request, event, body, fate)

    def _answer(self, request: Request, event: CalendarEvent, body: dict[str, Any], fate: str) -> httpx.Response:
        if fate == "unreachable":
            raise httpx.ConnectError("no connection")
        if fate in ("hangs", "hangs and does it"):
            if fate == "hangs and does it":
                self._take(request.method, event, body)
            self.scheduler.sleep(request.seconds)
            raise httpx.ReadTimeout("no answer")
        self.scheduler.sleep(_ANSWER_TIMEOUT if fate == "answers late" else LATENCY)
        if fate == "a page":
            return httpx.Response(200, text="<html>maintenance</html>")
        if fate == "422" or "typo" in body:
            return httpx.Response(422, json={"errors": {"summary": [{"key": "errors.invalid"}]}})
        if fate == "404" and request.method == "DELETE":
            self._delete(event, "caller")  # what is not found has no agent
        if fate in ("503", "429", "423", "404", "401"):
            return httpx.Response(int(fate))
        if not self._is_valid(request.token):
            return httpx.Response(401)
        if self._is_over_limit():
            self.happened["cronofy: limit reached"] += 1
            return httpx.Response(429)
        return self._take(request.method, event, body)

    def _is_over_limit(self) -> bool:
        """https://docs.cronofy.com/developers/api/rate-limits/."""
        now = self.scheduler.now
        while self._recent and self._recent[0] <= now - MINUTE:
            self._recent.popleft()
        self._recent.append(now)
        return len(self._recent) > 500 or sum(at > now - 1 for at in self._recent) > 50

    def _refresh(self, body: dict[str, Any]) -> httpx.Response:
        if self.is_down("cronofy") or self.is_down("token"):
            return httpx.Response(503)
        user = body["refresh_token"]
        if self.is_down(f"grant {user}"):
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(
            200, json={"access_token": self.issue(user), "expires_in": TOKEN_SECONDS, "refresh_token": user}
        )

    def _read(self, request: Request) -> httpx.Response:
        """Answer `GET /v1/events` and `GET /v1/userinfo`, where each user has one conferencing profile.

        https://docs.cronofy.com/developers/api/events/read-events/
        https://docs.cronofy.com/developers/api/conferencing-services/conferencing-profiles/
        """
        if self.is_down("cronofy"):
            return httpx.Response(503)
        self.scheduler.sleep(LATENCY)
        if request.url.path not in ("/v1/events", "/v1/userinfo", "/v1/account"):
            return httpx.Response(404)
        if not self._is_valid(request.token):
            return httpx.Response(401)
        if self._is_over_limit():
            self.happened["cronofy: limit reached"] += 1
            return httpx.Response(429)
        if request.url.path == "/v1/account":
            return httpx.Response(200, json={"account": {"email": "marty@example.com"}})
        if request.url.path == "/v1/userinfo":
            self.happened["cronofy: profiles are read"] += 1
            profile = self._profile(request.token.partition(".")[0])
            return httpx.Response(200, json={"cronofy.data": {"conferencing_profiles": [profile]}})
        self.happened["cronofy: a calendar is read"] += 1
        parameters = parse_qs(request.url.query)
        calendars = dict.fromkeys(parameters.get("calendar_ids[]", ()))
        since = _seconds(parameters.get("last_modified", [None])[0]) or 0.0
        events = [
            self._event_json(event)
            for calendar in calendars
            for event in self._calendars.get(calendar, ())
            if event.body and event.states[-1].at >= since
        ]
        return httpx.Response(200, json={"pages": {"current": 1, "total": 1}, "events": events})

    def _profile(self, user: str) -> dict[str, Any]:
        """Return the conferencing profile of a user."""
        profile = {"provider_name": "zoom", "profile_id": f"pro_{user}", "profile_connected": True}
        if self.is_down(f"profile {user}"):
            self.happened["cronofy: a disconnected profile is read"] += 1
            profile |= {"profile_connected": False, "profile_relink_url": f"https://app.cronofy.com/relink/{user}"}
        return profile

    def _take(self, method: str, event: CalendarEvent, body: dict[str, Any]) -> httpx.Response:
        """Do what was requested."""
        if method == "DELETE":
            return httpx.Response(202 if self._delete(event, "caller") else 404)
        if event.key[1] not in (body.get("event_id"), body.get("scheduling_key"), body.get("join_url")):
            return self._send_second(event, body)
        is_calendar_event = "event_id" in body
        profile = body.get("meeting_agent", {}).get("profile_id") if is_calendar_event else "cronofy"
        is_on_again = profile == "cronofy" and not event.is_planned
        event.body, event.exists = event.body | body, True
        event.generation += is_on_again
        if profile is not None:
            event.is_wanted = profile == "cronofy"
        event.start = _seconds(body.get("start") or body.get("join_time")) or event.start or event.script.start
        event.end = _seconds(body.get("end")) or event.start + event.script.minutes * MINUTE
        if "subscriptions" in body and not (event.script.keeps_address and event.subscriptions):
            event.subscriptions = body["subscriptions"]
        self._assign_conference(event, body)
        self._follow(event, "caller")
        if is_calendar_event or "scheduling_key" in body:
            return httpx.Response(202)
        sub = event.agents[-1].sub if event.agents else self._sub(event)
        return httpx.Response(200, json={"meeting_agent": {"sub": sub, "state": "created", "resources": []}})

    # ---------------------------------------------------------------------------------------------------------- people

    def drag(self, event: CalendarEvent, by: float, end_by: float) -> None:
        """Let a person move the meeting in the calendar."""
        if event.exists:
            event.start, event.end = event.start + by, max(event.end + end_by, event.start + by + MINUTE)
            self._follow(event, "person")

    def erase(self, event: CalendarEvent) -> None:
        """Let a person delete the meeting in the calendar."""
        self._delete(event, "person")

    def _delete(self, event: CalendarEvent, by: str) -> bool:
        """Delete a calendar event; return False if there is none."""
        if not event.exists:
            return False
        event.exists = event.is_wanted = False
        self._follow(event, by)
        return True

    # --------------------------------------------------------------------------------------------------------- agents

    def _follow(self, event: CalendarEvent, by: str) -> None:
        """Let the agents follow their calendar event."""
        now = self.scheduler.now
        event.states.append(State(now, event.start, event.end, event.is_planned, by))
        for agent in event.agents:
            if agent.is_gone or agent.complete_at or agent.failed_at or agent.is_second:
                continue
            is_same = event.is_planned and agent.number == event.generation
            has_begun = agent.activated_at is not None or agent.joined_at is not None
            stays = is_same and (agent.start == event.start or (has_begun and event.start <= now < event.end))
            if stays or (event.script.ignores_cancellation and not event.is_planned):
                agent.last_start = event.start if stays else agent.last_start
                continue
            agent.gone_at = now
            agent.left_at = now if agent.joined_at else None
            if agent.activated_at and event.script.after_move:
                self._end(event, agent, event.script.after_move, now + MINUTE)
        if event.is_planned:
            self._send_agent(event)
            self._plan_triggers(event)

    def _send_agent(self, event: CalendarEvent) -> None:
        start, end, generation = event.start, event.end, event.generation
        if event.script.caller != "now":
            own = [agent for agent in event.agents if not agent.is_second]
            if any(not agent.is_gone and not _is_over(agent) for agent in own) or end <= self.scheduler.now:
                return
            same = [a for a in own if (a.last_start, a.number) == (start, generation) and not a.is_moot]
            if same and not (event.script.sends_another and same[-1].failed_at):
                return  # it was there, and nothing but another time or a new request brings another
        names = event.script.agents
        earlier = sum(not agent.is_moot for agent in event.agents)
        destiny = DESTINIES[names[min(earlier, len(names) - 1)]]
        agent = Agent(self._sub(event), destiny, start, generation, self.scheduler.now, last_start=start)
        event.agents.append(agent)
        begin = max(start, self.scheduler.now + 20.0)
        if destiny.activates is not None:
            self._plan(event, agent, begin + destiny.activates * MINUTE, self._activate)
        if destiny.fails is not None:
            self._plan(event, agent, begin + destiny.fails * MINUTE, self._fail)
        if destiny.joins is not None:
            self._plan(event, agent, begin + destiny.joins * MINUTE, self._join)

    def _send_second(self, event: CalendarEvent, body: dict[str, Any]) -> httpx.Response:
        """Send an agent to the meeting of a calendar event, without it: nothing calls it off."""
        names = event.script.agents
        earlier = sum(not agent.is_moot for agent in event.agents)
        destiny, now = DESTINIES[names[min(earlier, len(names) - 1)]], self.scheduler.now
        agent = Agent(self._sub(event), destiny, event.start, event.generation, now)
        agent.subscriptions, agent.ends_at = body["subscriptions"], event.end + event.overrun
        event.agents.append(agent)
        steps = ((destiny.activates, self._activate), (destiny.fails, self._fail), (destiny.joins, self._join))
        for minutes, step in steps:
            if minutes is not None:
                self._plan(event, agent, now + max(0.3, minutes) * MINUTE, step)
        return httpx.Response(200, json={"meeting_agent": {"sub": agent.sub, "state": "created", "resources": []}})

    def _sub(self, event: CalendarEvent) -> str:
        return f"agt_{event.script.number}_{0 if event.script.reuses_sub else len(event.agents)}"

    def _plan(
        self, event: CalendarEvent, agent: Agent, at: float, step: Callable[[CalendarEvent, Agent], None]
    ) -> None:
        def take() -> None:
            if not agent.is_gone and not _is_over(agent):
                step(event, agent)

        self.scheduler.at(at, take)

    def _activate(self, event: CalendarEvent, agent: Agent) -> None:
        if not (event.exists or event.script.ignores_cancellation or agent.is_second):
            return
        agent.activated_at = self.scheduler.now
        self._report(event, agent, "meeting_agent_activated")

    def _fail(self, event: CalendarEvent, agent: Agent) -> None:
        if agent.joined_at:
            agent.left_at = self.scheduler.now
        self._end(event, agent, "failed", self.scheduler.now)

    def _join(self, event: CalendarEvent, agent: Agent) -> None:
        if event.conference == "never" or event.waits_for_profile:
            self._end(event, agent, "failed", self.scheduler.now + 5 * MINUTE)
            return
        agent.joined_at = self.scheduler.now
        self.log(event, f"the agent {agent.sub} is in the meeting")
        self._plan_leaving(event, agent)

    def _plan_leaving(self, event: CalendarEvent, agent: Agent) -> None:
        """Let the agent leave with the people, or early."""
        early = agent.destiny.leaves
        end = event.end + event.overrun if agent.ends_at is None else agent.ends_at
        at = end + 90.0 if early is None else max(agent.start, agent.since) + early * MINUTE

        def leave(event: CalendarEvent, agent: Agent) -> None:
            if early is None and agent.ends_at is None and self.scheduler.now < event.end + event.overrun:
                self._plan_leaving(event, agent)
                return
            agent.left_at = self.scheduler.now
            if agent.destiny.is_silent_at_end:
                agent.gone_at = self.scheduler.now
            else:
                self._end(event, agent, "complete", self.scheduler.now + 30.0)

        self._plan(event, agent, at, leave)

    def _end(self, event: CalendarEvent, agent: Agent, how: str, at: float) -> None:
        """Let the agent report its end."""
        resources = agent.destiny.resources if agent.joined_at else None

        def report() -> None:
            if _is_over(agent):
                return
            now = self.scheduler.now
            if how == "failed":
                agent.failed_at = now
                self._report(event, agent, "meeting_agent_failed")
                return
            agent.complete_at = now
            if resources == 0.0:
                agent.captured_at = now
            self._report(event, agent, "meeting_agent_complete")
            if resources:
                self.scheduler.after(resources * MINUTE, capture)
            if agent.destiny.reports_both:
                agent.failed_at = now + MINUTE
                self.scheduler.after(MINUTE, lambda: self._report(event, agent, "meeting_agent_failed"))

        def capture() -> None:
            agent.captured_at = self.scheduler.now
            self._report(event, agent, "meeting_agent_complete")

        self.scheduler.at(at, report)

    # ------------------------------------------------------------------------------------------------------- callbacks

    def _assign_conference(self, event: CalendarEvent, body: dict[str, Any]) -> None:
        if event.conference or "conferencing" not in body:
            return
        event.conference = event.script.conference
        times = {"assigned": 20.0, "late": event.start - self.scheduler.now - 10 * MINUTE, "failing": 300.0}
        if event.conference in ("failing", "never"):
            self.scheduler.after(30.0, lambda: self._report(event, None, "conferencing_failing"))

        def assign() -> None:
            if self.is_down(f"profile {event.script.account}"):
                if not event.waits_for_profile:
                    event.waits_for_profile = True
                    self._report(event, None, "conferencing_failing")
                self.scheduler.after(10 * MINUTE, assign)
                return
            event.waits_for_profile = False
            event.conference_at = self.scheduler.now
            self._report(event, None, "conferencing_assigned")

        if event.conference in times:
            self.scheduler.after(max(20.0, times[event.conference]), assign)

    def _plan_triggers(self, event: CalendarEvent) -> None:
        for subscription in event.subscriptions:
            for transition in subscription.get("transitions", ()):
                minutes = transition["offset"]["minutes"] * MINUTE
                state = event.states[-1]
                at = event.start - minutes if "before" in transition else event.end + minutes

                def call(subscription: dict[str, Any] = subscription, state: State = state) -> None:
                    if event.exists and event.states[-1] is state:
                        body = {"notification": {"type": "event_subscription"}, "event": self._event_json(event)}
                        self._call(event, None, subscription["uri"], body, "trigger")

                if at >= self.scheduler.now:
                    self.scheduler.at(at, call)

    def _report(self, event: CalendarEvent, agent: Agent | None, interaction: str) -> None:
        """Call every address that subscribes to an interaction."""
        body: dict[str, Any] = {
            "notification": {"type": "event_subscription", "interactions": [{"type": interaction}]},
        }
        if event.key[0] and not (agent and agent.is_second):
            body["event"] = self._event_json(event)
        if agent:
            is_there = agent.captured_at is not None
            resources = [{"category": "cronofy", "type": "dashboard", "url": "https://app.cronofy.com/agents/1"}]
            if is_there:
                resources.append({"category": "transcript", "type": "cronofy", "url": f"https://api/{agent.sub}"})
            state = "complete" if agent.complete_at else "created"
            body["meeting_agent"] = {"sub": agent.sub, "state": state, "resources": resources}
        own = agent.subscriptions if agent else None
        for subscription in event.subscriptions if own is None else own:
            if any(each["type"] == interaction for each in subscription.get("interactions", ())):
                name = f"{interaction}, with resources" if agent and agent.captured_at else interaction
                self._call(event, agent, subscription["uri"], body, name)

    def _event_json(self, event: CalendarEvent) -> dict[str, Any]:
        values = {"start": _iso(event.start), "end": _iso(event.end), "summary": event.body.get("summary", "")}
        return values | {
            "calendar_id": event.key[0],
            "event_id": event.key[1],
            "event_uid": f"evt_{event.key[1]}",
            "tzid": "Etc/UTC",
            "deleted": not event.exists,
        }

    def _call(self, event: CalendarEvent, agent: Agent | None, uri: str, body: dict[str, Any], name: str) -> None:
        documented = {"event_id", "summary", "start", "end", "tzid"}
        shown = {name: value for name, value in body.get("event", {}).items() if name in documented}
        if shown and event.conference_at is not None:
            shown["conferencing"] = {"provider_name": "zoom", "join_url": join_url_of(event.script)}
        raw = json.dumps(body | ({"event": shown} if shown else {})).encode()
        event.callbacks += 1
        written_at = self.scheduler.now
        is_new = event.sent.setdefault((uri, raw), agent) is agent
        fate = dict(event.script.callbacks).get(event.callbacks, "")
        if fate:
            self.happened[f"callback: {fate}"] += 1
        self.log(event, f"Cronofy calls back: {name}{f', {fate}' if fate else ''}")
        if fate == "lost":
            event.lost.append(written_at)
            return
        delay = {"late": 4 * MINUTE, "very late": 40 * MINUTE}.get(fate, 0.5 + event.callbacks % 4)
        parts = urlsplit(uri)
        query = dict(parse_qsl(parts.query))

        def attempt(number: int = 0) -> None:
            is_lost = self.is_down("callbacks")
            status = 0 if is_lost or self.is_down("cronofy") else self.deliver(parts.path, query, raw)
            if status == 200:
                event.deliveries.append((self.scheduler.now, name))
                event.written.append((self.scheduler.now, written_at))
                if agent and is_new:
                    agent.known.append((self.scheduler.now, name))
            elif not is_lost and number < len(_PAUSES):
                self.log(event, f"{name} is answered {status}" if status else f"{name} waits: Cronofy does not work")
                self.happened["callback: delivered again"] += 1
                self.scheduler.after(_PAUSES[number], lambda: attempt(number + 1))
            else:
                self.log(event, f"{name} is never delivered")
                self.happened["callback: never delivered"] += 1
                event.lost += [written_at] if is_lost else []

        self.scheduler.after(delay, attempt)
        if fate == "doubled":
            self.scheduler.after(delay + 7.0, attempt)


def join_url_of(script: Script) -> str:
    """Return the link by which people join the meeting."""
    return f"https://zoom.us/j/{script.number}"


def _is_over(agent: Agent) -> bool:
    return agent.complete_at is not None or agent.failed_at is not None


def _seconds(value: Any) -> float | None:
    """Return a time of a body: a text, or a local one with its time zone."""
    if isinstance(value, dict):
        return datetime.fromisoformat(value["time"]).replace(tzinfo=ZoneInfo(value["tzid"])).timestamp()
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else None


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
