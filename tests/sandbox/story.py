"""The story of four agents: its steps, the timelines and messages they lead to, and the comparison with EXPECTED."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

import httpx

from tests.sandbox.screen import Screen
from tests.sandbox.stage import CALENDAR, GRACE, HOME, Stage, wait_until
from tests.sandbox.stand_in import DeliveryOptions, Notification, sign

WEEKLY, REVIEW, CALL, LUNCH = "Weekly sync", "Design review", "Customer call", "Team lunch"

REASON = "The meeting is locked"
CALL_BEFORE = timedelta(minutes=15)
"""The default of `ConferenceLeadTime`."""

EXPECTED: Mapping[str, str] = {
    "three requests": "202, 202, 202",
    "a moved meeting": "known at its new time",
    "a forged notification": "401",
    "a notification delivered twice": "200, 200",
    "two in the wrong order": "200, 200",
    "a de-provisioning": "202",
    "one more request": "202",
    WEEKLY: "requested, accepted, before_start, conferencing_assigned, activated, complete",
    f"{WEEKLY}, at the end": "complete; audio, dashboard, transcript, video",
    REVIEW: "requested, accepted, failed, alerted",
    f"{REVIEW}, at the end": f"failed; meeting_agent.reason: {REASON}",
    CALL: "requested, accepted, overdue, alerted, complete, alerted, activated (stale)",
    f"{CALL}, at the end": "complete; audio, dashboard, transcript, video",
    LUNCH: "requested, accepted, requested, cancelled",
    f"{LUNCH}, at the end": "cancelled",
    "announcements": "one of each entry",
    "alerts": f"{REVIEW}: failed firing; {CALL}: never_activated firing; {CALL}: never_activated resolved",
    "e-mails": "3",
}
"""The result of each part of the story, in the words in which `seen` has it."""


@dataclass
class Story:
    """The story while it runs: its agents, and what was seen so far."""

    stage: Stage
    screen: Screen
    agents: dict[str, str] = field(default_factory=dict)
    """Our id of each agent, by the summary of its meeting."""
    seen: dict[str, str] = field(default_factory=dict)
    _alerts: Counter[str] = field(default_factory=Counter)
    """The alerts about each agent so far."""

    def run(self) -> None:
        """Run all parts. A result that does not come in time is missing in `seen`."""
        self.start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        self._request_three()
        self._move()
        self._forge_and_repeat()
        self._finish()
        self._fail()
        self._cancel()
        self._stay_silent()
        self._look_back()

    # What happens

    def _request_three(self) -> None:
        self.screen.scene(
            "Three meetings request an agent",
            "POST /v1/calendars/{calendar_id}/events, with the same body as Cronofy's own API.",
        )
        statuses = [self._request(summary, self.start) for summary in (WEEKLY, REVIEW, LUNCH)]
        self.seen["three requests"] = ", ".join(statuses)

    def _move(self) -> None:
        self.screen.scene(
            "A person moves one meeting in the calendar",
            "Cronofy calls 15 minutes before the start, whenever that is by then.",
        )
        start = datetime.now(UTC).replace(microsecond=0) + CALL_BEFORE
        times = {name: f"{at:%FT%TZ}" for name, at in {"start": start, "end": start + timedelta(minutes=1)}.items()}
        self.stage.cronofy.drag((HOME, CALENDAR, _event_id(WEEKLY)), **times)
        self.screen.step("person", f'moves "{WEEKLY}"')
        called = self._announced(WEEKLY, "before_start", "Cronofy", "calls before the start")
        is_known = called is not None and called["data"]["meeting"]["start"] == times["start"]
        self.seen["a moved meeting"] = "known at its new time" if is_known else "not known"
        self.screen.step("Cronofy", "calls before the start", self.seen["a moved meeting"])

    def _forge_and_repeat(self) -> None:
        self.screen.scene(
            "One notification is forged, and one is delivered twice",
            "The webhook accepts only Cronofy's signature, and stores a repeated notification once.",
        )
        self._callback(WEEKLY, "assign_conferencing", "reports that a conference exists")
        notification = self._callback(WEEKLY, "activate", deliver=False)
        if notification and notification.uris:
            response = httpx.post(
                notification.uris[0],
                content=notification.body,
                headers=notification.headers | {"Cronofy-HMAC-SHA256": sign(notification.body, ["CRN_guessed"])},
                trust_env=False,
                timeout=20,
            )
            self.seen["a forged notification"] = str(response.status_code)
            self.screen.step("stranger", "forges a report: it is active", f"{response.status_code}  nothing is stored")
            self.screen.awaiting("Cronofy", "reports the agent active, twice")
            notification = self.stage.cronofy.deliver(notification, times=2)
            statuses = _statuses(notification)
            self.seen["a notification delivered twice"] = statuses
            self._announced(WEEKLY, "activated")
            self.screen.step("Cronofy", "reports the agent active, twice", f"{statuses}  stored once")

    def _finish(self) -> None:
        self.screen.scene("One agent completes")
        self._callback(WEEKLY, "complete", "reports the agent complete")
        self._resources_published(WEEKLY, "complete")

    def _fail(self) -> None:
        self.screen.scene(
            "One agent fails", "Cronofy documents no reason; if a notification has one, the alert shows it."
        )
        self._callback(REVIEW, "fail", "reports the agent failed", extra={"meeting_agent": {"reason": REASON}})
        self._alerted(REVIEW, "failed")

    def _cancel(self) -> None:
        self.screen.scene("One agent is cancelled")
        self.seen["a de-provisioning"] = self._request(
            LUNCH, self.start, "de-provisions", meeting_agent={"profile_id": "none"}
        )

    def _stay_silent(self) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        due = start + timedelta(seconds=GRACE)
        self.screen.scene(
            "One agent stays silent",
            f"The meeting begins at {start:%H:%M:%S} UTC. With a grace period of {GRACE} s, the agent is overdue"
            f" from {due:%H:%M:%S}. Here a sweep runs every second, on AWS every minute.",
        )
        self.seen["one more request"] = self._request(CALL, start)
        overdue = self._announced(CALL, "overdue", "sweep", "looks for agents past their deadline")
        self.screen.step("sweep", f'finds "{CALL}" overdue', transition(overdue) or "never")
        self._alerted(CALL, "never_activated")
        earlier = self._callback(CALL, "activate", deliver=False)
        later = self._callback(CALL, "complete", "reports it complete, too late")
        self._alerted(CALL, "never_activated", "resolved")
        if earlier and later:
            earlier = self.stage.cronofy.deliver(earlier)
            self.seen["two in the wrong order"] = f"{_statuses(later)}, {_statuses(earlier)}"
            late = self._announced(CALL, "activated", "Cronofy", "reports it active, after the end")
            outcome = f"{_statuses(earlier)}  {transition(late)}"
            self.screen.step("Cronofy", "reports it active, after the end", outcome)

    # What outsiders can read

    def _look_back(self) -> None:
        """Read everything that outsiders can read, and show it."""
        timelines = {summary: self._settled(agent_id) for summary, agent_id in self.agents.items()}
        for summary, agent in timelines.items():
            self._show_timeline(summary, agent)
        announcements = self.stage.lifecycle.messages()
        self._show_announcements(announcements)
        self._show_emails()
        entries = Counter(
            f"{self.agents[summary]}.{entry['key']}"
            for summary, agent in timelines.items()
            for entry in agent["timeline"]
        )
        announced = Counter(announcement["id"] for announcement in announcements)
        missing, surplus = (entries - announced).total(), (announced - entries).total()
        self.seen["announcements"] = (
            f"{missing} missing, {surplus} too many" if missing or surplus else "one of each entry"
        )

    def _settled(self, agent_id: str) -> dict[str, Any]:
        """An agent when each of its entries has been announced."""
        agent = self.stage.read(agent_id) if agent_id else {}
        keys = {f"{agent_id}.{entry['key']}" for entry in agent.get("timeline", ())}
        self.screen.awaiting("topic", "announces every entry")
        wait_until(lambda: keys <= {announcement["id"] for announcement in self.stage.lifecycle.messages()})
        return {"state": "unknown", "timeline": [], "attempts": []} | agent

    def _show_timeline(self, summary: str, agent: Mapping[str, Any]) -> None:
        attempt = agent["attempts"][-1] if agent["attempts"] else {"resources": [], "failures": []}
        found = _names(attempt["resources"]) if agent["state"] == "complete" else ""
        self.seen[summary] = ", ".join(
            entry["kind"] if entry["verdict"] == "applied" else f"{entry['kind']} ({entry['verdict']})"
            for entry in agent["timeline"]
        )
        self.seen[f"{summary}, at the end"] = "; ".join(filter(None, [agent["state"], found, *attempt["failures"]]))
        self.screen.scene(f'"{summary}"', self.agents.get(summary, ""))
        self.screen.table(
            [
                (
                    entry["at"][11:23],
                    entry["kind"],
                    entry["verdict"],
                    entry["state"],
                    (entry["ignored_because"] or entry["reason"] or {"text": ""})["text"],
                )
                for entry in agent["timeline"]
            ]
        )
        if found:
            self.screen.note(f"  resources: {found}")

    def _show_announcements(self, announcements: list[dict[str, Any]]) -> None:
        self.screen.scene(
            "The messages of the lifecycle topic",
            "One CloudEvent for each entry, under a stable id; on AWS in any order.",
        )
        self.screen.table(
            [
                (
                    announcement["time"][11:19],
                    announcement["data"]["meeting"]["summary"],
                    announcement["data"]["entry"]["kind"],
                    transition(announcement)
                    + "".join(f" ({alert['type']} {alert['status']})" for alert in announcement["data"]["alerts"]),
                )
                for announcement in announcements
            ]
        )

    def _show_emails(self) -> None:
        self.screen.scene("The e-mails to on-call")
        emails = self.stage.emails()
        for email in emails:
            self.screen.email(email["to"], email["subject"], email["text"])
        self.seen["alerts"] = "; ".join(
            f"{agent['meeting']['summary']}: {agent['type']} {alert['status']}"
            for alert in self.stage.alerts.messages()
            for agent in alert["agents"]
        )
        self.seen["e-mails"] = str(len(emails))

    # Steps

    def _request(self, summary: str, start: datetime, verb: str = "requests", **changes: Any) -> str:
        """Send a request about an agent, whose id is known from then on; return the status of the response."""
        text = f'{verb} "{summary}"'
        self.screen.awaiting("caller", text)
        response = self.stage.request(_event_id(summary), summary, start, start + timedelta(minutes=1), **changes)
        body = _json_object(response)
        agent = body.get("agent", {})
        state = agent.get("state") or body.get("detail") or body.get("message", "")
        self.screen.step("caller", text, f"{response.status_code}  {state}")
        self.agents[summary] = agent.get("id", "")
        return str(response.status_code)

    def _callback(
        self, summary: str, step: str, text: str = "", **options: Unpack[DeliveryOptions]
    ) -> Notification | None:
        """Let Cronofy report a step; with a text, print it and its result."""
        if text:
            self.screen.awaiting("Cronofy", text)
        try:
            notification = self.stage.cronofy.report(step, (HOME, CALENDAR, _event_id(summary)), **options)
        except LookupError as error:  # the request for this agent had not reached Cronofy
            self.screen.step("Cronofy", text or step, str(error))
            return None
        if text:
            announcement = self._announced(summary, _ENTRY_TYPES[step])
            self.screen.step("Cronofy", text, f"{_statuses(notification)}  {transition(announcement)}")
        return notification

    def _announced(
        self, summary: str, kind: str, actor: str = "", text: str = "", number: int = 1
    ) -> dict[str, Any] | None:
        """Wait until so many of the agent's entries of that type are announced; return the last of these."""
        agent_id = self.agents.get(summary)

        def find() -> dict[str, Any] | None:
            if text:
                self.screen.awaiting(actor, text)
            announcements = (message for message in self.stage.lifecycle.messages() if message["subject"] == agent_id)
            of_kind = [message for message in announcements if message["data"]["entry"]["kind"] == kind]
            return of_kind[number - 1] if len(of_kind) >= number else None

        return wait_until(find) if agent_id else None

    def _resources_published(self, summary: str, kind: str) -> None:
        announcement = self._announced(summary, kind)
        found = _names(announcement["data"]["resources"]) if announcement else ""
        self.screen.step("topic", f"publishes the resources: {found or 'none'}")

    def _alerted(self, summary: str, type_: str, status: str = "firing") -> None:
        """Wait until an alert of that incident is published."""
        agent_id = self.agents.get(summary)
        self.screen.awaiting("on-call", "receives an alert")

        def find() -> str | None:
            alerts = (
                alert
                for alert in self.stage.alerts.messages()
                if alert["status"] == status and type_ in alert.get("types", ())
            )
            return next((alert["subject"] for alert in alerts if alert["agents"][0]["agent_id"] == agent_id), None)

        self.screen.step("on-call", (wait_until(find) if agent_id else None) or "received no alert")
        self._alerts[summary] += 1
        self._announced(summary, "alerted", number=self._alerts[summary])  # the next step comes after this entry, too


def compare(expected: Mapping[str, str], seen: Mapping[str, str], screen: Screen) -> int:
    """Print what was expected and what was seen; the exit status, 1 if they differ."""
    screen.scene("Expected and seen")
    names = [*expected, *(seen.keys() - expected.keys())]
    differing = [name for name in names if expected.get(name) != seen.get(name)]
    screen.table(
        [("✗" if name in differing else "✓", name, _compared(expected.get(name), seen.get(name))) for name in names]
    )
    text = f"{len(names) - len(differing)} of {len(names)} as expected."
    screen.verdict(text, is_good=not differing)
    return 1 if differing else 0


_ENTRY_TYPES = {
    "assign_conferencing": "conferencing_assigned",
    "activate": "activated",
    "complete": "complete",
    "fail": "failed",
}
"""The entry that each step of the stand-in Cronofy becomes."""


def _names(resources: Iterable[Mapping[str, str]]) -> str:
    """The names of Cronofy's resources; the one of category `cronofy` is the dashboard."""
    return ", ".join(
        sorted(resource["type" if resource["category"] == "cronofy" else "category"] for resource in resources)
    )


def _compared(expected: str | None, seen: str | None) -> str:
    if expected == seen:
        return seen or ""
    return f"expected: {expected or 'nothing'} / seen: {seen or 'nothing'}"


def _event_id(summary: str) -> str:
    return summary.lower().replace(" ", "-")


def _statuses(notification: Notification) -> str:
    return (
        ", ".join(str(outcome) for delivery in notification.deliveries for outcome in delivery.outcomes)
        or "no subscriber"
    )


def transition(announcement: Mapping[str, Any] | None) -> str:
    """The change of state that an entry made, in short."""
    if announcement is None:
        return "not announced"
    data = announcement["data"]
    before, after, verdict = data["previous_state"], data["state"], data["entry"]["verdict"]
    states = after if before in (None, after) else f"{before} → {after}"
    return states if verdict == "applied" else f"{verdict}: stays {states}"


def _json_object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except json.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
