"""The agents table: append an entry, read a journal, store a record, find due agents."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import merge
from itertools import batched
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.attributes import unpack_item
from meeting_agents.aws.dynamodb import MAX_WRITES, NOT_EXISTS, Table
from meeting_agents.aws.entry_items import StoredEntry, entry_item, packed, read_entry, stored_value
from meeting_agents.aws.expiry import expires_at
from meeting_agents.aws.keys import is_probe, timestamp
from meeting_agents.aws.wanted import Wanted, condition_of
from meeting_agents.cronofy.messages import CronofyRequest, CronofyResponse
from meeting_agents.domain.deadlines import deadline, relevant_until
from meeting_agents.domain.erasures import Erasure
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import group_of, waits_from
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.model import Entry, EntryType, IncidentType, Meeting
from meeting_agents.domain.readings import next_look
from meeting_agents.domain.record import Record
from meeting_agents.domain.rescue import outcome_of
from meeting_agents.domain.verdicts import Step

OPEN_PAGE_SIZE = 50
"""The items that one page reads from a shard of the index of what is open."""

type Entries = tuple[list[StoredEntry], Erasure | None]
"""The entries of a journal, and the erasure of its agent."""


class Journal:
    """The journals of all agents. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table, grace_periods: GracePeriods, retention: timedelta) -> None:
        self._table = table
        self.grace_periods = grace_periods
        self._retention = retention

    def read(self, agent_id: str, now: datetime) -> list[StoredEntry]:
        """Return all entries of an agent, with the newest writes; none of one whose data was erased.

        Entries past their TTL are ignored even if DynamoDB has not deleted them yet: a part of a journal folds to
        another record than the whole.
        """
        entries, erasure = self.read_with_erasure(agent_id, now)
        return [] if erasure else entries

    def read_with_erasure(self, agent_id: str, now: datetime) -> Entries:
        """Return an agent's entries as `read` does, and its erasure; with one, they are those left to delete."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
            ExpressionAttributeValues={":pk": {"S": agent_id}, ":entry": {"S": keys.ENTRY_PREFIX}},
            ConsistentRead=True,
        )
        at = now.timestamp()
        alive = [each for each in map(read_entry, items) if each.expires_at is None or each.expires_at > at]
        erasure = next((Erasure.of(each.entry) for each in alive if each.entry.kind is EntryType.ERASED), None)
        return [each for each in alive if each.entry.kind is not EntryType.ERASED], erasure

    def append(
        self,
        agent_id: str,
        entry: Entry,
        *,
        cronofy_request: CronofyRequest | None = None,
        cronofy_response: CronofyResponse | None = None,
        meeting: Meeting | None = None,
    ) -> bool:
        """Append an entry, with the request to Cronofy or its response; False if the journal has the key already.

        `meeting`: the agent's. With its end the entry has its expiry from the beginning; `save_record` corrects it.
        """
        item = entry_item(agent_id, entry, cronofy_request, cronofy_response)
        if meeting and meeting.end:
            expiry = expires_at(max(meeting.end, entry.at), self._retention)
            item[keys.EXPIRES_AT] = {"N": str(expiry)}
        return self._table.insert(item, entry.at.timestamp())

    def append_all(self, entries: Sequence[tuple[str, Entry]]) -> list[bool]:
        """Append entries, each with its agent's id, in as few calls as possible. Return for each whether it is new."""
        is_new: list[bool] = []
        for batch in batched(entries, MAX_WRITES, strict=False):
            writes = [{"Put": {"Item": entry_item(*entry), "ConditionExpression": NOT_EXISTS}} for entry in batch]
            # A key that exists may be that of an expired entry.
            written = zip(self._table.write_all(writes), batch, strict=True)
            is_new += [is_written or self.append(*entry) for is_written, entry in written]
        return is_new

    def existing_keys(self, entries: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of these entries that exist and have not expired. An entry is an agent's id and a key."""
        existing: set[tuple[str, str]] = set()
        for batch in batched(dict.fromkeys(entries), 100, strict=False):
            items = self._table.existing([keys.entry(agent_id, key) for agent_id, key in batch])
            alive = [item for item in items if float(item.get(keys.EXPIRES_AT, {}).get("N", "inf")) > time.time()]
            existing |= {(item["pk"]["S"], keys.entry_key(item["sk"]["S"])) for item in alive}
        return existing

    def save_record(
        self, agent_id: str, timeline: Sequence[Step], entries: Sequence[StoredEntry], now: datetime
    ) -> dict[str, int]:
        """Store the record of these entries, unless a newer one is stored, and let all of them expire together.

        `timeline`: that of the entries. The number of entries is the record's version, because a journal only grows
        until it expires. Returns the growth of the number of notifications for each verdict since the last stored
        record. The sum of all growths is the number of notifications, in any order of stored records.
        """
        record = timeline[-1].after
        expiry = max([self._expiry(agent_id, record), *(stored.expires_at or 0 for stored in entries)])
        for stored in entries:
            if stored.expires_at != expiry:
                self._extend_ttl(agent_id, stored.entry.key, expiry)
        judged = Counter(step.verdict.value for step in timeline if step.entry.notification)
        item = {keys.EXPIRES_AT: expiry, **self._summary(agent_id, record), "judged": judged}
        replaced = self._table.replace(
            keys.record(agent_id) | packed(item),
            "attribute_not_exists(sk) OR entries < :entries OR expires_at <= :now",
            packed({":entries": record.entries, ":now": int(now.timestamp())}),
        )
        if replaced is None:
            return {}
        before = unpack_item(replaced)
        counted = before.get("judged", {}) if before.get(keys.EXPIRES_AT, 0) > now.timestamp() else {}
        growth = {verdict: judged[verdict] - counted.get(verdict, 0) for verdict in {*judged, *counted}}
        return {verdict: count for verdict, count in growth.items() if count}

    def _extend_ttl(self, agent_id: str, key: str, expiry: int) -> None:
        """Let an entry expire later, never earlier: a writer that has read a part of the journal changes nothing."""
        self._table.update(
            keys.entry(agent_id, key),
            "SET expires_at = :at",
            {":at": {"N": str(expiry)}},
            "attribute_exists(sk) AND (attribute_not_exists(expires_at) OR expires_at < :at)",
        )

    def due(self, now: datetime) -> Iterator[str]:
        """Iterate over the agents with a deadline that has passed, the longest due first."""
        for _, agent_id in merge(*(self._due_in(str(shard), now) for shard in range(keys.SHARDS))):
            yield agent_id

    def _due_in(self, shard: str, now: datetime) -> Iterator[tuple[str, str]]:
        items = self._table.query(
            IndexName=keys.DUE_INDEX,
            KeyConditionExpression="due_shard = :shard AND due_at <= :now",
            ExpressionAttributeValues={":shard": {"S": shard}, ":now": {"S": timestamp(now)}},
        )
        return ((item["due_at"]["S"], item["pk"]["S"]) for item in items)

    def claim_all(self, claims: Mapping[str, datetime], now: datetime) -> None:
        """Claim due agents, each until its time, in as few calls as possible."""
        update = {"UpdateExpression": "SET due_at = :until", "ConditionExpression": "due_at <= :now"}
        for batch in batched(claims.items(), MAX_WRITES, strict=False):
            writes = [
                {
                    "Update": {
                        "Key": keys.record(agent_id),
                        **update,
                        "ExpressionAttributeValues": {
                            ":until": {"S": timestamp(until)},
                            ":now": {"S": timestamp(now)},
                        },
                    }
                }
                for agent_id, until in batch
            ]
            self._table.write_all(writes)

    def claim(self, agent_id: str, now: datetime, until: datetime, planned: datetime | None = None) -> bool:
        """Claim a due agent until `until`; False if another sweep has it.

        `planned`: the time at which it is due according to its journal, to claim it before; another time in the index
        is that of a claim.
        """
        values = {":until": until, ":now": now} | ({":planned": planned} if planned else {})
        claimed = self._table.update(
            keys.record(agent_id),
            "SET due_at = :until",
            {name: {"S": timestamp(at)} for name, at in values.items()},
            "due_at <= :now OR due_at = :planned" if planned else "due_at <= :now",
        )
        return claimed is not None

    def query_open(self, after: str, before: str, wanted: Wanted, now: datetime) -> Iterator[dict[str, Any]]:
        """Iterate over the records that have an open incident as of their last entry, the latest meeting first.

        `after`, `before`: the exclusive bounds of `open_listed` (time of the meeting, `#`, agent id); empty: none.
        """
        first, last = after or " ", before or "~"
        if first > last:  # DynamoDB rejects such a BETWEEN
            return iter(())
        rows = (self._open_in(shard, first, last, wanted, now) for shard in keys.open_shards())
        return merge(*rows, key=lambda row: str(row["open_listed"]), reverse=True)

    def _open_in(self, shard: str, after: str, before: str, wanted: Wanted, now: datetime) -> Iterator[dict[str, Any]]:
        condition, names, values = condition_of(wanted)
        values |= {":shard": shard, ":after": after, ":before": before, ":now": int(now.timestamp())}
        items = self._table.query(
            IndexName=keys.OPEN_INDEX,
            KeyConditionExpression="open_shard = :shard AND open_listed BETWEEN :after AND :before",
            FilterExpression=f"expires_at > :now{condition}",
            **({"ExpressionAttributeNames": names} if names else {}),
            ExpressionAttributeValues=packed(values),
            ScanIndexForward=False,
            Limit=OPEN_PAGE_SIZE,
        )
        return (row for row in map(unpack_item, items) if row["open_listed"] not in (after, before))

    def _expiry(self, agent_id: str, record: Record) -> int:
        retention = timedelta() if is_probe(agent_id) else self._retention
        return expires_at(relevant_until(record, self.grace_periods), retention)

    def _summary(self, agent_id: str, record: Record) -> dict[str, Any]:
        current, identity, meeting = record.current, record.identity, record.meeting
        due, look_at = deadline(record, self.grace_periods), next_look(record, self.grace_periods, record.updated_at)
        incidents = open_incidents(record, self.grace_periods, record.updated_at)
        summary = {
            "entries": record.entries,
            "state": record.state,
            "since": current.since,
            "reason": current.reason,
            "incident": next((incident.type for incident in incidents), None),
            "attempt": current.number,
            "meeting": stored_value(meeting),
            "data_center": identity.data_center if identity else "",
            "calendar_id": identity.calendar_id if identity else "",
            "event_id": record.event_id,
            "scheduling_key": identity.scheduling_key if identity else "",
            "account": identity.account if identity else "",
            "verdicts": record.verdicts,
        }
        if outcome := outcome_of(record):
            summary["second_agent"] = outcome
        if record.labels:
            summary["labels"] = dict(record.labels)
        if is_probe(agent_id):
            return summary
        summary |= keys.day_index(agent_id, meeting.start or current.began_at)
        if look_at:
            summary |= keys.due_index(agent_id, look_at)
        if incidents:
            group = group_of(record, incidents[0].type)
            summary |= {"group_key": group.key if group else "", "acknowledged_at": incidents[0].acknowledged_at}
            summary |= keys.open_index(
                agent_id,
                waits_from(record, incidents[0], self.grace_periods),
                waits_for_account=incidents[0].type is IncidentType.ACCOUNT_DISCONNECTED,
            )
        if incidents or record.alerts:
            summary["had_incident"] = True
        if due:
            summary["next_deadline"] = stored_value(due)
        return summary
