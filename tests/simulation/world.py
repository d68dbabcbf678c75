"""A simulated month: its scripts are executed on one clock, by callers and people, with Cronofy and the product."""

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any
from zoneinfo import ZoneInfo

from meeting_agents import wiring
from meeting_agents.aws.keys import ENTRY_PREFIX, ZIPPED
from meeting_agents.domain.identity import agent_id
from tests.simulation.calendar_events import CalendarEvent
from tests.simulation.cronofy import Cronofy, join_url_of
from tests.simulation.deployed import deployed
from tests.simulation.expressions import Item
from tests.simulation.scheduler import Scheduler
from tests.simulation.scripts import DAY, HOUR, MINUTE, Act, MonthScript, Script, format_time
from tests.simulation.stack import Published, Stack, Window

_RETRY_PAUSES = (5.0, 30.0, 120.0, 600.0)
"""Seconds after which a caller sends a request again."""
_TEMPORARY = {429, 500, 502, 503, 504}
_ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Wish:
    """A request of a caller's, and the answer. A later one counts more."""

    at: float
    is_wanted: bool
    start: float
    end: float
    answered_at: float
    status: int


@dataclass
class Plan:
    """The meeting as its caller has it in mind."""

    start: float
    end: float
    title: str = "Weekly sync"
    is_wanted: bool = True
    is_deleted: bool = False
    version: int = 0


@dataclass
class Meeting:
    """A meeting: its caller's plan and wishes, and the calendar event that Cronofy has."""

    script: Script
    agent_id: str
    event: CalendarEvent
    plan: Plan
    wishes: list[Wish] = field(default_factory=list)
    retries: list[float] = field(default_factory=list)
    """The times at which a person let Cronofy be asked again."""
    story: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Included:
    """An alert about an agent that one about its group includes."""

    at: float
    status: str
    type: str
    group: str
    attempt: str


@dataclass
class Month:
    """The events of a month, and the alerts that were sent."""

    script: MonthScript
    meetings: list[Meeting]
    alerts: list[Published]
    happened: Counter[str]
    windows: tuple[Window, ...]
    verdicts: Mapping[str, Mapping[str, str]]
    entries: list[Item]
    """The entries of all journals."""
    disturbed: Mapping[str, list[float]]
    dead_letters: int
    until: float

    @cached_property
    def notifications(self) -> dict[str, set[str]]:
        """The keys of the notifications in the journals, by agent."""
        found: dict[str, set[str]] = {}
        for item in self.entries:
            if ZIPPED in item:
                found.setdefault(item["pk"]["S"], set()).add(item["sk"]["S"].removeprefix(ENTRY_PREFIX))
        return found

    @cached_property
    def included(self) -> dict[str, list[Included]]:
        """The alerts that were not sent because one about a group says the same, by agent."""
        found: dict[str, list[Included]] = {}
        for item in self.entries:
            reason = item.get("reason", {}).get("M", {})
            if reason.get("code", {}).get("S") == "alert_included" and "cause" in item:
                at = datetime.fromisoformat(item["at"]["S"]).timestamp()
                group = reason["values"]["M"]["group"]["S"]
                alert = Included(at, item["status"]["S"], item["cause"]["S"], group, item["attempt"]["N"])
                found.setdefault(item["pk"]["S"], []).append(alert)
        return {agent: sorted(alerts, key=lambda alert: alert.at) for agent, alerts in found.items()}


def live(script: MonthScript, *, has_story: bool = False) -> Month:
    """Let a month take place."""
    begins = min(meeting.start + min(meeting.requested, 0.0) * MINUTE for meeting in script.meetings) - HOUR
    until = max(map(_ends, script.meetings)) + DAY
    windows = tuple(Window(*window) for window in script.windows)
    scheduler = Scheduler(begins - begins % DAY)
    stack = Stack(scheduler, until, windows)
    world = _World(script, scheduler, stack, has_story)
    with deployed(stack, random.Random(script.seed), dict(script.parameters)):
        world.begin()
        scheduler.run()
        items = stack.session.dynamodb.tables["AgentsTable"].all()
    return Month(
        script,
        world.meetings,
        stack.alerts,
        stack.happened,
        windows,
        stack.verdicts,
        [item for item in items if item.get("sk", {}).get("S", "").startswith(ENTRY_PREFIX)],
        stack.disturbed,
        stack.dead_letters + sum(map(len, stack.session.sqs.queues.values())),
        until,
    )


def _ends(meeting: Script) -> float:
    """Return the end of a meeting at the latest of its times."""
    moved = sum(max(act.minutes, 0.0) for act in meeting.acts)
    return meeting.start + (max(meeting.requested, meeting.minutes) + moved) * MINUTE


class _World:
    def __init__(self, script: MonthScript, scheduler: Scheduler, stack: Stack, has_story: bool) -> None:
        self._script = script
        self._scheduler = scheduler
        self._stack = stack
        self._has_story = has_story
        self._by_agent: dict[str, Meeting] = {}
        self._by_key: dict[tuple[str, str], Meeting] = {}
        self.meetings: list[Meeting] = []
        self._cronofy = Cronofy(
            scheduler,
            stack.call_back,
            stack.is_down,
            stack.happened,
            self._log_of_event,
        )
        stack.send = self._cronofy.send
        stack.log = self._log_of_agent
        self._tokens: dict[str, str] = {}

    def begin(self) -> None:
        self._stack.happened[f"parameter: event triggers {os.environ['EVENT_TRIGGERS']}"] += 1
        for account in sorted({script.account for script in self._script.meetings}):
            wiring.accounts().register(account, "us", account)
        for window in self._stack.windows:
            part, _, account = window.part.partition(" ")
            if part == "grant":
                self._scheduler.at(window.until, partial(self._consent, account))
        for script in self._script.meetings:
            self._begin(script)

    def _begin(self, script: Script) -> None:
        calendar, name = self._key(script)
        agent = agent_id("us", *((calendar, name) if script.caller != "key" else (name,)))
        event = self._cronofy.expect(self._event_key(script), script)
        plan = Plan(script.start, script.start + script.minutes * MINUTE)
        meeting = Meeting(script, agent, event, plan)
        self.meetings.append(meeting)
        self._by_agent[agent] = self._by_key[event.key] = meeting
        if script.faults:
            self._stack.faults[agent] = dict(script.faults)
        if script.stream:
            self._stack.deliveries[agent] = dict(script.stream)
        for name in script.behaviours:
            self._stack.happened[name] += 1
        first = script.start + script.requested * MINUTE
        self._scheduler.at(first, lambda: self._send(meeting))
        for number, act in enumerate(script.acts, 1):
            self._scheduler.at(max(first + number, script.start + act.at * MINUTE), self._act(meeting, act))

    def _key(self, script: Script) -> tuple[str, str]:
        if script.caller == "now":
            return "", f"now_{script.number}"
        return f"cal_{script.account}", f"event_{script.number}"

    def _event_key(self, script: Script) -> tuple[str, str]:
        calendar, name = self._key(script)
        if script.caller == "key":
            return "", name
        return (calendar, name) if calendar else ("", join_url_of(script))

    # ---------------------------------------------------------------------------------------------- callers and people

    def _act(self, meeting: Meeting, act: Act) -> Callable[[], None]:
        def take() -> None:
            self._stack.happened[f"act: {act.what}"] += 1
            self._log(meeting, f"{act.what}{f' by {act.minutes:.0f} minutes' if act.minutes else ''}")
            self._take(meeting, act)

        return take

    def _take(self, meeting: Meeting, act: Act) -> None:
        by = act.minutes * MINUTE
        if change := self._changes(meeting.plan, by).get(act.what):
            change()
            self._send(meeting)
        elif happening := self._happenings(meeting, by).get(act.what):
            happening()
        else:
            raise ValueError(act.what)

    def _changes(self, plan: Plan, by: float) -> dict[str, Callable[[], None]]:
        """Return how each act changes the plan that the caller then sends."""

        def retitle() -> None:
            plan.version += 1
            plan.title = f"Weekly sync {plan.version}"

        def extend() -> None:
            plan.end = max(plan.end + by, plan.start + 5 * MINUTE)

        def switch(is_wanted: bool, is_deleted: bool) -> Callable[[], None]:
            def switched() -> None:
                plan.is_wanted, plan.is_deleted = is_wanted, is_deleted

            return switched

        return {
            "puts": lambda: None,
            "retitles": retitle,
            "moves": lambda: self._shift(plan, by),
            "extends": extend,
            "switches off": switch(is_wanted=False, is_deleted=False),
            "switches on": switch(is_wanted=True, is_deleted=False),
            "deletes": switch(is_wanted=False, is_deleted=True),
        }

    def _happenings(self, meeting: Meeting, by: float) -> dict[str, Callable[[], None]]:
        """Return what each other act does."""
        plan, event = meeting.plan, meeting.event

        def switch(is_wanted: bool) -> Callable[[], None]:
            return lambda: setattr(plan, "is_wanted", is_wanted)

        return {
            "moves twice at once": lambda: self._both(
                meeting, lambda: self._shift(plan, 30 * MINUTE), lambda: self._shift(plan, by)
            ),
            "off and on at once": lambda: self._both(meeting, switch(is_wanted=False), switch(is_wanted=True)),
            "sends a typo": lambda: self._send(meeting, {"typo": True}),
            "acknowledges": lambda: self._acknowledge(meeting),
            "asks again": lambda: self._ask_again(meeting),
            "drags": lambda: self._cronofy.drag(event, by, by),
            "stretches": lambda: self._cronofy.drag(event, 0.0, by),
            "erases": lambda: self._cronofy.erase(event),
            "overruns": lambda: setattr(event, "overrun", by),
        }

    def _acknowledge(self, meeting: Meeting) -> None:
        self._stack.call_api("POST", f"/v1/meeting_agents/{meeting.agent_id}/acknowledgement", {"note": "seen"}, {})

    def _ask_again(self, meeting: Meeting) -> None:
        """Let a person ask Cronofy again, for what was wished last: not who has changed the meeting by hand."""
        now, last = self._scheduler.now, meeting.wishes[-1]
        if any(state.by == "person" for state in meeting.event.states):
            return
        status, _ = self._stack.call_api("POST", f"/v1/meeting_agents/{meeting.agent_id}/retry", None, {})
        self._log(meeting, f"asking again is answered {status}")
        meeting.retries.append(now)
        self._stack.happened[f"asked again: {'refused' if status == 409 else status}"] += 1
        if 200 <= status < 300 and last is meeting.wishes[-1] and last.status < 500:
            meeting.wishes.append(replace(last, at=now, answered_at=self._scheduler.now, status=status))

    def _consent(self, account: str) -> None:
        """Let the user of an account authorise the application; the caller registers the new refresh token."""
        body = {"data_center": "us", "refresh_token": account}
        status, _ = self._stack.call_api("PUT", f"/v1/accounts/{account}", body, {})
        if status != 200:
            self._scheduler.after(MINUTE, lambda: self._consent(account))
        self._stack.look_at_groups()

    def _shift(self, plan: Plan, by: float) -> None:
        plan.start, plan.end = plan.start + by, plan.end + by

    def _both(self, meeting: Meeting, first: Callable[[], None], second: Callable[[], None]) -> None:
        """Let two callers send at the same time, the second a moment later."""

        def send(change: Callable[[], None]) -> Callable[[], None]:
            def sent() -> None:
                change()
                self._send(meeting)

            return sent

        self._scheduler.after(0.0, send(first))
        self._scheduler.after(0.1, send(second))

    def _send(self, meeting: Meeting, extra: Mapping[str, Any] | None = None, number: int = 0) -> None:
        """Send the plan as it is now; after an error send it again, as long as nothing newer was sent."""
        plan, script, now = meeting.plan, meeting.script, self._scheduler.now
        method, path, body = self._request(meeting)
        sent = (plan.start, plan.end, plan.title, plan.is_wanted, plan.is_deleted)
        number_of_wish = len(meeting.wishes)
        if not extra:
            meeting.wishes.append(Wish(now, plan.is_wanted, plan.start, plan.end, now, 0))
        status, answer = self._stack.call_api(method, path, {**body, **(extra or {})}, self._headers(script, number))
        if not extra:
            meeting.wishes[number_of_wish] = Wish(now, sent[3], sent[0], sent[1], self._scheduler.now, status)
        detail = answer.get("agent", {}).get("state", "") if isinstance(answer, dict) and answer.get("agent") else ""
        self._log(meeting, f"{method} at {format_time(now)} is answered {status} {detail}")
        is_newest = sent == (plan.start, plan.end, plan.title, plan.is_wanted, plan.is_deleted)
        if status == 401 and script.caller == "own token" and number == 0:
            self._stack.happened["caller: refreshes its token after 401"] += 1
            self._tokens[script.account] = self._cronofy.issue(script.account)
            self._scheduler.after(1.0, lambda: self._send(meeting, extra, 1))
        elif status in _TEMPORARY and number < script.tries - 1 and is_newest:
            self._stack.happened["caller: sends again after an error"] += 1
            pause = _RETRY_PAUSES[min(number, len(_RETRY_PAUSES) - 1)]
            self._scheduler.after(pause, lambda: self._send(meeting, extra, number + 1))

    def _request(self, meeting: Meeting) -> tuple[str, str, dict[str, Any]]:
        plan, script = meeting.plan, meeting.script
        calendar, name = self._key(script)
        if script.caller in ("key", "now"):
            if not plan.is_wanted:
                return "DELETE", "/v1/meeting_agents", {"scheduling_key": name}
            body: dict[str, Any] = {
                "join_url": join_url_of(script),
                "on_behalf_of_attendee": {"email": "marty@example.com"},
            }
            later = {"scheduling_key": name, "join_time": _iso(plan.start)} if script.caller == "key" else {}
            return "POST", "/v1/meeting_agents", body | later
        path = f"/v1/calendars/{calendar}/events"
        if plan.is_deleted:
            return "DELETE", path, {"event_id": name}
        body = {
            "event_id": name,
            "summary": plan.title,
            "start": _time(plan.start, script.clock),
            "end": _time(plan.end, script.clock),
            "tzid": _ZONE,
            "meeting_agent": {"profile_id": "cronofy" if plan.is_wanted else "none"},
        }
        conference = {"conferencing": {"profile_id": "default"}} if script.conference != "none" else {}
        return "POST", path, body | conference

    def _headers(self, script: Script, number: int) -> dict[str, str]:
        match script.caller:
            case "account":
                return {"cronofy-account": script.account}
            case "own token":
                token = self._tokens.get(script.account)
                if token is None:
                    token = self._tokens[script.account] = self._cronofy.issue(script.account)
                return {"cronofy-authorization": f"Bearer {token}"}
            case "now":
                return {"idempotency-key": f"now_{script.number}"}
            case _:
                return {}

    # ----------------------------------------------------------------------------------------------------------- story

    def _log(self, meeting: Meeting, text: str) -> None:
        if self._has_story:
            meeting.story.append((self._scheduler.now, text))

    def _log_of_event(self, event: CalendarEvent | None, text: str) -> None:
        if event is not None and self._has_story:
            self._log(self._by_key[event.key], text)

    def _log_of_agent(self, agent: str, text: str) -> None:
        if self._has_story:
            for meeting in [self._by_agent[agent]] if agent in self._by_agent else self.meetings:
                self._log(meeting, text)


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _time(at: float, clock: str) -> str | dict[str, str]:
    """Return a time as a caller sends it; no local time that exists twice."""
    local = datetime.fromtimestamp(at, ZoneInfo(_ZONE))
    is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    if clock == "utc" or is_twice:
        return _iso(at)
    return {"time": f"{local:%Y-%m-%dT%H:%M:%S}", "tzid": _ZONE}
