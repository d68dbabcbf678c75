"""The records of agents by the day of their meeting, with few attributes of many, for the overview."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from meeting_agents.aws import keys
from meeting_agents.aws.attributes import unpack_item
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.keys import timestamp


class Days:
    """The index of agents by day. Every method raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def between(
        self,
        start: datetime,
        end: datetime,
        attributes: Sequence[str],
        *,
        is_newest_first: bool = False,
        page_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the agents with a meeting from `start` until before `end`, in the order of their starts.

        `attributes`: those to read. A page of DynamoDB, or of `page_size`, is read when it is reached.
        """
        names = {f"#{number}": name for number, name in enumerate(attributes)}
        days = _days(start, end)
        for day in reversed(days) if is_newest_first else days:
            items = self._table.query(
                IndexName=keys.DAY_INDEX,
                KeyConditionExpression="#day = :day AND listed BETWEEN :start AND :end",
                ProjectionExpression=", ".join(names),
                ExpressionAttributeNames={"#day": "day", **names},
                ExpressionAttributeValues={
                    ":day": {"S": day.isoformat()},
                    ":start": {"S": timestamp(start.astimezone(UTC))},
                    ":end": {"S": timestamp(end.astimezone(UTC))},
                },
                ScanIndexForward=not is_newest_first,
                **({"Limit": page_size} if page_size else {}),
            )
            yield from map(unpack_item, items)


def _days(start: datetime, end: datetime) -> list[date]:
    first, last = start.astimezone(UTC).date(), end.astimezone(UTC).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
