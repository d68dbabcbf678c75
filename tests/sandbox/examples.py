"""The commands that a sandbox prints to be tried: one `curl` for each route, in an order that makes sense."""

import json
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from meeting_agents.domain.identity import agent_id
from tests.sandbox.stage import CALENDAR, GRACE, HOME, Stage
from tests.sandbox.stand_in import sign

SIGNATURE_HEADER = "Cronofy-HMAC-SHA256"
JQ = " | jq"
"""Makes JSON readable."""
_AS_USER = '"Cronofy-Authorization: Bearer $TOKEN"'
_SIGNED, _FORGED = f'"{SIGNATURE_HEADER}: $SIGNATURE"', f"'{SIGNATURE_HEADER}: {sign(b'', ['guessed'])}'"
_AGENT, _EVENT = "$API/v1/meeting_agents/$AGENT", f"{HOME}/$CALENDAR/try-me"


@dataclass(frozen=True, slots=True)
class Example:
    """A command with a title. `body`: JSON as it is sent; `headers`: as a shell reads them."""

    title: str
    method: str
    url: str
    """With the variables of `settings`."""
    body: str = ""
    headers: tuple[str, ...] = ()
    end: str = JQ

    def command(self, width: int) -> str:
        """Return the command in lines of at most `width` characters, as far as no word is broken."""
        parts = [f'curl -sS -w "$STATUS" -X {self.method}', f'"{self.url}"', *(f"-H {one}" for one in self.headers)]
        if self.body:
            parts += ['-H "$JSON"', f"-d {shlex.quote(self.body)}"]
        margin = len("  ") + len(self.end or " \\")
        lines = [parts[0]]
        for part in parts[1:]:
            first = part.split("\n")[0]
            if "\n" not in lines[-1] and len(lines[-1]) + len(first) + 1 <= width - margin:
                lines[-1] += f" {part}"
            else:
                lines.append(part)
        end = "" if self.end == JQ and not shutil.which("jq") else self.end
        return " \\\n  ".join(lines) + end


class Examples:
    """The commands for one sandbox. They share variables of the shell, so that each is short."""

    def __init__(self, stage: Stage, width: int) -> None:
        self._stage = stage
        self._width = width
        activated = {
            "notification": {"type": "event_subscription", "interactions": [{"type": "meeting_agent_activated"}]}
        }
        self._activated = self._json(activated)
        self.agent = agent_id(HOME, CALENDAR, "try-me")

    @property
    def settings(self) -> str:
        """The variables of all commands, as lines to paste first."""
        stage = self._stage
        values = {
            "API": stage.stack.api_url,
            "CONTROL": f"{stage.cronofy.url}/_control",
            "CALENDAR": CALENDAR,
            "AGENT": self.agent,
            "TOKEN": stage.grant.access_token,
            "SIGNATURE": sign(self._activated.encode(), [stage.addresses["client_secret"]]),
            "NOTIFICATION": sha256(self._activated.encode()).hexdigest(),
            "JSON": "Content-Type: application/json",
            "STATUS": r"%{stderr}%{http_code}\n",
        }
        return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter((one.title, one.command(self._width)) for one in self._all())

    def _json(self, content: object) -> str:
        return _json(content, 2, len("  -d '"), self._width - len("'") - len(JQ))

    def _all(self) -> list[Example]:
        now = datetime.now(UTC).replace(second=0)
        start, end = (f"{time:%Y-%m-%dT%H:%M:%SZ}" for time in (now, now + timedelta(hours=1)))
        event = {"event_id": "try-me", "summary": "Try me", "start": start, "end": end}
        request = self._json(event | {"meeting_agent": {"profile_id": "cronofy"}})
        scheduled = {
            "scheduling_key": "try-me",
            "join_url": "https://zoom.us/j/1",
            "join_time": end,
            "on_behalf_of_attendee": {"email": "marty@example.com"},
        }
        registration = {"data_center": HOME, "refresh_token": self._stage.grant.refresh_token}
        note, cancellation = self._json({"note": "I am on it"}), self._json({"scheduling_key": "try-me"})
        events, agents, account = "$API/v1/calendars/$CALENDAR/events", "$API/v1/meeting_agents", "$API/v1/accounts/me"
        webhook, group = "$API/webhooks/cronofy/$AGENT", "$API/v1/incidents/account_disconnected/me/acknowledgement"
        silence = "$API/v1/silences/quiet"
        quiet = self._json({"until": "PT2H", "why": "we know", "agent": [self.agent]})
        moved, removed = self._json({"start": end}), self._json({"event_id": "try-me"})
        request_title = f"Request an agent; {GRACE} s later it is overdue, unless a notification comes"
        return [
            Example(request_title, "POST", events, request, (_AS_USER,)),
            Example("Read its record and its timeline", "GET", _AGENT),
            Example("List what is wrong, of meetings of any day", "GET", "$API/v1/incidents"),
            Example("Have Cronofy asked again, which only its caller can: 409", "POST", f"{_AGENT}/retry"),
            Example("Acknowledge the incident, so that no reminder is sent", "POST", f"{_AGENT}/acknowledgement", note),
            Example("Send a signed notification: the agent is active", "POST", webhook, self._activated, (_SIGNED,)),
            Example(
                "Read the notification again, byte for byte",
                "GET",
                f"{_AGENT}/notifications/$NOTIFICATION",
                end="; echo",
            ),
            Example("Send a forged notification: 401", "POST", webhook, self._activated, (_FORGED,)),
            Example("Let the stand-in Cronofy report it complete", "POST", f"$CONTROL/agents/{_EVENT}/complete"),
            Example("Let a person move its meeting in the calendar", "POST", f"$CONTROL/events/{_EVENT}/drag", moved),
            Example("Send the event triggers that are due", "POST", "$CONTROL/triggers"),
            Example("Find its transcript", "GET", f"{_AGENT}/resources/transcript?format=json"),
            Example("Publish its announcements again", "POST", f"{_AGENT}/replay"),
            # Before the erasure: with an agent's data goes a silence of it alone, also one that is put in the meantime.
            Example(
                "Send nothing about the agent for two hours; what still stands then is sent", "PUT", silence, quiet
            ),
            Example("List the silences", "GET", "$API/v1/silences"),
            Example("Read one", "GET", silence),
            Example("End it", "DELETE", silence),
            Example("Delete its calendar event", "DELETE", events, removed, (_AS_USER,)),
            Example("Erase its data", "DELETE", f"{_AGENT}/data"),
            Example("Read what remains", "GET", f"{_AGENT}/data"),
            Example("Schedule an agent without a calendar event", "POST", agents, self._json(scheduled)),
            Example("Cancel it", "DELETE", agents, cancellation),
            Example(
                "List the agents that were cancelled or are complete", "GET", f"{agents}?state=cancelled&state=complete"
            ),
            Example("Register an account: its token is used once", "PUT", account, self._json(registration)),
            Example("List the accounts", "GET", "$API/v1/accounts"),
            Example("Read the account", "GET", account),
            Example("Acknowledge the incident of the account, which has none: 404", "POST", group, note),
            Example("Delete the account", "DELETE", account),
            Example("Get the OpenAPI document", "GET", "$API/openapi.json", end=" -o /tmp/openapi.json"),
            Example("Get the document as a page, for a browser", "GET", "$API/docs", end=" -o /dev/null"),
            Example("List the controls of the stand-in Cronofy", "GET", "$CONTROL", end=""),
        ]


def _json(content: Any, indent: int, column: int, width: int) -> str:
    """Return JSON in one line if it fits there from a column on, else with a line for each member."""
    line = json.dumps(content)
    if column + len(line) <= width or not content or not isinstance(content, dict):
        return line
    members = (
        f"{json.dumps(name)}: {_json(value, indent + 2, indent + len(name) + 6, width)}"
        for name, value in content.items()
    )
    return "{\n" + ",\n".join(" " * (indent + 2) + member for member in members) + "\n" + " " * indent + "}"
