"""The only write between Cronofy's callback and its response.

Separate from the journal because a cold start pays for every import, and this write needs neither rules nor models.
"""

import zlib
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.expiry import expires_at
from meeting_agents.cronofy.meeting_end import meeting_end

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef


def append_notification(
    table: Table,
    agent_id: str,
    raw: bytes,
    *,
    at: datetime,
    attempt: int | None,
    signed_with: str,
    trigger: str = "",
    retention: timedelta | None = None,
) -> bool:
    """Append a verified notification to its agent's journal; False if the journal has the same bytes already.

    This single conditional write is de-duplication, history, raw payload and outbox at once.

    `retention`: with it, and with the end of the meeting that the notification names, the entry has its expiry from the
    beginning. Else `track` sets it.
    """
    key = sha256(raw).hexdigest() + (f".{attempt}" if attempt else "") + (f".{trigger}" if trigger else "")
    item: dict[str, AttributeValueTypeDef] = {
        **keys.entry(agent_id, key),
        "at": {"S": keys.timestamp(at)},
        keys.ZIPPED: {"B": zlib.compress(raw)},
        "signed_with": {"S": signed_with},
    }
    if attempt:
        item["attempt"] = {"N": str(attempt)}
    if trigger:
        item["trigger"] = {"S": trigger}
    if retention and (end := meeting_end(raw)) and not keys.is_probe(agent_id):
        item[keys.EXPIRES_AT] = {"N": str(expires_at(max(end, at), retention))}
    return table.insert(item, at.timestamp())
