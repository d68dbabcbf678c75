"""The items of entries: an entry as the table stores it, and back. Pure."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.attributes import pack, unpack_item
from meeting_agents.aws.keys import timestamp
from meeting_agents.cronofy.messages import CronofyRequest, CronofyResponse
from meeting_agents.cronofy.payloads import read_notification
from meeting_agents.domain.model import (
    Action,
    AlertStatus,
    DeadlineType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Reading,
    Request,
    Resource,
    Severity,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.plain_values import field_names

_ENTRY_TYPES, _REASON_CODES = frozenset(EntryType), frozenset(ReasonCode)
_PLAIN_TYPES = frozenset({str, bool, int, bytes, dict})


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry with the stored values that only some readers need."""

    entry: Entry
    raw: bytes | None = None
    """The exact bytes of a notification."""
    cronofy_request: CronofyRequest | None = None
    """The request to Cronofy, in the entry of a request."""
    cronofy_response: CronofyResponse | None = None
    """Cronofy's response, in the entry of an outcome."""
    expires_at: int | None = None


def entry_item(
    agent_id: str,
    entry: Entry,
    cronofy_request: CronofyRequest | None = None,
    cronofy_response: CronofyResponse | None = None,
) -> dict[str, Any]:
    """Return the item of an entry, with the request to Cronofy or its response."""
    attributes = stored_value(entry)
    del attributes["key"]
    if cronofy_request:
        values = {name: value for name, value in stored_value(cronofy_request).items() if name != "body"}
        attributes["cronofy_request"] = {**values, keys.ZIPPED: zlib.compress(cronofy_request.body.encode())}
    if cronofy_response:
        content = json.dumps(cronofy_response.content)
        attributes["cronofy_response"] = {"status": cronofy_response.status, "content": content}
    return {**keys.entry(agent_id, entry.key), **packed(attributes)}


def stored_value(value: Any) -> Any:
    """Return a value as it is stored: a dataclass as a map of the fields that are set, a time as text."""
    if value is None or value.__class__ in _PLAIN_TYPES:
        return value
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, tuple | list):
        return [stored_value(item) for item in value]
    if isinstance(value, Reason):
        return {"code": value.code.value, "values": dict(value.values)}
    if names := field_names(value.__class__):
        return {name: plain for name in names if (plain := stored_value(getattr(value, name)))}
    return value


def packed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as DynamoDB has them, without those that are empty."""
    return {name: pack(stored_value(value)) for name, value in values.items() if value not in (None, "")}


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def read_entry(attributes: Mapping[str, Any]) -> StoredEntry:
    """Read an item. A type of entry that this version does not know is unrecognised, never an error."""
    item = unpack_item(attributes)
    raw = zlib.decompress(item[keys.ZIPPED]) if keys.ZIPPED in item else item.get("raw")
    notification = read_notification(raw, item.get("trigger", "")) if raw is not None else None
    kind = item.get("kind", EntryType.UNRECOGNISED)
    if notification is not None:
        kind = notification.kinds[-1] if notification.kinds else EntryType.UNRECOGNISED
    entry = Entry(
        key=keys.entry_key(item["sk"]),
        kind=EntryType(kind) if kind in _ENTRY_TYPES else EntryType.UNRECOGNISED,
        at=datetime.fromisoformat(item["at"]),
        attempt=item.get("attempt"),
        revision=item.get("revision"),
        request=_request(item["request"]) if "request" in item else None,
        notification=notification,
        reading=_reading(item["reading"]) if "reading" in item else None,
        phase=DeadlineType(item["phase"]) if "phase" in item else None,
        cause=IncidentType(item["cause"]) if "cause" in item else None,
        status=AlertStatus(item["status"]) if "status" in item else None,
        severity=Severity(item["severity"]) if "severity" in item else None,
        reminder=item.get("reminder", 0),
        until=_time(item.get("until")),
        missing=tuple(item.get("missing", ())),
        retry_at=_time(item.get("retry_at")),
        sub=item.get("sub", ""),
        resources=tuple(Resource(**resource) for resource in item.get("resources", ())),
        reason=_reason(item["reason"]) if "reason" in item else None,
        correlation_id=item.get("correlation_id", ""),
        labels=item.get("labels", {}),
    )
    return StoredEntry(entry, raw, _cronofy_request(item), _cronofy_response(item), item.get(keys.EXPIRES_AT))


def _cronofy_request(item: dict[str, Any]) -> CronofyRequest | None:
    values = item.get("cronofy_request")
    if not values:
        return None
    if zipped := values.pop(keys.ZIPPED, b""):
        values["body"] = zlib.decompress(zipped).decode()
    return CronofyRequest(**{"body": "", "is_idempotent": False} | values)


def _cronofy_response(item: dict[str, Any]) -> CronofyResponse | None:
    values = item.get("cronofy_response")
    return CronofyResponse(values["status"], json.loads(values["content"])) if values else None


def _reason(values: dict[str, Any]) -> Reason | None:
    """Read a reason; None if this version does not know its code."""
    code = values["code"]
    return Reason(ReasonCode(code), tuple(values["values"].items())) if code in _REASON_CODES else None


def _request(values: dict[str, Any]) -> Request:
    meeting = Meeting.of(values.pop("meeting", {}))
    return Request(**values | {"action": Action(values["action"])}, meeting=meeting)


def _reading(values: dict[str, Any]) -> Reading:
    return Reading(meeting=Meeting.of(values.get("meeting", {})), is_deleted=values.get("is_deleted", False))
