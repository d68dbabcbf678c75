"""Registered accounts: a user's tokens, kept encrypted in a table of their own and renewed before they expire.

https://docs.cronofy.com/developers/api/authorization/refresh-token/
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.calls import AccountState, Answer, Call
from meeting_agents.credentials import Credentials
from meeting_agents.cronofy.client import Cronofy
from meeting_agents.errors import NeedsAuthorisation, StoreUnavailable, TimedOut, UnknownAccount, Unreachable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient

EARLY = 300.0
"""Seconds before its end at which an access token is renewed, so that others can go on with it meanwhile."""
LEAST = 30.0
"""Seconds that an access token must still be good for, to be used."""
LEASE = 25.0
"""Seconds for which one caller renews and the others wait; a caller that died is forgotten after them."""
PATIENCE = 12.0
"""Seconds for which a caller waits for another's renewal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A registered account; its tokens stay encrypted."""

    id: str
    data_center: str
    state: AccountState
    registered_at: datetime
    refreshed_at: datetime | None = None
    access_token_until: datetime | None = None
    version: int
    """Another with each registration and renewal: what was read is only changed if nothing changed since."""
    refresh_token: bytes = field(repr=False)
    access_token: bytes = field(default=b"", repr=False)


class Accounts:
    """The accounts table.

    Every method raises `StoreUnavailable` when the table, or the key that encrypts the tokens, does not answer.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        kms: "KMSClient",
        key_id: str,
        cronofy: Cronofy,
        credentials: Credentials,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._kms = kms
        self._key_id = key_id
        self._cronofy = cronofy
        self._credentials = credentials
        self._clock = clock
        self._sleep = sleep
        self._decrypted: dict[str, tuple[int, str]] = {}

    def register(self, account_id: str, data_center: str, refresh_token: str) -> Account:
        """Keep a refresh token; one that was kept before is replaced, and with it all that was known of the account."""
        encrypted = self._encrypted(account_id, data_center, refresh_token)
        answer = self._update(
            account_id,
            "SET data_center = :data_center, #state = :active, registered_at = :now, refresh_token = :token"
            ", version = :version REMOVE access_token, access_until, refreshed_at, lease_until, alert_until",
            {
                ":data_center": {"S": data_center},
                ":active": {"S": AccountState.ACTIVE},
                ":now": _number(self._clock()),
                ":token": {"B": encrypted},
                ":version": {"N": str(int(self._clock() * 1000))},
            },
            names={"#state": "state"},
        )
        assert answer is not None  # noqa: S101 - an update without a condition returns what it wrote
        return _account(answer)

    def read(self, account_id: str) -> Account:
        """The account. Raises `UnknownAccount`."""
        account = self.find(account_id)
        if account is None:
            raise UnknownAccount(f"no account {account_id} is registered; PUT /v1/accounts/{account_id} registers one")
        return account

    def find(self, account_id: str) -> Account | None:
        """The account, or none."""
        with _answering():
            item = self._client.get_item(TableName=self._table, Key=_key(account_id), ConsistentRead=True).get("Item")
        return _account(item) if item else None

    def delete(self, account_id: str) -> bool:
        """Forget the account and its tokens; False if it was not known."""
        with _answering():
            answer = self._client.delete_item(TableName=self._table, Key=_key(account_id), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    def access_token(self, account_id: str, refused: str = "", until: float | None = None) -> str:
        """An access token that is good for a call now.

        `refused`: one that Cronofy has just answered with 401, so that another is wanted. Of many callers that need a
        new one at the same time one renews it, and the others wait for it. `until`: of `time.monotonic`, when to wait
        no longer. Raises `UnknownAccount`, `NeedsAuthorisation`, `Unreachable`, `LimitReached`, `NoSecret`.
        """
        waits_until = self._clock() + PATIENCE
        while True:
            account = self.read(account_id)
            if account.state is AccountState.NEEDS_AUTHORISATION:
                raise NeedsAuthorisation(_advice(account_id))
            token = self._token(account)
            left = account.access_token_until.timestamp() - self._clock() if account.access_token_until else 0.0
            is_good = bool(token) and token != refused and left > LEAST
            if is_good and left > EARLY:
                return token
            if self._lease(account):
                return self._renewed(account, until)
            if is_good:
                return token  # somebody else renews it, and it will do until then
            if self._clock() > waits_until or (until is not None and time.monotonic() > until):
                raise Unreachable("another request is renewing the account's access token, and that takes too long")
            self._sleep(random.uniform(0.05, 0.25))  # noqa: S311 - jitter, not a secret

    def claim_alert(self, account_id: str, seconds: float) -> bool:
        """Whether it is for this caller to tell people that the account needs a person: one at a time is told yes.

        Whoever claims it writes it down and calls `told`; should it die between the two, another may claim it after
        `seconds`.
        """
        now = self._clock()
        claimed = self._update(
            account_id,
            "SET alert_until = :until",
            {":until": _number(now + seconds), ":now": _number(now), ":needs": {"S": AccountState.NEEDS_AUTHORISATION}},
            "#state = :needs AND (attribute_not_exists(alert_until) OR alert_until < :now)",
            {"#state": "state"},
        )
        return claimed is not None

    def told(self, account_id: str) -> None:
        """People will be told: nobody needs to claim it again until the account is registered again."""
        self._update(
            account_id,
            "SET alert_until = :never",
            {":never": {"N": "1e12"}, ":needs": {"S": AccountState.NEEDS_AUTHORISATION}},
            "#state = :needs",
            {"#state": "state"},
        )

    # ------------------------------------------------------------------------------------------------------- renewal

    def _lease(self, account: Account) -> bool:
        """The right to renew, for one caller at a time."""
        now = self._clock()
        leased = self._update(
            account.id,
            "SET lease_until = :until",
            {":until": _number(now + LEASE), ":now": _number(now), ":version": {"N": str(account.version)}},
            "version = :version AND (attribute_not_exists(lease_until) OR lease_until < :now)",
        )
        return leased is not None

    def _renewed(self, account: Account, until: float | None) -> str:
        """Ask Cronofy for new tokens, keep and return them. A registration that comes between is left as it is."""
        try:
            answer = self._asked(account, until)
        except BaseException:
            self._settle(account, "REMOVE lease_until", {})
            raise
        content = answer.content if isinstance(answer.content, dict) else {}
        if answer.status == 400 and content.get("error") == "invalid_grant":
            needs: dict[str, Any] = {":needs": {"S": AccountState.NEEDS_AUTHORISATION}}
            self._settle(
                account,
                "SET #state = :needs REMOVE access_token, access_until, lease_until",
                needs,
                {"#state": "state"},
            )
            raise NeedsAuthorisation(_advice(account.id))
        token, seconds = content.get("access_token"), content.get("expires_in")
        if answer.status != 200 or not (token and isinstance(token, str)) or not isinstance(seconds, int | float):
            self._settle(account, "REMOVE lease_until", {})
            raise Unreachable(f"Cronofy gave no new access token for the account: it answered {answer.status}")
        refresh_token = content.get("refresh_token")
        kept = refresh_token if refresh_token and isinstance(refresh_token, str) else None
        changes = "SET access_token = :access, access_until = :until, refreshed_at = :now, version = :next"
        now = self._clock()
        values: dict[str, Any] = {
            ":access": {"B": self._encrypted(account.id, account.data_center, token)},
            ":until": _number(now + float(seconds)),
            ":now": _number(now),
            ":next": {"N": str(account.version + 1)},
        }
        if kept:
            changes += ", refresh_token = :refresh"
            values[":refresh"] = {"B": self._encrypted(account.id, account.data_center, kept)}
        self._settle(account, f"{changes} REMOVE lease_until", values)
        return token

    def _asked(self, account: Account, until: float | None) -> Answer:
        body = {
            "client_id": self._credentials.client_id(account.data_center),
            "client_secret": self._credentials.api_key(account.data_center),
            "grant_type": "refresh_token",
            "refresh_token": self._plain(account, account.refresh_token),
        }
        # Not repeatable: a refresh may hand out a new refresh token and end the old one.
        call = Call("POST", "/oauth/token", account.data_center, json.dumps(body), is_repeatable=False)
        try:
            return self._cronofy.send(call, "", until=until)
        except TimedOut as error:
            # About the account and not about the request, which has not been sent: so it certainly had no effect.
            raise Unreachable("Cronofy did not answer the renewal of the account's access token") from error

    def _settle(
        self, account: Account, changes: str, values: dict[str, Any], names: dict[str, str] | None = None
    ) -> None:
        values = values | {":version": {"N": str(account.version)}}
        self._update(account.id, changes, values, "version = :version", names)

    # -------------------------------------------------------------------------------------------------- table and key

    def _update(
        self,
        account_id: str,
        changes: str,
        values: dict[str, Any],
        condition: str = "",
        names: dict[str, str] | None = None,
    ) -> Mapping[str, Any] | None:
        """The item after the change, or none if the condition did not hold."""
        conditions: dict[str, Any] = {"ConditionExpression": condition} if condition else {}
        if names:
            conditions["ExpressionAttributeNames"] = names
        with _answering():
            try:
                return self._client.update_item(
                    TableName=self._table,
                    Key=_key(account_id),
                    UpdateExpression=changes,
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                    **conditions,
                )["Attributes"]
            except self._client.exceptions.ConditionalCheckFailedException:
                return None

    def _token(self, account: Account) -> str:
        """The access token, decrypted once for each renewal; nothing if there is none."""
        if not account.access_token:
            return ""
        version, token = self._decrypted.get(account.id, (0, ""))
        if version != account.version:
            token = self._plain(account, account.access_token)
            self._decrypted[account.id] = account.version, token
        return token

    def _encrypted(self, account_id: str, data_center: str, token: str) -> bytes:
        with _answering():
            return self._kms.encrypt(
                KeyId=self._key_id, Plaintext=token.encode(), EncryptionContext=_context(account_id, data_center)
            )["CiphertextBlob"]

    def _plain(self, account: Account, ciphertext: bytes) -> str:
        with _answering():
            return self._kms.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=ciphertext,
                EncryptionContext=_context(account.id, account.data_center),
            )["Plaintext"].decode()


def _advice(account_id: str) -> str:
    return (
        f"Cronofy takes the refresh token of the account {account_id} no more: let its user authorise the application"
        f" again, then PUT /v1/accounts/{account_id} with the new token"
    )


def _context(account_id: str, data_center: str) -> dict[str, str]:
    """What a ciphertext is bound to: moved to another account's item it cannot be decrypted."""
    return {"account": account_id, "data_center": data_center}


def _key(account_id: str) -> dict[str, Any]:
    return {"account_id": {"S": account_id}}


def _number(value: float) -> dict[str, str]:
    return {"N": f"{value:.3f}"}


def _account(item: Mapping[str, Any]) -> Account:
    return Account(
        id=item["account_id"]["S"],
        data_center=item["data_center"]["S"],
        state=AccountState(item["state"]["S"]),
        registered_at=_moment(item["registered_at"]),
        refreshed_at=_moment(item["refreshed_at"]) if "refreshed_at" in item else None,
        access_token_until=_moment(item["access_until"]) if "access_until" in item else None,
        version=int(item["version"]["N"]),
        refresh_token=item["refresh_token"]["B"],
        access_token=item.get("access_token", {"B": b""})["B"],
    )


def _moment(value: Mapping[str, str]) -> datetime:
    return datetime.fromtimestamp(float(value["N"]), UTC)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise StoreUnavailable(f"the accounts table or its key answered {code}; try again") from error
    except BotoCoreError as error:
        raise StoreUnavailable("the accounts table or its key did not answer; try again") from error
