"""The current request: its credentials, data center and text, the links to show, and the collaborators of routes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.labels import read_labels
from meeting_agents.api.views import Links
from meeting_agents.aws.accounts import Accounts
from meeting_agents.aws.archive_bucket import ArchiveBucket
from meeting_agents.aws.bindings import Bindings
from meeting_agents.aws.days import Days
from meeting_agents.aws.event_triggers import TriggerSupport
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Entries, Journal
from meeting_agents.aws.silences import Silences
from meeting_agents.aws.topics import LifecycleTopic
from meeting_agents.cronofy.client_secrets import ClientSecrets
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.cronofy.payloads import HOSTS
from meeting_agents.cronofy.resource_addresses import ResourceAddresses
from meeting_agents.cronofy.subscriptions import with_subscription
from meeting_agents.domain.labels import Labels
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import State
from meeting_agents.domain.record import Record
from meeting_agents.domain.silences import Quiet
from meeting_agents.domain.state_machine import TERMINAL_STATES
from meeting_agents.erasing import Eraser
from meeting_agents.errors import FieldError, InvalidRequest, MissingToken, NotFound
from meeting_agents.incident_list import IncidentList
from meeting_agents.profiles import Profiles
from meeting_agents.provisioning import Provisioning
from meeting_agents.tokens import Tokens

request = APIGatewayHttpRouter()
"""The current request, once the app includes this router; it has no routes."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Makers of the routes' collaborators. A route calls those it needs, so a cold start pays for no others."""

    default_data_center: Callable[[], str]
    trigger_lead_time: Callable[[], timedelta | None]
    event_triggers: Callable[[], TriggerSupport]
    public_url: Callable[[], str]
    journal: Callable[[], Journal]
    days: Callable[[], Days]
    provisioning: Callable[[], Provisioning]
    accounts: Callable[[], Accounts]
    client_secrets: Callable[[], ClientSecrets]
    resource_addresses: Callable[[], ResourceAddresses]
    lifecycle_topic: Callable[[], LifecycleTopic]
    groups: Callable[[], Groups]
    tokens: Callable[[], Tokens]
    profiles: Callable[[], Profiles]
    incident_list: Callable[[str], IncidentList]
    """Given the address of this API."""
    silences: Callable[[], Silences]
    eraser: Callable[[], Eraser]
    archive_bucket: Callable[[], ArchiveBucket | None] = lambda: None
    """None: nothing is archived."""
    bindings: Callable[[], Bindings | None] = lambda: None
    """None: each caller may act for all."""
    claims: Callable[[], tuple[str, str]] = lambda: ("", "")
    """The claims of a token that have the accounts and the labels of its caller; empty: none has."""


def collaborators() -> Collaborators:
    """Return the collaborators that the app put into the request's context."""
    found: Collaborators = request.context["collaborators"]
    return found


# ---------------------------------------------------------------------------------------------------------- credentials


def as_user(data_center: str | None, own_token: str | None, account: str | None) -> tuple[CallerCredentials, str]:
    """Return the credentials and the data center of a request about a user's calendar.

    Raises `MissingToken`, `UnknownAccount` and `InvalidRequest`.
    """
    if token := bearer_token(own_token):
        return CallerCredentials(token=token), known_data_center(data_center)
    if account is None:
        raise MissingToken(
            "send the user's Cronofy access token as `Cronofy-Authorization: Bearer …`, or name a registered account in"
            " `Cronofy-Account`"
        )
    registered = collaborators().accounts().read(account)
    if data_center not in (None, registered.data_center):
        raise InvalidRequest(
            "the account belongs to another data center",
            FieldError("Cronofy-Data-Center", f"{registered.data_center}, or left out"),
        )
    return CallerCredentials(account=account), registered.data_center


def as_application(data_center: str | None, own_token: str | None) -> tuple[CallerCredentials, str]:
    """Return the credentials and the data center of a request about an agent without a calendar event.

    Raises `InvalidRequest`, and `MissingSecret` if the application's API key is needed and not stored.
    """
    data_center = known_data_center(data_center)
    if token := bearer_token(own_token):
        return CallerCredentials(token=token), data_center
    require_client_secret(data_center)  # before the request is journalled
    return CallerCredentials(), data_center


def require_client_secret(data_center: str) -> None:
    """Raise `MissingSecret` if callbacks from this data center could not be verified."""
    collaborators().client_secrets().api_key(data_center)


def bearer_token(header: str | None) -> str:
    """Return the caller's own token for Cronofy, from `header`, else from `Authorization`; empty without one."""
    scheme, _, token = (header or request.current_event.headers.get("authorization", "")).partition(" ")
    is_token = scheme.lower() == "bearer" and re.fullmatch(r"[!-~]{1,4096}", token.strip())
    return token.strip() if is_token else ""


def known_data_center(name: str | None) -> str:
    """Return the data center of this name, by default the deployment's. Raises `InvalidRequest`."""
    data_center = name or collaborators().default_data_center()
    if data_center not in HOSTS:
        raise InvalidRequest("unknown data center", FieldError("Cronofy-Data-Center", f"one of {', '.join(HOSTS)}"))
    return data_center


def caller_name() -> str:
    """Return the caller's IAM ARN or JWT subject; empty if the authoriser gives neither."""
    authorizer = request.current_event.request_context.authorizer
    if authorizer is None:
        return ""
    return (authorizer.iam and authorizer.iam.user_arn) or (authorizer.jwt_claim or {}).get("sub") or ""


# ----------------------------------------------------------------------------------------------------------------- text


def labels_of_request() -> Labels:
    """Return the labels in the headers of the request. Raises `InvalidRequest`, which names each wrong one."""
    return read_labels(request.current_event.headers)


def raw_body() -> str:
    """Return the caller's own text, which is sent to Cronofy instead of a serialised model."""
    return request.current_event.decoded_body or ""


def trigger_lead_time(data_center: str) -> timedelta | None:
    """Return the time before the start at which a data center is to call; None if it is not to call."""
    lead_time = collaborators().trigger_lead_time()
    is_refused = lead_time is not None and collaborators().event_triggers().are_refused(data_center)
    return None if is_refused else lead_time


def with_our_subscription(agent_id: str, text: str, lead_time: timedelta | None = None) -> Callable[[int], str]:
    """Return a function that adds our subscription for an attempt to the text, and event triggers by `lead_time`.

    The subscription's address names the attempt from the second on.
    """
    base = f"{public_url()}/webhooks/cronofy/"

    def body_for(attempt: int) -> str:
        return with_subscription(
            text, base + agent_id + (f"?attempt={attempt}" if attempt > 1 else ""), base, lead_time
        )

    return body_for


# ---------------------------------------------------------------------------------------------------------------- links


def public_url() -> str:
    """Return the address of this API for Cronofy and for callers, without a slash at its end."""
    gateway = request.current_event.request_context
    stage = "" if gateway.stage == "$default" else f"/{gateway.stage}"
    return collaborators().public_url() or f"https://{gateway.domain_name}{stage}"


def links_to(agent_id: str) -> Links:
    """Return the addresses of an agent in this API."""
    return Links(self=f"{public_url()}/v1/meeting_agents/{agent_id}")


# --------------------------------------------------------------------------------------------------------------- agents


def find_record(agent_id: str) -> Record | None:
    """Return the record that the agent's journal folds to, or None without a journal. Raises `StoreUnavailable`."""
    return read_journal(agent_id)[1]


def read_journal(agent_id: str) -> tuple[Entries, Record | None]:
    """Return the agent's journal with the record that it folds to, None without one. Raises `StoreUnavailable`."""
    entries, erasure = collaborators().journal().read_with_erasure(agent_id, datetime.now(UTC))
    record = fold(stored.entry for stored in entries) if entries and not erasure else None
    return (entries, erasure), record


def read_record(agent_id: str) -> Record:
    """Return the record that the agent's journal folds to. Raises `NotFound` and `StoreUnavailable`."""
    record = find_record(agent_id)
    if record is None:
        raise NotFound.of_agent(agent_id)
    return record


def quiet() -> Quiet:
    """Return all silences and the quiet hours. Raises `StoreUnavailable`."""
    return collaborators().silences().quiet()


def may_be_cancelled(record: Record | None) -> bool:
    """True if a cancellation concerns an agent that is known here: one that has not ended, was refused, or has failed.

    No one is alerted of an agent that is not wanted, and no one lets Cronofy be asked for it again. While the meeting
    lasts, that of an agent that is done counts as well: the next request is for another one.
    """
    if record is None:
        return False
    if record.state is State.COMPLETE:
        return record.meeting.end is None or record.meeting.end > datetime.now(UTC)
    return record.state not in TERMINAL_STATES - {State.REJECTED, State.FAILED}
