"""The story of four agents: what happens to each, what the system says of it, and whether that was to be expected."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

import httpx

from tests.sandbox.screen import Screen
from tests.sandbox.stage import CALENDAR, GRACE, HOME, Stage, wait_until
from tests.sandbox.stand_in import How, Notification, sign

WEEKLY, REVIEW, CALL, LUNCH = "Weekly sync", "Design review", "Customer call", "Team lunch"

REASON = "The meeting is locked"

EXPECTED: Mapping[str, str] = {
    "four requests": "202, 202, 202, 202",
    "a forged notification": "401",
    "a notification delivered twice": "200, 200",
    "two in the wrong order": "200, 200",
    "a de-provisioning": "202",
    WEEKLY: "requested, accepted, conferencing_assigned, activated, complete",
    f"{WEEKLY}, at last": "complete; audio, dashboard, transcript, video",
    REVIEW: "requested, accepted, failed, alerted",
    f"{REVIEW}, at last": f"failed; meeting_agent.reason: {REASON}",
    CALL: "requested, accepted, overdue, alerted, complete, alerted, activated (stale)",
    f"{CALL}, at last": "complete; audio, dashboard, transcript, video",
    LUNCH: "requested, accepted, requested, cancelled",
    f"{LUNCH}, at last": "cancelled",
    "announcements": "one of each entry",
    "alerts": f"{REVIEW}: failed firing; {CALL}: never_activated firing; {CALL}: never_activated resolved",
    "e-mails": "3",
}
"""What is to come of it, told in the same words as what does."""


@dataclass
class Story:
    """The story while it is told: what was seen so far."""

    stage: Stage
    screen: Screen
    agents: dict[str, str] = field(default_factory=dict)
    """Our id of each agent, by the summary of its meeting."""
    seen: dict[str, str] = field(default_factory=dict)

    def tell(self) -> None:
        """Let it all happen. What does not happen within its time is missing in what was seen."""
        self.start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        self._request_four()
        self._forge_and_repeat()
        self._finish()
        self._fail()
        self._call_off()
        self._fall_silent()
        self._look_back()

    # What happens

    def _request_four(self) -> None:
        self.screen.scene(
            "Four meetings are to have an agent",
            "POST /v1/calendars/{calendar_id}/events, with the body that Cronofy itself takes.",
        )
        answers = []
        for summary in (WEEKLY, REVIEW, CALL, LUNCH):
            answer = self._ask(summary, f'asks for "{summary}"')
            answers.append(str(answer.status_code))
            self.agents[summary] = _parsed(answer).get("agent", {}).get("id", "")
        self.seen["four requests"] = ", ".join(answers)

    def _forge_and_repeat(self) -> None:
        self.screen.scene(
            "A notification is forged, and one comes twice",
            "Only Cronofy's signature opens the webhook; what it has sent before is kept once.",
        )
        self._callback(WEEKLY, "assign_conferencing", "reports that a conference exists")
        notification = self._callback(WEEKLY, "activate", deliver=False)
        if notification and notification.uris:
            answer = httpx.post(
                notification.uris[0],
                content=notification.body,
                headers=notification.headers | {"Cronofy-HMAC-SHA256": sign(notification.body, ["CRN_guessed"])},
                trust_env=False,
                timeout=20,
            )
            self.seen["a forged notification"] = str(answer.status_code)
            self.screen.step("stranger", "forges a report: it is active", f"{answer.status_code}  nothing is kept")
            self.screen.awaiting("Cronofy", "reports the agent active, twice")
            notification = self.stage.cronofy.deliver(notification, times=2)
            statuses = _statuses(notification)
            self.seen["a notification delivered twice"] = statuses
            self._announced(WEEKLY, "activated")
            self.screen.step("Cronofy", "reports the agent active, twice", f"{statuses}  kept once")

    def _finish(self) -> None:
        self.screen.scene("One agent runs to its end")
        self._callback(WEEKLY, "complete", "reports the agent complete")
        self._heard(WEEKLY, "complete")

    def _fail(self) -> None:
        self.screen.scene("One agent fails", "Cronofy documents no reason; if a notification has one, people read it.")
        self._callback(REVIEW, "fail", "reports the agent failed", extra={"meeting_agent": {"reason": REASON}})
        self._told(REVIEW, "failed")

    def _call_off(self) -> None:
        self.screen.scene("One agent is not needed after all")
        answer = self._ask(LUNCH, f'de-provisions "{LUNCH}"', meeting_agent={"profile_id": "none"})
        self.seen["a de-provisioning"] = str(answer.status_code)

    def _fall_silent(self) -> None:
        due = self.start + timedelta(seconds=GRACE)
        self.screen.scene(
            "One agent is never heard of",
            f"The meeting began at {self.start:%H:%M:%S} UTC; with {GRACE} s of grace, the agent is overdue from"
            f" {due:%H:%M:%S}. Here a sweep runs every second, on AWS every minute.",
        )
        overdue = self._announced(CALL, "overdue", "sweep", "looks for agents past their deadline")
        self.screen.step("sweep", f'finds "{CALL}" silent', _moved(overdue) or "never")
        self._told(CALL, "never_activated")
        earlier = self._callback(CALL, "activate", deliver=False)
        later = self._callback(CALL, "complete", "turns up late: it is complete")
        self._told(CALL, "never_activated", "resolved")
        if earlier and later:
            earlier = self.stage.cronofy.deliver(earlier)
            self.seen["two in the wrong order"] = f"{_statuses(later)}, {_statuses(earlier)}"
            late = self._announced(CALL, "activated", "Cronofy", "reports it active, after its end")
            outcome = f"{_statuses(earlier)}  {_moved(late)}"
            self.screen.step("Cronofy", "reports it active, after its end", outcome)

    # What is said of it

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
        self.seen[f"{summary}, at last"] = "; ".join(filter(None, [agent["state"], found, *attempt["failures"]]))
        self.screen.scene(f'"{summary}"', self.agents.get(summary, ""))
        self.screen.table(
            [
                (
                    one["at"][11:23],
                    one["kind"],
                    one["verdict"],
                    one["state"],
                    (one["ignored_because"] or one["reason"] or {"text": ""})["text"],
                )
                for one in agent["timeline"]
            ]
        )
        if found:
            self.screen.note(f"  resources: {found}")

    def _show_announcements(self, announcements: list[dict[str, Any]]) -> None:
        self.screen.scene(
            "What a subscriber of the lifecycle topic received",
            "A CloudEvent for each entry, under an id that never changes; on AWS in any order.",
        )
        self.screen.table(
            [
                (
                    one["time"][11:19],
                    one["data"]["meeting"]["summary"],
                    one["data"]["entry"]["kind"],
                    _moved(one) + (f" ({one['data']['alert']['type']})" if one["data"]["alert"] else ""),
                )
                for one in announcements
            ]
        )

    def _show_emails(self) -> None:
        self.screen.scene("What people read")
        emails = self.stage.emails()
        for email in emails:
            self.screen.letter(email["to"], email["subject"], email["text"])
        self.seen["alerts"] = "; ".join(
            f"{agent['meeting']['summary']}: {agent['type']} {alert['status']}"
            for alert in self.stage.alerts.messages()
            for agent in alert["agents"]
        )
        self.seen["e-mails"] = str(len(emails))

    # How things are done

    def _ask(self, summary: str, text: str, **more: Any) -> httpx.Response:
        self.screen.awaiting("caller", text)
        start = self.start if summary == CALL else self.start + timedelta(hours=1)  # no other agent is to be overdue
        answer = self.stage.request(_event_id(summary), summary, start, start + timedelta(minutes=1), **more)
        said = _parsed(answer)
        state = said.get("agent", {}).get("state") or said.get("detail") or said.get("message", "")
        self.screen.step("caller", text, f"{answer.status_code}  {state}")
        return answer

    def _callback(self, summary: str, step: str, text: str = "", **how: Unpack[How]) -> Notification | None:
        """Let Cronofy report something; with a text, say what came of it."""
        if text:
            self.screen.awaiting("Cronofy", text)
        try:
            notification = self.stage.cronofy.tell(step, (HOME, CALENDAR, _event_id(summary)), **how)
        except LookupError as error:  # the request for this agent had not reached Cronofy
            self.screen.step("Cronofy", text or step, str(error))
            return None
        if text:
            announcement = self._announced(summary, _KINDS[step])
            self.screen.step("Cronofy", text, f"{_statuses(notification)}  {_moved(announcement)}")
        return notification

    def _announced(self, summary: str, kind: str, actor: str = "", text: str = "") -> dict[str, Any] | None:
        """Wait until a subscriber has heard of the agent's first entry of that kind."""
        agent_id = self.agents.get(summary)

        def find() -> dict[str, Any] | None:
            if text:
                self.screen.awaiting(actor, text)
            announcements = (one for one in self.stage.lifecycle.messages() if one["subject"] == agent_id)
            return next((one for one in announcements if one["data"]["entry"]["kind"] == kind), None)

        return wait_until(find) if agent_id else None

    def _heard(self, summary: str, kind: str) -> None:
        announcement = self._announced(summary, kind)
        found = _names(announcement["data"]["resources"]) if announcement else ""
        self.screen.step("topic", f"hands on what the agent left: {found or 'nothing'}")

    def _told(self, summary: str, type_: str, status: str = "firing") -> None:
        """Wait until people have got an e-mail about that."""
        agent_id = self.agents.get(summary)
        self.screen.awaiting("people", "are told")

        def find() -> str | None:
            alerts = (
                alert
                for alert in self.stage.alerts.messages()
                if alert["status"] == status and type_ in alert.get("types", ())
            )
            return next((alert["subject"] for alert in alerts if alert["agents"][0]["agent_id"] == agent_id), None)

        self.screen.step("people", (wait_until(find) if agent_id else None) or "were never told")
        self._announced(summary, "alerted")  # what comes next comes after that was noted, too


def judge(expected: Mapping[str, str], seen: Mapping[str, str], screen: Screen) -> int:
    """Say what was expected and what happened; the exit status, 1 if they differ."""
    screen.scene("What was expected, and what happened")
    names = [*expected, *(seen.keys() - expected.keys())]
    differing = [name for name in names if expected.get(name) != seen.get(name)]
    screen.table(
        [("✗" if name in differing else "✓", name, _compared(expected.get(name), seen.get(name))) for name in names]
    )
    text = f"Expected: these {len(names)} things. Happened: "
    text += f"all but {len(differing)} of them." if differing else "the same."
    screen.verdict(text, is_good=not differing)
    return 1 if differing else 0


_KINDS = {
    "assign_conferencing": "conferencing_assigned",
    "activate": "activated",
    "complete": "complete",
    "fail": "failed",
}
"""The entry that each step of the stand-in Cronofy becomes."""


def _names(resources: Iterable[Mapping[str, str]]) -> str:
    """What Cronofy's resources are; the one of its own category is the dashboard."""
    return ", ".join(sorted(one["type" if one["category"] == "cronofy" else "category"] for one in resources))


def _compared(expected: str | None, seen: str | None) -> str:
    if expected == seen:
        return seen or ""
    return f"expected: {expected or 'nothing'} / happened: {seen or 'nothing'}"


def _event_id(summary: str) -> str:
    return summary.lower().replace(" ", "-")


def _statuses(notification: Notification) -> str:
    return ", ".join(str(outcome) for delivery in notification.deliveries for outcome in delivery.outcomes) or "nobody"


def _moved(announcement: Mapping[str, Any] | None) -> str:
    """What one entry did to its agent, in short."""
    if announcement is None:
        return "not announced"
    data = announcement["data"]
    before, after, verdict = data["previous_state"], data["state"], data["entry"]["verdict"]
    moved = after if before in (None, after) else f"{before} → {after}"
    return moved if verdict == "applied" else f"{verdict}: stays {moved}"


def _parsed(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except json.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
