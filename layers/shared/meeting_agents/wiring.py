"""The real collaborators, made once per process, each only where it is used.

Imports stand inside the functions, for a cold start pays for each: `webhook` must not load what only `sweep` needs.
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from meeting_agents.settings import Settings

if TYPE_CHECKING:
    from meeting_agents.announcements import Announcements
    from meeting_agents.credentials import Credentials
    from meeting_agents.cronofy import Cronofy
    from meeting_agents.journal import Journal
    from meeting_agents.provisioning import Provisioning

_IMPATIENT = Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
"""Cronofy waits 7 seconds for an answer, and API Gateway's callers 30: the defaults of a minute outlast both."""


@cache
def settings() -> Settings:
    """The environment of this function."""
    return Settings(os.environ)


@cache
def _session() -> boto3.Session:
    return boto3.Session()


@cache
def client(service: str) -> Any:
    """A client of an AWS service; one session serves all, for a second one costs many times a second client."""
    return _session().client(service, config=_IMPATIENT)  # type: ignore[call-overload]


@cache
def journal() -> "Journal":
    """The agents table."""
    from meeting_agents.journal import Journal
    from meeting_agents.lifecycle import Graces

    known = settings()
    graces = Graces(
        activation=known.activation_grace,
        completion=known.completion_grace,
        conference=known.conference_lead,
        resources=known.resources_grace,
        longest_meeting=known.longest_meeting,
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

    from meeting_agents.cronofy import TIMEOUT, Cronofy

    return Cronofy(httpx.Client(timeout=TIMEOUT, follow_redirects=False), settings().cronofy_url)


@cache
def provisioning() -> "Provisioning":
    """Requests to Cronofy, journalled."""
    from meeting_agents.provisioning import Provisioning

    return Provisioning(journal(), cronofy())


@cache
def announcements() -> "Announcements":
    """The lifecycle topic."""
    from meeting_agents.announcements import Announcements

    return Announcements(client("sns"), settings().lifecycle_topic_arn)
