"""The real collaborators, made once per process, each only where it is used.

Imports stand inside the functions, for a cold start pays for each: `webhook` must not load what only `sweep` needs.
"""

import os
import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session

from meeting_agents.settings import Settings

if TYPE_CHECKING:
    import httpx

    from meeting_agents.accounts import Accounts
    from meeting_agents.announcements import Announcements
    from meeting_agents.credentials import Credentials
    from meeting_agents.cronofy.client import Cronofy
    from meeting_agents.journal import Journal
    from meeting_agents.people import People
    from meeting_agents.provisioning import Provisioning
    from meeting_agents.turn import Turn

_IMPATIENT = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
"""Cronofy waits 7 seconds for an answer, and API Gateway's callers 30: the defaults of a minute outlast both. Whatever
calls us tries again by itself."""

warnings.filterwarnings("ignore", "No application metrics to publish")  # a metric costs; what did not happen is none


@cache
def settings() -> Settings:
    """The environment of this function."""
    return Settings(os.environ)


def make_ready(*collaborators: Callable[[], object]) -> None:
    """Make these now if this process starts on Lambda: a start has a whole processor, a request a part of one."""
    if settings().is_starting_on_lambda:
        for collaborator in collaborators:
            collaborator()


@cache
def _session() -> Session:
    return Session()  # botocore's own: boto3's is the same one, and imports half as much again for what we do not use


@cache
def client(service: str) -> Any:
    """A client of an AWS service; one session serves all, for a second one costs many times a second client."""
    return _session().create_client(service, config=_IMPATIENT)


@cache
def journal() -> "Journal":
    """The agents table."""
    from meeting_agents.deadlines import Graces
    from meeting_agents.journal import Journal

    known = settings()
    graces = Graces(
        activation=known.activation_grace,
        completion=known.completion_grace,
        conference=known.conference_lead,
        resources=known.resources_grace,
        longest_meeting=known.longest_meeting,
        escalation=known.escalation,
        expected_resources=known.expected_resources,
    )
    return Journal(client("dynamodb"), known.agents_table, graces, known.retention)


@cache
def credentials() -> "Credentials":
    """The client secrets."""
    from meeting_agents.credentials import Credentials

    return Credentials(client("secretsmanager"), settings().cronofy_secret_arn)


@cache
def cronofy() -> "Cronofy":
    """Cronofy's API. Redirects are not followed: a token must not travel on."""
    import httpx

    from meeting_agents.cronofy.client import TIMEOUT, Cronofy
    from meeting_agents.pacing import Limits, Pacing

    known = settings()
    limits = Limits(known.requests_per_second, known.requests_per_minute)
    pacing = Pacing(client("dynamodb"), known.agents_table, limits)
    return Cronofy(httpx.Client(timeout=TIMEOUT, follow_redirects=False), known.cronofy_url, pacing)


@cache
def accounts() -> "Accounts":
    """The registered accounts and their tokens."""
    from meeting_agents.accounts import Accounts

    known = settings()
    return Accounts(
        client("dynamodb"), known.accounts_table, client("kms"), known.tokens_key_arn, cronofy(), credentials()
    )


@cache
def provisioning() -> "Provisioning":
    """Requests to Cronofy, journalled."""
    from meeting_agents.provisioning import Provisioning

    return Provisioning(journal(), cronofy(), credentials(), accounts())


@cache
def announcements() -> "Announcements":
    """The lifecycle topic."""
    from meeting_agents.announcements import Announcements

    return Announcements(client("sns"), settings().lifecycle_topic_arn)


@cache
def http() -> "httpx.Client":
    """A client for our own public address."""
    import httpx

    return httpx.Client(timeout=10.0, follow_redirects=False)


@cache
def people() -> "People":
    """The alerts topic."""
    from meeting_agents.people import People

    return People(client("sns"), settings().alerts_topic_arn)


def turn(name: str) -> "Turn":
    """The right to do something one at a time."""
    from meeting_agents.turn import Turn

    return Turn(client("dynamodb"), settings().agents_table, name)
