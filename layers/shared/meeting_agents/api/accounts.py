"""Registered accounts: users in whose name requests to Cronofy are sent."""

import time
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.bodies import AccountRegistration
from meeting_agents.api.context import collaborators
from meeting_agents.api.isolation import binding
from meeting_agents.api.pagination import read_account_cursor, write_cursor
from meeting_agents.api.parameters import AccountId
from meeting_agents.api.problems import responses
from meeting_agents.api.views import AccountList, AccountView, ConferencingProfile, RegisteredAccount
from meeting_agents.aws.accounts import AccountSummary
from meeting_agents.errors import NotFound

router = APIGatewayHttpRouter()

VERIFICATION_SECONDS = 10.0
"""The time for which Cronofy may take to answer for a token that is registered, and for its user's profiles."""


@router.get("/v1/accounts", tags=["Accounts"], responses=responses(200, "a page of accounts", AccountList))
def list_accounts(
    limit: Annotated[int, Query(ge=1, le=100)] = 50, cursor: Annotated[str | None, Query(max_length=1024)] = None
) -> AccountList:
    """List the registered accounts, without their tokens, in no order."""
    accounts, last = collaborators().accounts().page(limit, read_account_cursor(cursor) if cursor else "")
    own = filter(lambda account: binding().covers_account(account.id), accounts)
    return AccountList(accounts=tuple(map(to_view, own)), next_cursor=write_cursor(last, ""))


@router.put(
    "/v1/accounts/<account_id>",
    tags=["Accounts"],
    responses=responses(200, "the account, and the result of using its token once", RegisteredAccount, 404, 413),
)
def register_account(account_id: AccountId, body: Annotated[AccountRegistration, Body()]) -> RegisteredAccount:
    """Register a user's refresh token, or replace it, so that `Cronofy-Account` can name the user.

    The token is used once before it is stored. If Cronofy does not accept it, the response is 422 with the code
    `invalid_grant`, and what was registered before stays. If Cronofy does not answer, the token is stored, and
    `problem` says so. With the access token, Cronofy is asked for the user's conferencing profiles: an agent of a
    meeting has nothing to join if the profile that is to make its conference is disconnected.
    """
    until = time.monotonic() + VERIFICATION_SECONDS
    account, problem = collaborators().tokens().register(account_id, body.data_center, body.refresh_token, until=until)
    profiles = None if problem else collaborators().profiles().listed(account_id, until=until)
    views = None if profiles is None else tuple(ConferencingProfile.model_validate(one) for one in profiles)
    return RegisteredAccount(
        **to_view(account).model_dump(), verified=not problem, problem=problem, conferencing_profiles=views
    )


@router.get("/v1/accounts/<account_id>", tags=["Accounts"], responses=responses(200, "the account", AccountView, 404))
def read_account(account_id: AccountId) -> AccountView:
    """Read a registered account, without its tokens."""
    account = collaborators().accounts().find(account_id)
    if account is None:
        raise NotFound(f"no account {account_id} is registered")
    return to_view(account)


@router.delete("/v1/accounts/<account_id>", tags=["Accounts"], responses=responses(204, "it is deleted", None, 404))
def delete_account(account_id: AccountId) -> Response[str]:
    """Delete an account and its tokens. Requests in its name that wait to be sent again are rejected."""
    if not collaborators().accounts().delete(account_id):
        raise NotFound(f"no account {account_id} is registered")
    return Response(204, content_type="text/plain", body="")


def to_view(account: AccountSummary) -> AccountView:
    """Return the account as callers see it, without its tokens."""
    return AccountView.model_validate(account)
