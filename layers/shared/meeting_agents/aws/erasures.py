"""The items of an agent whose data is erased: all but one entry go, and nothing takes their place."""

from collections.abc import Collection

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Item, Table
from meeting_agents.domain.erasures import ERASED_KEY

_NEWEST = 10**9
"""More entries than any journal has: `Journal.save_record` replaces no record by an older one."""


class Erasures:
    """The items under an agent's id. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def entries(self, agent_id: str) -> list[Item]:
        """Return the keys of an agent's entries, also of those that have expired, but not that of its erasure."""
        items = self._table.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
            ExpressionAttributeValues={":pk": {"S": agent_id}, ":entry": {"S": keys.ENTRY_PREFIX}},
            ProjectionExpression="pk, sk",
            ConsistentRead=True,
        )
        return [item for item in items if item != keys.entry(agent_id, ERASED_KEY)]

    def delete(self, agent_id: str, kept: Collection[str] = ()) -> int:
        """Delete an agent's record and its entries, and return their number; those that came late, too.

        `kept`: the keys of entries that stay.

        The record's place is taken, so that a `track` which read the journal before cannot store it again.
        """
        self._table.put({**keys.record(agent_id), "entries": {"N": str(_NEWEST)}})
        items = {keys.ENTRY_PREFIX + key for key in kept}
        entries = [key for key in self.entries(agent_id) if key["sk"]["S"] not in items]
        for key in entries:
            self._table.delete(key)
        return len(entries)
