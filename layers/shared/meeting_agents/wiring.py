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

    from meeting_agents.aws.accounts import Accounts
    from meeting_agents.aws.dynamodb import Table
    from meeting_agents.aws.journal import Journal
    from meeting_agents.aws.lease import Lease
    from meeting_agents.aws.topics import AlertsTopic, LifecycleTopic
    from meeting_agents.cronofy.client import CronofyClient
    from meeting_agents.cronofy.client_secrets import ClientSecrets
    from meeting_agents.provisioning import Provisioning
    from meeting_agents.tokens import Tokens

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
def agents_table() -> "Table":
    """Return the table of journals, records, leases and counters."""
    from meeting_agents.aws.dynamodb import Table

    return Table(client("dynamodb"), settings().agents_table)


@cache
def journal() -> "Journal":
    """Return the journals of all agents."""
    from meeting_agents.aws.journal import Journal
    from meeting_agents.domain.deadlines import GracePeriods

    known = settings()
    graces = GracePeriods(
        activation=known.activation_grace_period,
        completion=known.completion_grace_period,
        conference=known.conference_lead_time,
        resources=known.resources_grace_period,
        assumed_meeting_duration=known.assumed_meeting_duration,
        escalation=known.escalation,
        expected_resources=known.expected_resources,
    )
    return Journal(agents_table(), graces, known.retention)


def lease(name: str) -> "Lease":
    """Return the right to do something one at a time."""
    from meeting_agents.aws.lease import Lease

    return Lease(agents_table(), name)


@cache
def client_secrets() -> "ClientSecrets":
    """Return the secrets of the Cronofy applications."""
    from meeting_agents.cronofy.client_secrets import ClientSecrets

    return ClientSecrets(client("secretsmanager"), settings().cronofy_secret_arn)


@cache
def cronofy() -> "CronofyClient":
    """Return Cronofy's API. Redirects are not followed: a token must not travel on."""
    import httpx

    from meeting_agents.aws.rate_limiter import Limits, RateLimiter
    from meeting_agents.cronofy.client import TIMEOUT, CronofyClient

    known = settings()
    limiter = RateLimiter(agents_table(), Limits(known.requests_per_second, known.requests_per_minute))
    return CronofyClient(httpx.Client(timeout=TIMEOUT, follow_redirects=False), known.cronofy_url, limiter)


@cache
def accounts() -> "Accounts":
    """Return the registered accounts."""
    from meeting_agents.aws.accounts import Accounts
    from meeting_agents.aws.dynamodb import Table

    known = settings()
    return Accounts(Table(client("dynamodb"), known.accounts_table), client("kms"), known.tokens_key_arn)


@cache
def tokens() -> "Tokens":
    """Return the tokens that requests to Cronofy are made with."""
    from meeting_agents.tokens import Tokens

    return Tokens(accounts(), cronofy(), client_secrets())


@cache
def provisioning() -> "Provisioning":
    """Return the way of every request to Cronofy."""
    from meeting_agents.provisioning import Provisioning

    return Provisioning(journal(), cronofy(), accounts(), tokens())


@cache
def lifecycle_topic() -> "LifecycleTopic":
    """Return the topic of announcements."""
    from meeting_agents.aws.topics import LifecycleTopic

    return LifecycleTopic(client("sns"), settings().lifecycle_topic_arn)


@cache
def alerts_topic() -> "AlertsTopic":
    """Return the topic of alerts."""
    from meeting_agents.aws.topics import AlertsTopic

    return AlertsTopic(client("sns"), settings().alerts_topic_arn)


@cache
def http() -> "httpx.Client":
    """Return a client for our own public address."""
    import httpx

    return httpx.Client(timeout=10.0, follow_redirects=False)
