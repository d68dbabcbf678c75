"""The only write between Cronofy's callback and its response.

Separate from the journal because a cold start pays for every import, and this write needs neither rules nor models.
"""

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def append_notification(
    table: Table, agent_id: str, raw: bytes, *, at: datetime, attempt: int | None, signed_with: str, trigger: str = ""
) -> bool:
    """Append a verified notification to its agent's journal; False if the journal has the same bytes already.

    This single conditional write is de-duplication, history, raw payload and outbox at once.
    """
    key = sha256(raw).hexdigest() + (f".{attempt}" if attempt else "") + (f".{trigger}" if trigger else "")
    item: dict[str, AttributeValueTypeDef] = {
        **keys.entry(agent_id, key),
        "at": {"S": keys.timestamp(at)},
        "raw": {"B": raw},
        "signed_with": {"S": signed_with},
    }
    if attempt:
        item["attempt"] = {"N": str(attempt)}
    if trigger:
        item["trigger"] = {"S": trigger}
    return table.insert(item, at.timestamp())
