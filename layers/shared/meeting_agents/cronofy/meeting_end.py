"""The end of the meeting in a callback, read without the models for which each cold start would pay. Pure."""

import json
from datetime import datetime

BELIEVED_YEARS = range(1970, 3000)
"""The years in which a time is believed: nothing can be calculated from one after the last year of the calendar."""


def meeting_end(raw: bytes) -> datetime | None:
    """Return the end that a callback names in UTC; None if it names none, or in another form."""
    try:
        end = json.loads(raw)["event"]["end"]
        time = datetime.fromisoformat(end) if end.endswith("Z") else None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return time if time and time.year in BELIEVED_YEARS else None
