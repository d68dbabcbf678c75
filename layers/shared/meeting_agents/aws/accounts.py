"""The accounts table: registered accounts, with their tokens encrypted by a KMS key of their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meeting_agents.aws import keys
from meeting_agents.aws.dynamodb import Item, Table, store_errors
from meeting_agents.cronofy.messages import AccountState
from meeting_agents.domain.profiles import READ_AGAIN_AFTER, KnownProfiles, Profile
from meeting_agents.errors import UnknownAccount

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

LEASE_SECONDS = 25.0
"""Seconds after which the lease on the renewal of an account's tokens ends, should its holder have died."""
_STATE = {"#state": "state"}
SHOWN = (
    "account_id",
    "data_center",
    "#state",
    "registered_at",
    "refreshed_at",
    "access_until",
    "disconnected_profiles",
)
"""The attributes that are read for a list: all but the tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSummary:
    """A registered account without its tokens."""

    id: str
    data_center: str
    state: AccountState
    registered_at: datetime
    refreshed_at: datetime | None = None
    access_token_until: datetime | None = None
    disconnected: tuple[Profile, ...] = ()
    """The conferencing profiles whose disconnection keeps a meeting from its conference."""

    @property
    def relink_urls(self) -> tuple[str, ...]:
        """The addresses at which the user connects them again."""
        return tuple(dict.fromkeys(profile.relink_url for profile in self.disconnected if profile.relink_url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(AccountSummary):
    """A registered account; its tokens stay encrypted."""

    profiles: KnownProfiles = field(default_factory=KnownProfiles)
    version: int
    """Changes with each registration and renewal; a write fails if the account changed since it was read."""
    refresh_token: bytes = field(repr=False)
    access_token: bytes = field(default=b"", repr=False)


class Accounts:
    """The registered accounts.

    Every method raises `StoreUnavailable` when the table, or the key that encrypts the tokens, does not answer.
    """

    def __init__(self, table: Table, kms: "KMSClient", key_id: str, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._kms = kms
        self._key_id = key_id
        self._clock = clock
        self._decrypted: dict[str, tuple[int, str]] = {}

    def register(self, account_id: str, data_center: str, refresh_token: str) -> Account:
        """Store a refresh token; it replaces the earlier token and everything else stored of the account."""
        encrypted = self._encrypt(account_id, data_center, refresh_token)
        item = self._table.update(
            keys.account(account_id),
            "SET data_center = :data_center, #state = :active, registered_at = :now, refresh_token = :token"
            ", version = :version REMOVE access_token, access_until, refreshed_at, lease_until",
            {
                ":data_center": {"S": data_center},
                ":active": {"S": AccountState.ACTIVE},
                ":now": _number(self._clock()),
                ":token": {"B": encrypted},
                ":version": {"N": str(int(self._clock() * 1000))},
            },
            names=_STATE,
        )
        assert item is not None  # noqa: S101 - an update without a condition returns what it wrote
        return _account(item)

    def read(self, account_id: str) -> Account:
        """Return the account. Raises `UnknownAccount`."""
        account = self.find(account_id)
        if account is None:
            raise UnknownAccount(f"no account {account_id} is registered; PUT /v1/accounts/{account_id} registers one")
        return account

    def find(self, account_id: str) -> Account | None:
        """Return the account, or None."""
        item = self._table.get(keys.account(account_id))
        return _account(item) if item else None

    def page(self, limit: int, position: str = "") -> tuple[list[AccountSummary], str]:
        """Return some accounts without their tokens, in no order, and the position of the next page, empty if none."""
        items, last = self._table.scan_page(
            Select="SPECIFIC_ATTRIBUTES",  # the role in the template permits nothing else
            ProjectionExpression=", ".join(SHOWN),
            ExpressionAttributeNames=_STATE,
            Limit=limit,
            **({"ExclusiveStartKey": keys.account(position)} if position else {}),
        )
        return [AccountSummary(**_shown(item)) for item in items], last.get("account_id", {}).get("S", "")

    def delete(self, account_id: str) -> bool:
        """Delete the account and its tokens; False if it was not registered."""
        return self._table.delete(keys.account(account_id))

    # --------------------------------------------------------------------------------------------------------- tokens

    def access_token(self, account: Account) -> str:
        """Return the access token, or an empty string; it is decrypted once for each renewal."""
        if not account.access_token:
            return ""
        version, token = self._decrypted.get(account.id, (0, ""))
        if version != account.version:
            token = self._decrypt(account, account.access_token)
            self._decrypted[account.id] = account.version, token
        return token

    def refresh_token(self, account: Account) -> str:
        """Return the refresh token, decrypted."""
        return self._decrypt(account, account.refresh_token)

    def lease_renewal(self, account: Account) -> bool:
        """Acquire the lease on renewing the account's tokens; False if another caller has it or has renewed them."""
        now = self._clock()
        leased = self._table.update(
            keys.account(account.id),
            "SET lease_until = :until",
            {":until": _number(now + LEASE_SECONDS), ":now": _number(now), ":version": {"N": str(account.version)}},
            "version = :version AND (attribute_not_exists(lease_until) OR lease_until < :now)",
        )
        return leased is not None

    def release_renewal(self, account: Account) -> None:
        """Release the lease, so that the next caller may renew the account's tokens at once."""
        self._change(account, "REMOVE lease_until", {})

    def save_tokens(self, account: Account, access_token: str, seconds: float, refresh_token: str) -> None:
        """Store an access token that is valid for `seconds`, and a new refresh token unless it is empty."""
        changes = "SET access_token = :access, access_until = :until, refreshed_at = :now, version = :next"
        now = self._clock()
        values: dict[str, Any] = {
            ":access": {"B": self._encrypt(account.id, account.data_center, access_token)},
            ":until": _number(now + seconds),
            ":now": _number(now),
            ":next": {"N": str(account.version + 1)},
        }
        if refresh_token:
            changes += ", refresh_token = :refresh"
            values[":refresh"] = {"B": self._encrypt(account.id, account.data_center, refresh_token)}
        self._change(account, f"{changes} REMOVE lease_until", values)

    def require_authorisation(self, account: Account) -> None:
        """Record that the account's user must authorise the application again."""
        changes = "SET #state = :needs REMOVE access_token, access_until, lease_until"
        self._change(account, changes, {":needs": {"S": AccountState.REAUTHORISATION_REQUIRED}}, _STATE)

    # ----------------------------------------------------------------------------------------- conferencing profiles

    def claim_profiles(self, account: Account, now: datetime) -> bool:
        """Claim the next reading of the account's conferencing profiles; False if another sweep has it.

        No other follows within `READ_AGAIN_AFTER`, even if this one fails.
        """
        before = account.profiles.next_at
        values = {":next": _number((now + READ_AGAIN_AFTER).timestamp())}
        condition = "attribute_not_exists(profiles_next_at)"
        if before:
            values[":before"] = _number(before.timestamp())
            condition = "profiles_next_at = :before"
        condition = f"attribute_exists(account_id) AND {condition}"
        return (
            self._table.update(keys.account(account.id), "SET profiles_next_at = :next", values, condition) is not None
        )

    def save_profiles(self, account_id: str, known: KnownProfiles) -> None:
        """Store what is known of the account's conferencing profiles. A new registration changes nothing about it.

        The alert is decided when an agent that waits, or the account's group, is in the queue of alerts.
        """
        if known.read_at is None:
            return
        changes = "SET profiles = :profiles, profiles_read_at = :at, disconnected_profiles = :reported"
        values: dict[str, Any] = {
            ":profiles": {"L": [_packed_profile(profile) for profile in known.profiles]},
            ":at": _number(known.read_at.timestamp()),
            ":reported": {"L": [_packed_profile(profile) for profile in known.reported]},
        }
        self._table.update(keys.account(account_id), changes, values, "attribute_exists(account_id)")

    def _change(self, account: Account, changes: str, values: Item, names: dict[str, str] | None = None) -> None:
        """Change the account, unless it was renewed, registered again or deleted after it was read."""
        values = {**values, ":version": {"N": str(account.version)}}
        self._table.update(keys.account(account.id), changes, values, "version = :version", names)

    # ------------------------------------------------------------------------------------------------------ encryption

    def _encrypt(self, account_id: str, data_center: str, token: str) -> bytes:
        with store_errors("KMS"):
            return self._kms.encrypt(
                KeyId=self._key_id,
                Plaintext=token.encode(),
                EncryptionContext=encryption_context(account_id, data_center),
            )["CiphertextBlob"]

    def _decrypt(self, account: Account, ciphertext: bytes) -> str:
        with store_errors("KMS"):
            return self._kms.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=ciphertext,
                EncryptionContext=encryption_context(account.id, account.data_center),
            )["Plaintext"].decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The connection of an account to Cronofy, and that of its conferencing profiles."""

    state: AccountState
    disconnected: tuple[Profile, ...] = ()
    """The disconnected conferencing profiles that keep a meeting from its conference."""


def connection_of(table: Table, account_id: str) -> Connection | None:
    """Return the connection of an account without reading its tokens; None if it is not registered."""
    item = table.get(keys.account(account_id), "account_id, #state, disconnected_profiles", _STATE)
    if not item:
        return None
    return Connection(state=AccountState(item["state"]["S"]), disconnected=_profiles(item, "disconnected_profiles"))


def encryption_context(account_id: str, data_center: str) -> dict[str, str]:
    """Return the context that binds a ciphertext to its account: in another account's item it cannot be decrypted."""
    return {"account": account_id, "data_center": data_center}


def _number(value: float) -> dict[str, str]:
    return {"N": f"{value:.3f}"}


def _account(item: Item) -> Account:
    return Account(
        **_shown(item),
        profiles=KnownProfiles(
            profiles=_profiles(item, "profiles"),
            read_at=_time(item["profiles_read_at"]) if "profiles_read_at" in item else None,
            next_at=_time(item["profiles_next_at"]) if "profiles_next_at" in item else None,
            reported=_profiles(item, "disconnected_profiles"),
        ),
        version=int(item["version"]["N"]),
        refresh_token=item["refresh_token"]["B"],
        access_token=item.get("access_token", {"B": b""})["B"],
    )


def _shown(item: Item) -> dict[str, Any]:
    return {
        "id": item["account_id"]["S"],
        "data_center": item["data_center"]["S"],
        "state": AccountState(item["state"]["S"]),
        "registered_at": _time(item["registered_at"]),
        "refreshed_at": _time(item["refreshed_at"]) if "refreshed_at" in item else None,
        "access_token_until": _time(item["access_until"]) if "access_until" in item else None,
        "disconnected": _profiles(item, "disconnected_profiles"),
    }


def _packed_profile(profile: Profile) -> dict[str, Any]:
    values = {"id": {"S": profile.id}, "is_connected": {"BOOL": profile.is_connected}}
    return {"M": values | {"relink_url": {"S": profile.relink_url}}}


def _profiles(item: Item, name: str) -> tuple[Profile, ...]:
    stored = (value["M"] for value in item.get(name, {}).get("L", ()))
    return tuple(
        Profile(id=one["id"]["S"], is_connected=one["is_connected"]["BOOL"], relink_url=one["relink_url"]["S"])
        for one in stored
    )


def _time(value: Item) -> datetime:
    return datetime.fromtimestamp(float(value["N"]), UTC)
