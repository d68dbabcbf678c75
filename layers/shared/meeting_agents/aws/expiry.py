"""The expiry of an agent's items: the same for all of them, since a part of a journal folds to another record. Pure."""

from datetime import datetime, timedelta

_DAY_SECONDS = 86_400


def expires_at(relevant_until: datetime, retention: timedelta) -> int:
    """Return the time at which DynamoDB may delete the items, in seconds since 1970.

    It is the end of a whole day, so that a late notification seldom changes the expiry of all other entries.
    """
    return (int((relevant_until + retention).timestamp()) // _DAY_SECONDS + 1) * _DAY_SECONDS
