"""Tokens for requests to Cronofy; an account's access token is renewed before it expires.

https://docs.cronofy.com/developers/api/authorization/refresh-token/
"""

import json
import random
import time
from collections.abc import Callable

from meeting_agents.aws.accounts import Account, Accounts
from meeting_agents.cronofy.client import CronofyClient
from meeting_agents.cronofy.client_secrets import ClientSecrets
from meeting_agents.cronofy.messages import AccountState, CallerCredentials, CronofyRequest, CronofyResponse, Permit
from meeting_agents.errors import ReauthorisationRequired, Unreachable, UpstreamTimeout

REFRESH_AHEAD_SECONDS = 300.0
"""Seconds before its expiry at which an access token is renewed; other callers use it meanwhile."""
MIN_REMAINING_SECONDS = 30.0
"""Seconds for which an access token must remain valid to be used."""
LEASE_WAIT_SECONDS = 12.0
"""Seconds for which a caller waits while another renews the token."""


class Tokens:
    """The tokens of callers, accounts and applications."""

    def __init__(
        self,
        accounts: Accounts,
        cronofy: CronofyClient,
        client_secrets: ClientSecrets,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._accounts = accounts
        self._cronofy = cronofy
        self._client_secrets = client_secrets
        self._clock = clock
        self._sleep = sleep

    def token(self, credentials: CallerCredentials, data_center: str, refused: str = "", *, until: float) -> str:
        """Return the caller's own token, the account's access token, or the application's API key.

        `refused`: the token that Cronofy has just answered with 401; without another the same is returned. `until`: the
        value of `time.monotonic` at which to stop waiting. Raises what `access_token` does.
        """
        if credentials.token:
            return credentials.token
        if credentials.account:
            return self.access_token(credentials.account, refused, until)
        return self._client_secrets.api_key(data_center, refused)

    def send(
        self,
        request: CronofyRequest,
        credentials: CallerCredentials,
        *,
        until: float,
        permit: Permit | None = None,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> CronofyResponse:
        """Send a request with the token of these credentials; after a 401, send it again if there is another token.

        Raises what `token` and `CronofyClient.send` raise.
        """
        token = self.token(credentials, request.data_center, until=until)
        response = self._cronofy.send(request, token, permit=permit, until=until, may_repeat=may_repeat)
        if response.status == 401:
            renewed = self.token(credentials, request.data_center, refused=token, until=until)
            if renewed != token and may_repeat():
                return self._cronofy.send(request, renewed, until=until, may_repeat=may_repeat)
        return response

    def access_token(self, account_id: str, refused: str = "", until: float | None = None) -> str:
        """Return an access token of the account; `refused` and `until` as in `token`.

        Of several callers that need a new token at the same time one renews it, and the others wait. Raises
        `UnknownAccount`, `ReauthorisationRequired`, `Unreachable`, `RateLimited`, `MissingSecret`, `StoreUnavailable`.
        """
        wait_until = self._clock() + LEASE_WAIT_SECONDS
        while True:
            account = self._accounts.read(account_id)
            if account.state is AccountState.REAUTHORISATION_REQUIRED:
                raise ReauthorisationRequired(_next_step(account_id))
            token = self._accounts.access_token(account)
            remaining = account.access_token_until.timestamp() - self._clock() if account.access_token_until else 0.0
            is_valid = bool(token) and token != refused and remaining > MIN_REMAINING_SECONDS
            if is_valid and remaining > REFRESH_AHEAD_SECONDS:
                return token
            if self._accounts.lease_renewal(account):
                return self._renew(account, until)
            if is_valid:
                return token  # another caller is renewing it
            if self._clock() > wait_until or (until is not None and time.monotonic() > until):
                raise Unreachable("another request is renewing the account's access token, which takes too long")
            self._sleep(random.uniform(0.05, 0.25))  # noqa: S311 - jitter, not a secret

    def _renew(self, account: Account, until: float | None) -> str:
        """Request new tokens from Cronofy, store them, and return the access token.

        A registration in the meantime stays as it is.
        """
        try:
            response = self._request_tokens(account, until)
        except BaseException:
            self._accounts.release_renewal(account)
            raise
        content = response.content if isinstance(response.content, dict) else {}
        if response.status == 400 and content.get("error") == "invalid_grant":
            self._accounts.require_authorisation(account)
            raise ReauthorisationRequired(_next_step(account.id))
        token, seconds = content.get("access_token"), content.get("expires_in")
        if response.status != 200 or not (token and isinstance(token, str)) or not isinstance(seconds, int | float):
            self._accounts.release_renewal(account)
            raise Unreachable(f"Cronofy returned no access token for the account: it answered {response.status}")
        refresh_token = content.get("refresh_token")
        self._accounts.save_tokens(
            account, token, float(seconds), refresh_token if isinstance(refresh_token, str) else ""
        )
        return token

    def _request_tokens(self, account: Account, until: float | None) -> CronofyResponse:
        body = {
            "client_id": self._client_secrets.client_id(account.data_center),
            "client_secret": self._client_secrets.api_key(account.data_center),
            "grant_type": "refresh_token",
            "refresh_token": self._accounts.refresh_token(account),
        }
        # Not idempotent: a refresh may return a new refresh token and invalidate the old one.
        request = CronofyRequest("POST", "/oauth/token", account.data_center, json.dumps(body), is_idempotent=False)
        try:
            return self._cronofy.send(request, "", until=until)
        except UpstreamTimeout as error:
            # Only the renewal was sent, so the caller's request certainly had no effect.
            raise Unreachable("Cronofy did not answer the renewal of the account's access token") from error


def _next_step(account_id: str) -> str:
    return (
        f"Cronofy no longer accepts the refresh token of the account {account_id}: let its user authorise the"
        f" application again, then PUT /v1/accounts/{account_id} with the new token"
    )
