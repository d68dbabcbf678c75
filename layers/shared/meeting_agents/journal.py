"""The agents table: append an entry, read a journal, store the record, find what is due."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from heapq import merge
from itertools import batched
from typing import TYPE_CHECKING, Any
from zlib import crc32

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.calls import Answer, Call
from meeting_agents.deadlines import Graces, deadline, relevant_until
from meeting_agents.domain.verdicts import Step
from meeting_agents.errors import StoreUnavailable
from meeting_agents.inbox import ENTRY, RECORD, is_probe, timestamp
from meeting_agents.vendor import read_notification
from meeting_agents.vocabulary import Action, Cause, Entry, Kind, Meeting, Phase, Record, Request, Resource

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef

EXPIRES = "expires_at"
"""The table's TTL attribute: seconds since 1970, the same on every item of an agent."""
DUE_INDEX = "due"
DAY_INDEX = "day"
READ_AT_ONCE = 500
"""Items of the index by day that one page reads at most."""
SHARDS = 4
"""Partitions of the index on deadlines: enough for thousands of agents a second, few enough to ask one by one."""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is kept, with what only some readers want."""

    entry: Entry
    raw: bytes | None = None
    """The exact bytes of a notification."""
    call: Call | None = None
    """What a request sends to Cronofy."""
    answer: Answer | None = None
    """What Cronofy answered to it."""
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the records that were asked for; `last`: where the next page begins, nothing if there is none."""

    rows: list[dict[str, Any]]
    last: str


class Journal:
    """The journals of all agents.

    Every method raises `StoreUnavailable` when the table does not answer; botocore has tried again by then.
    """

    def __init__(self, client: "DynamoDBClient", table: str, graces: Graces, retention: timedelta) -> None:
        self._client = client
        self._table = table
        self.graces = graces
        self._retention = retention

    def read(self, agent_id: str, now: datetime) -> list[Line]:
        """Everything that was written down of an agent, own writes included.

        An expired journal is gone at one instant, whenever DynamoDB comes round to deleting its items: what is left of
        it for some hours is not read, for a part of a journal would add up to something else.
        """
        with _answering():
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
                ExpressionAttributeValues={":pk": {"S": agent_id}, ":entry": {"S": ENTRY}},
                ConsistentRead=True,
            )
            lines = [_line(_unpacked(item)) for page in pages for item in page["Items"]]
        return [line for line in lines if line.expires_at is None or line.expires_at > now.timestamp()]

    def append(self, agent_id: str, entry: Entry, *, call: Call | None = None, answer: Answer | None = None) -> bool:
        """Write one entry down, with what is sent to Cronofy or what it answered; False if its key is there already."""
        item = {"pk": agent_id, "sk": ENTRY + entry.key, **_plain(entry)}
        del item["key"]
        if call:
            item["call"] = _plain(call)
        if answer:
            item["answer"] = {"status": answer.status, "content": json.dumps(answer.content)}
        return self._put(item, "attribute_not_exists(sk)")

    def existing(self, entries: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these entries, each an agent's id and a key, are there."""
        found: set[tuple[str, str]] = set()
        for some in batched(dict.fromkeys(entries), 100, strict=False):
            asked: dict[str, KeysAndAttributesTypeDef] = {
                self._table: {
                    "Keys": [{"pk": {"S": agent_id}, "sk": {"S": ENTRY + key}} for agent_id, key in some],
                    "ProjectionExpression": "pk, sk",
                    "ConsistentRead": True,
                }
            }
            while asked:
                with _answering():
                    answer = self._client.batch_get_item(RequestItems=asked)
                items = answer["Responses"].get(self._table, [])
                found |= {(item["pk"]["S"], item["sk"]["S"].removeprefix(ENTRY)) for item in items}
                asked = answer.get("UnprocessedKeys", {})  # type: ignore[assignment] # the same shape in and out
        return found

    def store(self, agent_id: str, told: Sequence[Step], lines: Sequence[Line], now: datetime) -> dict[str, int]:
        """Keep the record that these lines add up to, unless a newer one is kept; lines and record expire together.

        `told`: the timeline of the lines. `entries` is the record's version, for a journal only grows until it expires.
        Returns by how much the number of notifications of each verdict has grown since the record that was kept before;
        these add up to the truth, however often and in whatever order records are stored.
        """
        record = told[-1].after
        expires_at = max([self._expiry(agent_id, record), *(line.expires_at or 0 for line in lines)])
        for line in lines:
            if line.expires_at != expires_at:
                self._prolong(agent_id, line.entry.key, expires_at)
        judged = Counter(step.verdict.value for step in told if step.entry.notification)
        item = {"pk": agent_id, "sk": RECORD, EXPIRES: expires_at, **self._summary(agent_id, record), "judged": judged}
        with _answering():
            try:
                answer = self._client.put_item(
                    TableName=self._table,
                    Item=_packed(item),
                    ConditionExpression="attribute_not_exists(sk) OR entries < :entries OR expires_at <= :now",
                    ExpressionAttributeValues=_packed({":entries": record.entries, ":now": int(now.timestamp())}),
                    ReturnValues="ALL_OLD",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return {}
        before = _unpacked(answer.get("Attributes", {}))
        known = before.get("judged", {}) if before.get(EXPIRES, 0) > now.timestamp() else {}
        growth = {verdict: judged[verdict] - known.get(verdict, 0) for verdict in {*judged, *known}}
        return {verdict: by for verdict, by in growth.items() if by}

    def _prolong(self, agent_id: str, key: str, expires_at: int) -> None:
        """Let an entry expire later, and never earlier: whoever computed from less of the journal changes nothing."""
        with _answering():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": agent_id}, "sk": {"S": ENTRY + key}},
                    UpdateExpression="SET expires_at = :at",
                    ConditionExpression="attribute_exists(sk)"
                    " AND (attribute_not_exists(expires_at) OR expires_at < :at)",
                    ExpressionAttributeValues={":at": {"N": str(expires_at)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def due(self, now: datetime) -> Iterator[str]:
        """The agents whose stored record has a deadline that has passed, the longest due first, in pages as needed."""
        for _, agent_id in merge(*(self._due_in(str(shard), now) for shard in range(SHARDS))):
            yield agent_id

    def _due_in(self, shard: str, now: datetime) -> Iterator[tuple[str, str]]:
        with _answering():
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=DUE_INDEX,
                KeyConditionExpression="due_shard = :shard AND due_at <= :now",
                ExpressionAttributeValues={":shard": {"S": shard}, ":now": {"S": timestamp(now)}},
            )
            for page in pages:
                yield from ((item["due_at"]["S"], item["pk"]["S"]) for item in page["Items"])

    def claim(self, agent_id: str, now: datetime, until: datetime) -> bool:
        """Take upon oneself what is due, so that nobody else finds it before `until`; False if another did."""
        with _answering():
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": agent_id}, "sk": {"S": RECORD}},
                    UpdateExpression="SET due_at = :until",
                    ConditionExpression="due_at <= :now",
                    ExpressionAttributeValues={":until": {"S": timestamp(until)}, ":now": {"S": timestamp(now)}},
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def on_day(self, day: str, after: str, before: str, wanted: Mapping[str, str], most: int, now: datetime) -> Page:
        """The records of agents whose meeting starts on a day (`2026-04-29`, UTC), in the order of their start.

        `after`, `before`: between which `listed` (start, `#`, agent id) they are, both exclusive. `wanted`: what they
        must be equal in. A page reads a bounded part of the table, so that it may have fewer than `most`, or none,
        though there are more: then `last` says where the next one begins.
        """
        first = after + " "
        if first > before:  # DynamoDB refuses such a BETWEEN
            return Page([], "")
        names = {f"#{name}": name for name in wanted}
        equal = "".join(f" AND #{name} = :{name}" for name in wanted)
        values = {":day": day, ":after": first, ":before": before, ":now": int(now.timestamp())} | {
            f":{name}": value for name, value in wanted.items()
        }
        with _answering():
            answer = self._client.query(
                TableName=self._table,
                IndexName=DAY_INDEX,
                KeyConditionExpression="#day = :day AND listed BETWEEN :after AND :before",
                FilterExpression=f"expires_at > :now{equal}",
                ExpressionAttributeNames={"#day": "day", **names},
                ExpressionAttributeValues=_packed(values),
                Limit=READ_AT_ONCE,
            )
        rows = [_unpacked(item) for item in answer["Items"]]
        more = answer.get("LastEvaluatedKey", {}).get("listed", {}).get("S", "")
        if len(rows) > most:
            return Page(rows[:most], rows[most - 1]["listed"])
        return Page(rows, more)

    def between(self, start: datetime, end: datetime, now: datetime) -> Iterator[dict[str, Any]]:
        """The records of all agents whose meeting starts then, in the order of their start."""
        day = start.astimezone(UTC).date()
        while day <= end.astimezone(UTC).date():
            after: str = timestamp(start.astimezone(UTC))
            while after:
                before = timestamp(end.astimezone(UTC))
                found = self.on_day(day.isoformat(), after, before, {}, READ_AT_ONCE, now)
                yield from found.rows
                after = found.last
            day += timedelta(days=1)

    def _put(self, item: Mapping[str, Any], condition: str) -> bool:
        with _answering():
            try:
                self._client.put_item(TableName=self._table, Item=_packed(item), ConditionExpression=condition)
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _expiry(self, agent_id: str, record: Record) -> int:
        """Whole days, so that a late notification seldom moves the expiry of all that was written before."""
        until = relevant_until(record, self.graces) + (timedelta() if is_probe(agent_id) else self._retention)
        return (int(until.timestamp()) // 86_400 + 1) * 86_400

    def _summary(self, agent_id: str, record: Record) -> dict[str, Any]:
        current, identity, meeting = record.current, record.identity, record.meeting
        start = timestamp(meeting.start or current.began_at)
        due = deadline(record, self.graces)
        summary = {
            "entries": record.entries,
            "state": record.state,
            "since": current.since,
            "reason": current.reason,
            "trouble": record.trouble if record.troubled else None,
            "attempt": current.number,
            "day": start[:10],
            "listed": f"{start}#{agent_id}",
            "meeting": _plain(meeting),
            "data_center": identity.data_center if identity else "",
            "calendar_id": identity.calendar_id if identity else "",
            "event_id": record.event_id,
            "scheduling_key": identity.scheduling_key if identity else "",
            "account": identity.account if identity else "",
            "verdicts": record.verdicts,
        }
        if is_probe(agent_id):
            return {name: value for name, value in summary.items() if name not in ("day", "listed")}
        if due:
            shard = crc32(agent_id.encode()) % SHARDS
            summary |= {"due_shard": str(shard), "due_at": timestamp(due.at), "due_phase": due.phase}
        return summary


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ValidationException":
            raise  # what we asked is wrong, and will be so next time
        raise StoreUnavailable(f"the agents table answered {code}; try again") from error
    except BotoCoreError as error:
        raise StoreUnavailable("the agents table did not answer; try again") from error


# ------------------------------------------------------------------------------------------------------- items and back


def _plain(value: Any) -> Any:
    """A dataclass as a map of what is set in it, times as text."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, _plain(getattr(value, f.name))) for f in fields(value))
        return {name: plain for name, plain in pairs if plain not in (None, "", [], {}, False)}
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, StrEnum) else value


_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def _packed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _serialize(_plain(value)) for name, value in values.items() if value not in (None, "")}


def _unpacked(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _natural(_deserialize(value)) for name, value in item.items()}


def _natural(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: _natural(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_natural(item) for item in value]
    return value


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _line(item: dict[str, Any]) -> Line:
    """An item as a line. An entry whose kind this version does not know is read as unrecognised, never refused."""
    raw = bytes(item["raw"].value) if "raw" in item else None
    said = read_notification(raw) if raw is not None else None
    kind = item.get("kind", Kind.UNRECOGNISED)
    if said is not None:
        kind = said.kinds[-1] if said.kinds else Kind.UNRECOGNISED
    entry = Entry(
        key=item["sk"].removeprefix(ENTRY),
        kind=Kind(kind) if kind in set(Kind) else Kind.UNRECOGNISED,
        at=datetime.fromisoformat(item["at"]),
        attempt=item.get("attempt"),
        revision=item.get("revision"),
        request=_request(item["request"]) if "request" in item else None,
        notification=said,
        phase=Phase(item["phase"]) if "phase" in item else None,
        cause=Cause(item["cause"]) if "cause" in item else None,
        missing=tuple(item.get("missing", ())),
        retry_at=_time(item.get("retry_at")),
        sub=item.get("sub", ""),
        resources=tuple(Resource(**resource) for resource in item.get("resources", ())),
        reason=item.get("reason", ""),
        correlation_id=item.get("correlation_id", ""),
    )
    return Line(entry, raw, _call(item), _answer(item), item.get(EXPIRES))


def _call(item: dict[str, Any]) -> Call | None:
    return Call(**{"body": "", "is_repeatable": False} | item["call"]) if "call" in item else None


def _answer(item: dict[str, Any]) -> Answer | None:
    return Answer(item["answer"]["status"], json.loads(item["answer"]["content"])) if "answer" in item else None


def _request(values: dict[str, Any]) -> Request:
    meeting = values.pop("meeting", {})
    return Request(
        **values | {"action": Action(values["action"])},
        meeting=Meeting(**meeting | {"start": _time(meeting.get("start")), "end": _time(meeting.get("end"))}),
    )
