"""An account's tokens are encrypted, renewed once for all callers, and invalid when Cronofy says so."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from meeting_agents.aws.accounts import LEASE_SECONDS, Connection, connection_of
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.cronofy.messages import AccountState
from meeting_agents.errors import MissingSecret, RateLimited, ReauthorisationRequired, UnknownAccount, Unreachable
from meeting_agents.tokens import REFRESH_AHEAD_SECONDS
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import Grant


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        yield desk


@pytest.fixture
def grant(desk: Desk) -> Grant:
    """A user's consent, registered as alice."""
    grant = desk.cronofy.grant("us", calendars=(CALENDAR,))
    desk.accounts().register("alice", "us", grant.refresh_token)
    return grant


def refreshes(desk: Desk) -> int:
    return desk.cronofy.count("POST", "/oauth/token")


def item(desk: Desk) -> dict[str, Any]:
    """Return the account's item in the table."""
    (item,) = desk._client("dynamodb").scan(TableName=desk.accounts_table)["Items"]
    return dict(item)


def test_an_access_token_is_requested_when_first_needed_and_shared(desk: Desk, grant: Grant) -> None:
    """All processes use it until it expires."""
    tokens = {desk.tokens().access_token("alice") for _ in range(3)}
    assert tokens == {grant.access_token}
    assert refreshes(desk) == 1
    account = desk.accounts().read("alice")
    assert account.access_token_until == desk.now + timedelta(hours=1)
    assert account.refreshed_at == desk.now


@pytest.mark.parametrize("is_service_account", [False, True])
def test_an_access_token_is_renewed_before_it_expires(desk: Desk, is_service_account: bool) -> None:
    """After `expires_in`, an hour or half of one."""
    grant = desk.cronofy.grant("us", service_account=is_service_account)
    desk.accounts().register("alice", "us", grant.refresh_token)
    first = desk.tokens().access_token("alice")
    desk.now += timedelta(seconds=grant.expires_in - REFRESH_AHEAD_SECONDS - 1)
    assert desk.tokens().access_token("alice") == first
    desk.now += timedelta(seconds=2)
    assert desk.tokens().access_token("alice") != first
    assert refreshes(desk) == 2


def test_callers_that_need_a_token_at_once_cause_one_renewal(desk: Desk, grant: Grant) -> None:
    """One renews it, the others wait."""
    desk.cronofy.faults.add("POST", "/oauth/token", delay=0.3)
    callers = [desk.tokens(lambda _: time.sleep(0.05)) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda caller: caller.access_token("alice"), callers))
    assert tokens == {grant.access_token}
    assert refreshes(desk) == 1


def test_a_valid_token_is_used_while_another_caller_renews_it(desk: Desk, grant: Grant) -> None:
    """Without waiting."""
    first = desk.tokens().access_token("alice")
    desk.now += timedelta(seconds=3600 - REFRESH_AHEAD_SECONDS + 1)
    assert desk.accounts().lease_renewal(desk.accounts().read("alice"))
    assert desk.tokens().access_token("alice") == first
    assert refreshes(desk) == 1


def test_the_renewal_of_a_function_that_died_is_taken_over(desk: Desk, grant: Grant) -> None:
    """The lease expires; until then others wait, for a limited time."""
    accounts = desk.accounts()
    assert accounts.lease_renewal(accounts.read("alice"))
    began = desk.now
    with pytest.raises(Unreachable):
        desk.tokens().access_token("alice")
    assert desk.now - began < timedelta(seconds=LEASE_SECONDS)
    desk.now = began + timedelta(seconds=LEASE_SECONDS + 1)
    assert desk.tokens().access_token("alice") == grant.access_token


def test_a_token_that_cronofy_refused_is_renewed(desk: Desk, grant: Grant) -> None:
    """Once, even if two callers had the same 401."""
    refused = desk.tokens().access_token("alice")
    renewed = desk.tokens().access_token("alice", refused=refused)
    assert renewed != refused
    assert desk.tokens().access_token("alice", refused=refused) == renewed
    assert refreshes(desk) == 2


def test_a_new_refresh_token_replaces_the_old_one(desk: Desk, grant: Grant) -> None:
    """Cronofy does not document that there may be one."""
    desk.cronofy.behaviour.rotate_refresh_tokens = True
    for _ in range(3):
        desk.tokens().access_token("alice")
        desk.now += timedelta(hours=2)
    sent = [request.json["refresh_token"] for request in desk.cronofy.requests]
    assert len(set(sent)) == 3
    assert desk.accounts().read("alice").state is AccountState.ACTIVE


def test_after_invalid_grant_no_token_is_requested_until_a_new_registration(desk: Desk, grant: Grant) -> None:
    desk.cronofy.revoke(grant)
    for _ in range(3):
        with pytest.raises(ReauthorisationRequired, match="PUT /v1/accounts/alice"):
            desk.tokens().access_token("alice")
    assert refreshes(desk) == 1
    assert desk.accounts().read("alice").state is AccountState.REAUTHORISATION_REQUIRED
    again = desk.cronofy.grant("us")
    assert desk.accounts().register("alice", "us", again.refresh_token).state is AccountState.ACTIVE
    assert desk.tokens().access_token("alice") == again.access_token


def test_the_connection_of_an_account_is_read_without_its_tokens(desk: Desk, grant: Grant) -> None:
    """A function that alerts may read nothing else of it."""
    table = Table(desk._client("dynamodb"), desk.accounts_table)
    assert connection_of(table, "alice") == Connection(state=AccountState.ACTIVE)
    desk.cronofy.revoke(grant)
    with pytest.raises(ReauthorisationRequired):
        desk.tokens().access_token("alice")
    assert connection_of(table, "alice") == Connection(state=AccountState.REAUTHORISATION_REQUIRED)
    assert connection_of(table, "bob") is None


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 200, "body": "<html>not JSON</html>"},
        {"status": 200, "body": {"access_token": "", "expires_in": 3600}},
        {"status": 200, "body": {"access_token": "t", "expires_in": "soon"}},
        {"status": 200, "body": [1]},
        {"status": 400, "body": {"error": "invalid_client"}},
        {"close": "unanswered"},
        {"close": "unread"},
    ],
)
def test_a_renewal_that_fails_leaves_the_account_unchanged(desk: Desk, grant: Grant, fault: dict[str, Any]) -> None:
    """The next caller tries again at once. `invalid_client` is an error of the deployment, not of the user."""
    desk.cronofy.faults.add("POST", "/oauth/token", **fault)
    with pytest.raises(Unreachable):
        desk.tokens().access_token("alice")
    assert desk.accounts().read("alice").state is AccountState.ACTIVE
    assert desk.tokens().access_token("alice") == grant.access_token


def test_an_account_that_is_not_registered_is_unknown(desk: Desk) -> None:
    with pytest.raises(UnknownAccount, match="bob"):
        desk.tokens().access_token("bob")
    assert desk.accounts().find("bob") is None
    assert not desk.accounts().delete("bob")


def test_a_registration_during_a_renewal_is_not_overwritten(desk: Desk, grant: Grant) -> None:
    """Even after a deletion."""
    tokens, again = desk.tokens(), desk.cronofy.grant("us")

    def register_again(_: object) -> None:
        desk.http.event_hooks["response"] = []
        desk.sleep(1)
        desk.accounts().delete("alice")
        desk.accounts().register("alice", "us", again.refresh_token)

    desk.http.event_hooks["response"] = [register_again]
    tokens.access_token("alice")
    assert desk.tokens().access_token("alice") == again.access_token


def test_tokens_are_encrypted_in_the_table_and_bound_to_their_account(desk: Desk, grant: Grant) -> None:
    """A ciphertext cannot be decrypted for another account."""
    desk.tokens().access_token("alice")
    known = item(desk)
    shown = repr(known)
    assert grant.refresh_token not in shown
    assert grant.access_token not in shown
    context = {"account": "alice", "data_center": "us"}
    kms, blob = desk._client("kms"), known["refresh_token"]["B"]
    plain = kms.decrypt(KeyId=desk.key_id, CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]
    assert plain.decode() == grant.refresh_token
    with pytest.raises(ClientError):
        kms.decrypt(KeyId=desk.key_id, CiphertextBlob=blob, EncryptionContext=context | {"account": "mallory"})


def test_the_repr_of_an_account_has_no_token(desk: Desk, grant: Grant) -> None:
    """It may get into a log line or a traceback."""
    desk.tokens().access_token("alice")
    account = desk.accounts().read("alice")
    assert "token=" not in repr(account)


def test_a_renewal_counts_towards_cronofys_limits(desk: Desk, grant: Grant) -> None:
    desk.limits = Limits(per_second=1, per_minute=1)
    desk.rate_limiter().permit("us")
    with pytest.raises(RateLimited):
        desk.tokens().access_token("alice")
    assert refreshes(desk) == 0


def test_without_the_client_id_nothing_is_renewed(desk: Desk, grant: Grant) -> None:
    """The error names the missing part."""
    desk._client("secretsmanager").put_secret_value(
        SecretId=desk.secret, SecretString='{"us": {"client_secrets": ["s"]}}'
    )
    with pytest.raises(MissingSecret, match="client_id"):
        desk.tokens().access_token("alice")
