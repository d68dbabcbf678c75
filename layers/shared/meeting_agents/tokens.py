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
from meeting_agents.errors import (
    FieldError,
    InvalidGrant,
    MissingSecret,
    RateLimited,
    ReauthorisationRequired,
    Unreachable,
    UpstreamTimeout,
)

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

    def register(
        self, account_id: str, data_center: str, refresh_token: str, *, until: float | None = None
    ) -> tuple[Account, str]:
        """Use a refresh token once, and store the account with the tokens that Cronofy returns for it.

        Return the account, and why the token could not be used; empty if it was. It is stored then, too. Raises
        `InvalidGrant` if Cronofy does not accept it: then what was registered before stays; and `StoreUnavailable`.
        """
        try:
            response = self._exchange(data_center, refresh_token, until)
        except (Unreachable, RateLimited, MissingSecret) as error:
            return self._accounts.register(account_id, data_center, refresh_token), error.detail
        if _is_invalid_grant(response):
            raise InvalidGrant(
                f"Cronofy's data center {data_center} does not accept this refresh token (invalid_grant), so nothing"
                " was stored: check the data center, or let the user authorise the application again",
                FieldError("refresh_token", f"one that is valid for the application in {data_center}"),
            )
        tokens = _tokens_in(response)
        if tokens is None:
            problem = f"Cronofy answered {response.status} instead of an access token"
            return self._accounts.register(account_id, data_center, refresh_token), problem
        access_token, seconds, new_refresh_token = tokens
        account = self._accounts.register(account_id, data_center, new_refresh_token or refresh_token)
        self._accounts.save_tokens(account, access_token, seconds, "")
        return self._accounts.read(account_id), ""

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
            response = self._exchange(account.data_center, self._accounts.refresh_token(account), until)
        except BaseException:
            self._accounts.release_renewal(account)
            raise
        if _is_invalid_grant(response):
            self._accounts.require_authorisation(account)
            raise ReauthorisationRequired(_next_step(account.id))
        tokens = _tokens_in(response)
        if tokens is None:
            self._accounts.release_renewal(account)
            raise Unreachable(f"Cronofy returned no access token for the account: it answered {response.status}")
        self._accounts.save_tokens(account, *tokens)
        return tokens[0]

    def _exchange(self, data_center: str, refresh_token: str, until: float | None) -> CronofyResponse:
        """Request tokens for a refresh token."""
        body = {
            "client_id": self._client_secrets.client_id(data_center),
            "client_secret": self._client_secrets.api_key(data_center),
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
        }
        # Not idempotent: a refresh may return a new refresh token and invalidate the old one.
        request = CronofyRequest("POST", "/oauth/token", data_center, json.dumps(body), is_idempotent=False)
        try:
            return self._cronofy.send(request, "", until=until)
        except UpstreamTimeout as error:
            # Only the renewal was sent, so the caller's request certainly had no effect.
            raise Unreachable("Cronofy did not answer the renewal of the account's access token") from error


def _is_invalid_grant(response: CronofyResponse) -> bool:
    content = response.content if isinstance(response.content, dict) else {}
    return response.status == 400 and content.get("error") == "invalid_grant"


def _tokens_in(response: CronofyResponse) -> tuple[str, float, str] | None:
    """Return an access token, the seconds for which it is valid, and a new refresh token or an empty text."""
    content = response.content if isinstance(response.content, dict) else {}
    token, seconds, refresh_token = (content.get(name) for name in ("access_token", "expires_in", "refresh_token"))
    if response.status != 200 or not (token and isinstance(token, str)) or not isinstance(seconds, int | float):
        return None
    return token, float(seconds), refresh_token if isinstance(refresh_token, str) else ""


def _next_step(account_id: str) -> str:
    return (
        f"Cronofy no longer accepts the refresh token of the account {account_id}: let its user authorise the"
        f" application again, then PUT /v1/accounts/{account_id} with the new token"
    )
