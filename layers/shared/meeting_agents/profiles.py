"""The conferencing profiles of registered accounts, as Cronofy shows them.

https://docs.cronofy.com/developers/api/identity/userinfo/
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from meeting_agents.aws.accounts import Account, Accounts
from meeting_agents.cronofy.client import CronofyClient
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, Outcome, Permit
from meeting_agents.cronofy.userinfo import PATH, read_profiles
from meeting_agents.domain.profiles import KnownProfiles, Profile, is_outdated, reported_after
from meeting_agents.domain.record import Record
from meeting_agents.errors import MeetingAgentsError, NotFound, Unreachable
from meeting_agents.tokens import Tokens


class Profiles:
    """Reads conferencing profiles in the name of registered accounts, seldom, and remembers them."""

    def __init__(self, cronofy: CronofyClient, tokens: Tokens, accounts: Accounts) -> None:
        self._cronofy = cronofy
        self._tokens = tokens
        self._accounts = accounts

    def is_time(self, account_id: str) -> bool:
        """Return True if the profiles that were reported of an account may be read again."""
        account = self._accounts.find(account_id)
        known = account.profiles if account else KnownProfiles()
        return bool(known.reported) and (known.next_at is None or known.next_at <= datetime.now(UTC))

    def look(
        self, account_id: str, records: Collection[Record], now: datetime, *, until: float, share: float
    ) -> tuple[KnownProfiles | None, bool]:
        """Return what is known of an account's profiles, and if they were read for that; None if it is too early.

        They are read if that is needed to decide on these agents. Those that keep an agent from its conference are
        stored with the account, so that the alert about it has their addresses. `until` and `share` are as in
        `Calendars.read`.

        Raises `UnknownAccount`, `NotFound` if Cronofy refuses, `Unreachable` if its response does not list the
        profiles, and what `Tokens.send` and `CronofyClient.permit` raise.
        """
        account = self._accounts.read(account_id)
        known = account.profiles
        if is_read := is_outdated(known, records, now):
            if known.next_at and now < known.next_at:
                return None, False
            permit = self._cronofy.permit(account.data_center, share)
            if not self._accounts.claim_profiles(account, now):
                return None, False
            known = replace(known, profiles=self._read(account, permit, until), read_at=now)
        reported = reported_after(known, records)
        if is_read or reported != known.reported:
            known = replace(known, reported=reported)
            self._accounts.save_profiles(account_id, known)
        return known, is_read

    def listed(self, account_id: str, *, until: float) -> tuple[Profile, ...] | None:
        """Return an account's profiles as Cronofy lists them now, and store nothing; None if they cannot be read."""
        try:
            return self._read(self._accounts.read(account_id), None, until)
        except MeetingAgentsError:
            return None

    def _read(self, account: Account, permit: Permit | None, until: float) -> tuple[Profile, ...]:
        request = CronofyRequest("GET", PATH, account.data_center, "")
        response = self._tokens.send(request, CallerCredentials(account=account.id), until=until, permit=permit)
        if response.outcome is Outcome.REJECTED:
            raise NotFound(f"Cronofy answered {response.status}: this account's profiles may not be read")
        profiles = read_profiles(response.content) if response.outcome is Outcome.ACCEPTED else None
        if profiles is None:
            raise Unreachable(f"Cronofy answered {response.status} instead of the account's profiles")
        return profiles
