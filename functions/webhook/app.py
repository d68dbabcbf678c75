"""Cronofy's callbacks: verify, append, answer. No rules, no models, no topic: the table's stream does the rest."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents import wiring
from meeting_agents.credentials import Credentials
from meeting_agents.errors import NotFound, Outage, Refusal, SignatureRefused, StoreUnavailable, TooLarge
from meeting_agents.inbox import keep
from meeting_agents.signature import HEADER, Secret, verify

logger = Logger()
metrics = Metrics()

LARGEST = 256 * 1024
"""Bytes of a notification. Cronofy's are some thousand; an item of the table holds 400 KB."""
_ADDRESSABLE = re.compile(r"[A-Za-z0-9_-]{1,128}")


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """One callback. https://docs.cronofy.com/developers/push-notifications/"""
    agent_id = event.get("pathParameters", {}).get("agent_id", "")
    try:
        is_new = receive(event, agent_id)
    except Refusal as error:
        reason = getattr(error, "reason", error.code)
        logger.warning("notification refused", agent_id=agent_id, reason=reason)
        metrics.add_metric("NotificationsRefused", MetricUnit.Count, 1)
        return _answer(error.status, {"code": error.code, "detail": error.detail})
    except Outage as error:
        logger.error("notification could not be kept", agent_id=agent_id, reason=error.code, detail=error.detail)
        metrics.add_metric("NotificationsNotKept", MetricUnit.Count, 1)
        return _answer(error.status, {"code": error.code, "detail": error.detail})
    logger.info("notification kept", agent_id=agent_id, is_new=is_new)
    metrics.add_metric("NotificationsKept" if is_new else "NotificationsRepeated", MetricUnit.Count, 1)
    return _answer(200, {"kept": agent_id, "new": is_new})


def receive(event: dict[str, Any], agent_id: str) -> bool:
    """Keep a notification if Cronofy signed it; False if it was kept before."""
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    if len(raw) > LARGEST:
        raise TooLarge(f"a notification has at most {LARGEST} bytes, this one has {len(raw)}")
    secret = _signer(event.get("headers", {}).get(HEADER), raw, wiring.credentials())
    if not _ADDRESSABLE.fullmatch(agent_id):
        raise NotFound("the address must end in an agent's id")
    attempt = (event.get("queryStringParameters") or {}).get("attempt", "")
    try:
        return keep(
            wiring.client("dynamodb"),
            wiring.settings().agents_table,
            agent_id,
            raw,
            at=datetime.now(UTC),
            attempt=int(attempt) if re.fullmatch(r"[1-9][0-9]{0,5}", attempt) else None,
            signed_with=f"{secret.data_center}:{secret.slot}",
        )
    except (ClientError, BotoCoreError) as error:
        raise StoreUnavailable("the agents table did not take the notification; send it again") from error


def _signer(header: str | None, raw: bytes, credentials: Credentials) -> Secret:
    """The secret that signed it. One that matches none may be newer than what we have read."""
    try:
        return verify(header, raw, credentials.secrets())
    except SignatureRefused as error:
        if error.reason != "unknown" or not credentials.reread():
            raise
        return verify(header, raw, credentials.secrets())


def _answer(status: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(content)}
