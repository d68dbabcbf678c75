"""The silences in the agents table, and the agents whose alerts are held back by each.

Those agents are looked at once, when their silence is over, changed or deleted: no work grows with the time that it
lasts.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched, islice

from meeting_agents.aws import keys
from meeting_agents.aws.attributes import pack, unpack_item
from meeting_agents.aws.dynamodb import Item, Table
from meeting_agents.aws.keys import timestamp
from meeting_agents.domain.model import IncidentType
from meeting_agents.domain.silences import MAX_SILENCES, QUIET_HOURS, Hold, Quiet, QuietHours, Silence

KEPT = timedelta(days=7)
"""The time after its end for which the item of a silence is kept, should no sweep run."""
RELEASED_AT_ONCE = 500
"""The agents that are released together."""
_CRITERIA = ("types", "accounts", "data_centers", "agents")


class Silences:
    """The silences and the quiet hours. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table, quiet_hours: QuietHours | None) -> None:
        self._table = table
        self._quiet_hours = quiet_hours

    def quiet(self) -> Quiet:
        """Return all silences, also those that are planned or have just ended, and the quiet hours."""
        return Quiet(tuple(map(_silence, self._items())), self._quiet_hours)

    def find(self, name: str) -> Silence | None:
        """Return a silence, also one that has just ended."""
        item = self._table.get(keys.silence(name))
        return _silence(item) if item else None

    def put(self, silence: Silence, now: datetime) -> bool:
        """Store a silence, in place of one of its name; False if there are too many.

        The agents whose alerts the earlier one holds back are looked at again.
        """
        items = list(self._items())
        others = [one for one in map(_silence, items) if one.name != silence.name and one.end > now]
        if len(others) >= MAX_SILENCES:
            return False
        self._write(silence, now, is_changed=any(item["sk"]["S"] == silence.name for item in items))
        return True

    def delete(self, name: str, now: datetime) -> bool:
        """End a silence now; False if there is none. It goes for good when its agents have been looked at."""
        silence = self.find(name)
        if silence is None or silence.end <= now:
            return False
        self._write(replace(silence, end=now), now, is_changed=True)
        return True

    def hold(self, hold: Hold, agent_id: str, at: datetime) -> None:
        """Remember that an agent's alert is held back at a time."""
        self._table.update(
            keys.held(hold.name, agent_id),
            "SET held_at = :at, expires_at = :expires_at",
            {":at": {"S": timestamp(at)}, ":expires_at": {"N": str(int((hold.until + KEPT).timestamp()))}},
        )

    def release(self, now: datetime, look_at: Callable[[Sequence[str]], Sequence[str]], *, limit: int = 5_000) -> int:
        """Have the agents looked at whose silence is over, changed or deleted, and forget that they were held back.

        `look_at`: returns those agents that will be looked at; the others are released by a later sweep. `limit`: the
        most agents of one silence. Return the number of released agents.
        """
        released = 0
        for item in list(self._items(is_consistent=False)):
            silence = _silence(item)
            if silence.end <= now or "changed_at" in item:
                count, is_done = self._release(silence.name, look_at, limit)
                released += count
                if is_done:
                    self._finish(item, is_over=silence.end <= now)
        if self._quiet_hours and self._quiet_hours.end_after(now) is None:
            count, _ = self._release(QUIET_HOURS, look_at, limit)
            released += count
        return released

    def forget(self, agent_id: str, held_by: Collection[str] = ()) -> None:
        """Forget an agent: that its alerts are held back, and that a silence names it; one for it alone goes.

        `held_by`: silences that may be gone, by which its alerts were held back.
        """
        items = list(self._items())
        for item in items:
            agents = _silence(item).agents
            if agent_id in agents:
                seen = {":seen": item["agents"]}  # one that a person replaces at this moment is that person's
                others = {":others": pack(sorted(agents - {agent_id}))}
                if agents == {agent_id}:  # without its last agent it would be for all
                    self._table.delete(keys.silence(item["sk"]["S"]), "agents = :seen", seen)
                else:
                    self._table.update(
                        keys.silence(item["sk"]["S"]), "SET agents = :others", seen | others, "agents = :seen"
                    )
        for name in {*held_by, QUIET_HOURS, *(item["sk"]["S"] for item in items)}:
            self._table.delete(keys.held(name, agent_id))

    # ---------------------------------------------------------------------------------------------------------- items

    def _items(self, *, is_consistent: bool = True) -> Iterator[Item]:
        return self._table.query(
            KeyConditionExpression="pk = :silences",
            ExpressionAttributeValues={":silences": {"S": keys.SILENCES}},
            ConsistentRead=is_consistent,
        )

    def _write(self, silence: Silence, now: datetime, *, is_changed: bool) -> None:
        item = {
            "start": timestamp(silence.start),
            "end": timestamp(silence.end),
            "why": silence.why,
            "by": silence.by,
            "labels": {name: list(values) for name, values in silence.labels.items()},
            keys.EXPIRES_AT: int((max(silence.end, now) + KEPT).timestamp()),
            **{name: sorted(getattr(silence, name)) for name in _CRITERIA},
            **({"changed_at": timestamp(now)} if is_changed else {}),
        }
        packed = {name: pack(value) for name, value in item.items()}
        self._table.put({**keys.silence(silence.name), **packed})

    def _release(self, name: str, look_at: Callable[[Sequence[str]], Sequence[str]], limit: int) -> tuple[int, bool]:
        """Release the agents of a silence. Return their number, and if none is left."""
        pk = keys.held(name, "")["pk"]
        items = self._table.query(KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": pk})
        held_at = {str(item["sk"]["S"]): item["held_at"] for item in islice(items, limit)}
        released = 0
        for batch in batched(held_at, RELEASED_AT_ONCE, strict=False):
            for agent_id in look_at(batch):
                # One that was looked at by now, and is held back again, stays.
                self._table.delete(keys.held(name, agent_id), "held_at = :seen", {":seen": held_at[agent_id]})
                released += 1
        return released, released == len(held_at) < limit

    def _finish(self, item: Item, *, is_over: bool) -> None:
        """Forget a silence that is over, or that one was changed, unless it was changed again."""
        key = {name: item[name] for name in ("pk", "sk")}
        changed_at = item.get("changed_at")
        condition = "changed_at = :seen" if changed_at else "attribute_not_exists(changed_at) AND attribute_exists(sk)"
        values = {":seen": changed_at} if changed_at else {}
        if is_over:
            self._table.delete(key, condition, values)
        elif changed_at:
            self._table.update(key, "REMOVE changed_at", values, condition)


def _silence(item: Item) -> Silence:
    values = unpack_item(item)
    return Silence(
        name=values["sk"],
        start=datetime.fromisoformat(values["start"]),
        end=datetime.fromisoformat(values["end"]),
        why=values["why"],
        by=values["by"],
        types=frozenset(map(IncidentType, values["types"])),
        accounts=frozenset(values["accounts"]),
        data_centers=frozenset(values["data_centers"]),
        agents=frozenset(values["agents"]),
        labels={name: tuple(options) for name, options in values["labels"].items()},
    )
