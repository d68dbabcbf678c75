"""Receive Cronofy's callbacks: verify, append, answer. The table's stream does the rest."""

import base64
import binascii
import json
import re
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.aws.keys import is_probe
from meeting_agents.aws.notifications import append_notification
from meeting_agents.cronofy.client_secrets import ClientSecrets
from meeting_agents.cronofy.signature import HEADER, Secret, verify
from meeting_agents.errors import InvalidSignature, MissingSecret, NotFound, Outage, Refusal, StoreRejected, TooLarge

logger = Logger(version=VERSION)
metrics = Metrics()

MAX_BODY_BYTES = 256 * 1024
"""Cronofy's notifications have about a thousand bytes. An item of the table holds 400 KB."""
_AGENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_ATTEMPT = re.compile(r"[2-9]|[1-9][0-9]{1,5}")

wiring.make_ready(wiring.agents_table, wiring.read_client_secrets)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answer one callback. https://docs.cronofy.com/developers/push-notifications/."""
    agent_id = (event.get("pathParameters") or {}).get("agent_id", "")
    try:
        is_new = receive(event, agent_id)
    except Refusal as error:
        reason = getattr(error, "reason", error.code)
        logger.warning("notification rejected", agent_id=agent_id[:128], reason=reason)
        metrics.add_metric("NotificationsRejected", MetricUnit.Count, 1)
        metrics.add_dimensions(service=logger.service, reason=reason)
        return _response(error.status, {"code": error.code, "detail": error.detail})
    except (Outage, StoreRejected) as error:
        logger.error("notification not stored", agent_id=agent_id, reason=error.code, detail=error.detail)
        metrics.add_metric("NotificationsFailed", MetricUnit.Count, 1)
        if isinstance(error, MissingSecret) and not is_probe(agent_id):
            # SecretMissingAlarm begins with this 0 and ends with the next 1; a probe has an alarm of its own
            metrics.add_metric("NotificationsAccepted", MetricUnit.Count, 0)
        metrics.add_dimensions(service=logger.service, reason=error.code)
        return _response(error.status, {"code": error.code, "detail": error.detail})
    if not is_probe(agent_id):
        metrics.add_metric("NotificationsAccepted", MetricUnit.Count, 1)
        if not is_new:
            metrics.add_metric("NotificationsDuplicate", MetricUnit.Count, 1)
        metrics.add_metadata(
            "agent_id", agent_id
        )  # the line with the metrics is the only log line of an accepted notification
    return _response(200, {"stored": agent_id, "new": is_new})


def receive(event: dict[str, Any], agent_id: str) -> bool:
    """Store a notification that Cronofy signed; return False if it was stored before."""
    raw = _bytes(event)
    if len(raw) > MAX_BODY_BYTES:
        raise TooLarge(f"a notification has at most {MAX_BODY_BYTES} bytes, this one has {len(raw)}")
    client_secrets = wiring.client_secrets()
    signers = _signers((event.get("headers") or {}).get(HEADER), raw, client_secrets)
    if not _AGENT_ID.fullmatch(agent_id):
        raise NotFound("the address must end with the id of an agent")
    now = datetime.now(UTC)
    if not is_probe(agent_id):  # a probe is signed here, so it does not show which secret Cronofy uses
        _count_signers(signers, now, client_secrets)
    parameters = event.get("queryStringParameters") or {}
    attempt, trigger = parameters.get("attempt", ""), parameters.get("trigger", "")
    return append_notification(
        wiring.agents_table(),
        agent_id,
        raw,
        at=now,
        attempt=int(attempt) if _ATTEMPT.fullmatch(attempt) else None,
        trigger=trigger if trigger in ("before", "after") else "",
        signed_with=f"{signers[0].data_center}:{signers[0].slot}",
        retention=wiring.settings().retention,
    )


def _bytes(event: dict[str, Any]) -> bytes:
    """Return the exact bytes that were signed. A body that claims to be base64 and is not cannot have been signed."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body)
    except (binascii.Error, ValueError):
        raise InvalidSignature("undecodable", "the body is not base64, although the event says so") from None


def _signers(header: str | None, raw: bytes, client_secrets: ClientSecrets) -> tuple[Secret, ...]:
    """Return the secrets that signed the body. If none did, read the stored secrets again: one may be new."""
    try:
        return verify(header, raw, client_secrets.secrets())
    except InvalidSignature as error:
        if error.reason != "unknown" or not client_secrets.reload():
            raise
        return verify(header, raw, client_secrets.secrets())


def _count_signers(signers: tuple[Secret, ...], now: datetime, client_secrets: ClientSecrets) -> None:
    """Count the use of each secret. A previous secret that is no longer used can be removed at Cronofy."""
    for slot in {signer.slot for signer in signers}:
        metrics.add_metric(f"SignedWith{slot.title()}", MetricUnit.Count, 1)
        if slot == "previous" and client_secrets.stored_at:
            metrics.add_metric(
                "PreviousSecretAge", MetricUnit.Seconds, (now - client_secrets.stored_at).total_seconds()
            )


def _response(status: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(content)}
