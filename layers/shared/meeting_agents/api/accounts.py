"""Registered accounts: users in whose name requests to Cronofy are sent."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.bodies import AccountRegistration
from meeting_agents.api.context import collaborators
from meeting_agents.api.parameters import AccountId
from meeting_agents.api.problems import responses
from meeting_agents.api.views import AccountView
from meeting_agents.aws.accounts import Account
from meeting_agents.errors import NotFound

router = APIGatewayHttpRouter()


@router.put(
    "/v1/accounts/<account_id>", tags=["Accounts"], responses=responses(200, "the account", AccountView, 404, 413)
)
def register_account(account_id: AccountId, body: Annotated[AccountRegistration, Body()]) -> AccountView:
    """Register a user's refresh token, or replace it, so that `Cronofy-Account` can name the user."""
    return to_view(collaborators().accounts().register(account_id, body.data_center, body.refresh_token))


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


def to_view(account: Account) -> AccountView:
    """Return the account as callers see it, without its tokens."""
    return AccountView.model_validate(account)
