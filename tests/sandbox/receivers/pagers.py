"""PagerDuty, Jira Service Management, and services with a webhook of few members: an alert is known by its key."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from tests.sandbox.receivers.receiver import Answer, Receiver, Request, members, need, text


@dataclass
class Alert:
    """An alert of a pager: its status, and everything that was messages about it."""

    status: str
    messages: list[dict[str, Any]] = field(default_factory=list)


class Pager(Receiver):
    """A pager that knows alerts by their key."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: dict[str, Alert] = {}
        self.opened = 0
        """The number of times that somebody was paged."""

    def say(self, key: str, status: str, content: dict[str, Any]) -> None:
        """Change an alert. Only a new one, or one that was over, pages; one that is not open stays as it is."""
        alert = self.alerts.get(key)
        is_open = alert is not None and alert.status != "resolved"
        if status == "triggered" and not is_open:
            self.alerts[key] = alert = Alert("triggered", alert.messages if alert else [])
            self.opened += 1
        elif status != "triggered" and is_open and alert:
            alert.status = status
        if alert:
            alert.messages.append(content)


class PagerDuty(Pager):
    """The Events API v2; the shape is that of the published schema `reference/events-v2` of PagerDuty/api-schema."""

    hosts = ("events.pagerduty.com", "events.eu.pagerduty.com")
    key = "e93facc04764012d7bfb002500d5d1a6"
    ACTIONS = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}  # noqa: RUF012

    def take(self, request: Request) -> Answer:
        need(request.path == "/v2/enqueue", "unknown path")
        need(len(request.body) <= 512 * 1024, "too large")
        content = request.content
        members(content, "routing_key event_action", "dedup_key payload client client_url links images")
        need(re.fullmatch(r"\w{32}", content["routing_key"]), "'routing_key' is invalid (must be 32 characters)")
        need(content["routing_key"] == self.key, "Invalid routing key")
        action = content["event_action"]
        need(action in self.ACTIONS, "'event_action' is invalid")
        key = text(content, "dedup_key", 255)
        if action == "trigger":
            payload = content["payload"]
            members(payload, "summary severity source", "timestamp component group class custom_details")
            text(payload, "summary", 1024)
            text(payload, "source", 1024)
            need(payload["severity"] in ("critical", "error", "warning", "info"), "'severity' is invalid")
            datetime.fromisoformat(payload["timestamp"])
            need(isinstance(payload["custom_details"], dict), "'custom_details' is invalid")
            for link in content.get("links", []):
                members(link, "href", "text")
        self.say(key, self.ACTIONS[action], content)
        return Answer(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def refusal(self, problem: str) -> Answer:
        return Answer(400, {"status": "invalid event", "message": "Event object is invalid", "errors": [problem]})


class Jira(Pager):
    """The alerts of Jira Service Management's operations, by alias."""

    hosts = ("api.atlassian.com", "api.opsgenie.com")
    key = "secret-key-of-the-integration"
    ROOT = "/jsm/ops/integration/v2/alerts"

    def take(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"GenieKey {self.key}":
            return Answer(401, {"message": "Could not authenticate", "took": 0.0, "requestId": "r"})
        content = request.content
        path, _, query = request.path.removeprefix(self.ROOT).partition("?")
        if path:
            _, alias, action = path.split("/")
            need(query == "identifierType=alias", "identifierType must be alias")
            members(content, "", "user source note")
            statuses = {"acknowledge": "acknowledged", "close": "resolved"}
            need(action in statuses, "unknown action")
            self.say(unquote(alias), statuses[action], content)
        else:
            members(content, "message", "alias description responders tags details entity source priority")
            text(content, "message", 130)
            text(content, "description", 15_000)
            need(content["priority"] in ("P1", "P2", "P3", "P4", "P5"), "priority")
            need(all(isinstance(value, str) for value in content["details"].values()), "details must be texts")
            self.say(text(content, "alias", 512), "triggered", content)
        return Answer(202, {"result": "Request will be processed", "took": 0.1, "requestId": "43a29c5c"})

    def refusal(self, problem: str) -> Answer:
        return Answer(422, {"message": problem, "took": 0.0, "requestId": "r"})


class Grafana(Pager):
    """A formatted webhook of Grafana IRM: no member is required, other members are shown as they are."""

    hosts = ("oncall-prod.grafana.net",)
    address = "https://oncall-prod.grafana.net/oncall/integrations/v1/formatted_webhook/secret-of-grafana/"

    def take(self, request: Request) -> Answer:
        if not self.address.endswith(request.path):
            return Answer(404, "Not Found")
        content = request.content
        members(content, "alert_uid title state message", "link_to_upstream_details image_url")
        need(content["state"] in ("ok", "alerting"), "state")
        self.say(content["alert_uid"], "resolved" if content["state"] == "ok" else "triggered", content)
        return Answer(200, "Ok.")


class IncidentIo(Pager):
    """An HTTP alert source of incident.io."""

    hosts = ("api.incident.io",)
    address, token = "https://api.incident.io/v2/alert_events/http/01ABC", "secret-of-incident-io"

    def take(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, {"type": "authentication_error", "status": 401})
        if not self.address.endswith(request.path):
            return Answer(404, {"type": "not_found", "status": 404})
        content = request.content
        members(content, "title status", "description deduplication_key metadata source_url")
        need(content["status"] in ("firing", "resolved"), "status")
        need(isinstance(content["metadata"], dict), "metadata")
        self.say(content["deduplication_key"], {"firing": "triggered"}.get(content["status"], "resolved"), content)
        return Answer(202, {"deduplication_key": content["deduplication_key"], "status": "success"})

    def refusal(self, problem: str) -> Answer:
        return Answer(422, {"type": "validation_error", "status": 422, "errors": [{"message": problem}]})


class Rootly(Pager):
    """A generic webhook of Rootly: any JSON, of which the alert source is told what means what."""

    hosts = ("webhooks.rootly.com",)
    address, token = "https://webhooks.rootly.com/webhooks/incoming/generic_webhooks", "secret-of-rootly"

    def take(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, "")
        content = request.content
        need(content.get("status") in ("triggered", "resolved"), "status")
        text(content, "summary", 10_000)
        self.say(text(content, "external_id", 1000), content["status"], content)
        return Answer(200, {})
