"""The calendars of registered accounts, as Cronofy shows them.

https://docs.cronofy.com/developers/api/events/read-events/
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlencode

from meeting_agents.cronofy.client import CronofyClient
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, Outcome
from meeting_agents.cronofy.payloads import next_page, read_calendar
from meeting_agents.domain.model import Reading
from meeting_agents.domain.readings import Calendar
from meeting_agents.errors import NotFound, Unreachable
from meeting_agents.tokens import Tokens

MAX_PAGES = 10
"""Pages of one calendar that are read; one with more has changed too much to be read in a few seconds."""
CHANGED_BEFORE = timedelta(days=1)
"""Changes are read from this long before the newest word: a calendar's clock differs, and Cronofy follows it later."""


class Calendars:
    """Reads calendars in the name of registered accounts."""

    def __init__(self, cronofy: CronofyClient, tokens: Tokens) -> None:
        self._cronofy = cronofy
        self._tokens = tokens

    def read(
        self, calendar: Calendar, tzids: Mapping[str, str], since: datetime, *, until: float, share: float
    ) -> dict[str, Reading]:
        """Return what a calendar shows of these calendar events, by `event_id`; an unchanged one may be missing.

        `tzids`: the time zone of each meeting. `since`: the time of the newest word on their times. `until`: the value
        of `time.monotonic` at which to stop. `share`: the part of Cronofy's limits that may be in use.

        Raises `NotFound` if Cronofy refuses, `Unreachable` if the calendar was not read to its end, and what
        `Tokens.send` and `CronofyClient.permit` raise.
        """
        query = {
            "tzid": "Etc/UTC",
            "calendar_ids[]": calendar.calendar_id,
            "only_managed": "true",
            "include_deleted": "true",
            "include_moved": "true",
            "last_modified": f"{since - CHANGED_BEFORE:%Y-%m-%dT%H:%M:%SZ}",
        }
        pages: list[object] = []
        path = f"/v1/events?{urlencode(query)}"
        while path and len(pages) < MAX_PAGES:
            request = CronofyRequest("GET", path, calendar.data_center, "")
            permit = self._cronofy.permit(calendar.data_center, share)
            credentials = CallerCredentials(account=calendar.account)
            response = self._tokens.send(request, credentials, until=until, permit=permit)
            if response.outcome is Outcome.REJECTED:
                raise NotFound(f"Cronofy answered {response.status}: this account may not read the calendar")
            if response.outcome is not Outcome.ACCEPTED or not isinstance(response.content, dict):
                raise Unreachable(f"Cronofy answered {response.status} instead of a page of the calendar")
            pages.append(response.content)
            path = next_page(response.content)
        if path:
            raise Unreachable(f"the calendar has more than {MAX_PAGES} pages of changes")
        return read_calendar(pages, calendar.calendar_id, tzids)
