"""The one write of the acknowledgement path, and the words of the table's layout.

Apart from `journal.py` because a cold start pays for every import, and keeping a notification needs neither rules nor
models.
"""

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

ENTRY = "entry#"
"""The sort key of an entry: this prefix, then its key. The stream's filter in the template selects by it."""
RECORD = "record"
"""The sort key of the record."""
PROBE = "ma_probe-"
"""How the ids of the agents begin that only the probe speaks of; the hyphen is in no id made from a natural key."""


def is_probe(agent_id: str) -> bool:
    """Whether it is no agent at all, but the system trying itself: nobody is told of it, and no list has it."""
    return agent_id.startswith(PROBE)


def timestamp(at: datetime) -> str:
    """A time as it is stored, published and shown: UTC, milliseconds; sorts as text."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def keep(
    client: "DynamoDBClient",
    table: str,
    agent_id: str,
    raw: bytes,
    *,
    at: datetime,
    attempt: int | None,
    signed_with: str,
) -> bool:
    """Append a verified notification to its agent's journal; False if these very bytes are there already.

    This single conditional write is de-duplication, history, raw payload and outbox at once. Raises botocore's
    `ClientError` or `BotoCoreError` when the table does not take it.
    """
    key = sha256(raw).hexdigest() + (f".{attempt}" if attempt else "")
    item: dict[str, AttributeValueTypeDef] = {
        "pk": {"S": agent_id},
        "sk": {"S": ENTRY + key},
        "at": {"S": timestamp(at)},
        "raw": {"B": raw},
        "signed_with": {"S": signed_with},
    }
    if attempt:
        item["attempt"] = {"N": str(attempt)}
    try:
        client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(sk)")
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True
