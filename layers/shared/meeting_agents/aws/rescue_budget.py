"""The budget of second agents: so many for an account in an hour, spent by all functions together."""

from datetime import datetime, timedelta

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.expiry import expires_at


class RescueBudget:
    """A count in the agents table for each account and hour. One conditional write spends one."""

    def __init__(self, table: Table, per_hour: int) -> None:
        self._table = table
        self._per_hour = per_hour

    def spend(self, name: str, now: datetime) -> bool:
        """Spend one; False if the budget of this hour is spent. `name`: the account's, or the application's.

        Raises `StoreUnavailable`.
        """
        spent = self._table.update(
            keys.rescue_budget(name, keys.timestamp(now)[:13]),  # to the hour
            "SET expires_at = :at ADD spent :one",
            {
                ":at": {"N": str(expires_at(now, timedelta(days=1)))},
                ":one": {"N": "1"},
                ":most": {"N": str(self._per_hour)},
            },
            "attribute_not_exists(spent) OR spent < :most",
        )
        return spent is not None
