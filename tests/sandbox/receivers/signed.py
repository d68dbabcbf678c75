"""Any HTTPS address, whose receiver verifies the signature as https://www.standardwebhooks.com says."""

import base64
import hashlib
import hmac
import time
from datetime import datetime

from tests.sandbox.receivers.pagers import Pager
from tests.sandbox.receivers.receiver import Answer, Request, members, need

TOLERANCE = 300
"""Seconds by which the time in a signature may differ."""


class Signed(Pager):
    """A receiver of one's own. `secret`: the one that it knows."""

    hosts = ("alerts.example.com",)
    address = "https://alerts.example.com/meeting-agents?team=platform"

    def __init__(self) -> None:
        super().__init__()
        self.secret = "whsec_" + base64.b64encode(b"secret of a receiver, 1").decode()
        self.ids: list[str] = []

    def take(self, request: Request) -> Answer:
        need(request.path == "/meeting-agents?team=platform", "unknown path")
        message_id, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = f"{message_id}.{at}.".encode() + request.body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        given = request.headers["webhook-signature"].split(" ")
        if not any(hmac.compare_digest(f"v1,{expected}", each) for each in given):
            return Answer(401, {"message": "no signature matches"})
        need(abs(time.time() - int(at)) < TOLERANCE, "too old")
        content = request.content
        members(content, "id event_action dedup_key severity summary component source timestamp links details")
        need(content["id"] == message_id, "id")
        datetime.fromisoformat(content["timestamp"])
        self.ids.append(message_id)
        statuses = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}
        self.say(content["dedup_key"], statuses[content["event_action"]], content)
        return Answer(204)
