"""The objects that functions work with, each made once in a process and only where it is used.

Imports are inside the functions because a cold start pays for each: `webhook` must not load the modules of `sweep`.
"""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import Session

from meeting_agents import VERSION
from meeting_agents.errors import MissingSetting
from meeting_agents.settings import Settings

if TYPE_CHECKING:
    import httpx

    from meeting_agents.alerting.message import Links
    from meeting_agents.archiving import Archiver
    from meeting_agents.aws.accounts import Accounts, Connection
    from meeting_agents.aws.archive_bucket import ArchiveBucket
    from meeting_agents.aws.bindings import Bindings
    from meeting_agents.aws.days import Days
    from meeting_agents.aws.dynamodb import Table
    from meeting_agents.aws.event_triggers import TriggerSupport
    from meeting_agents.aws.groups import Groups, LastCallbacks
    from meeting_agents.aws.journal import Journal
    from meeting_agents.aws.lease import Lease
    from meeting_agents.aws.secret_text import SecretText
    from meeting_agents.aws.silences import Silences
    from meeting_agents.aws.topics import AlertsTopic, IncidentsTopic, LifecycleTopic
    from meeting_agents.calendars import Calendars
    from meeting_agents.channels.client import ChannelClient
    from meeting_agents.cronofy.client import CronofyClient
    from meeting_agents.cronofy.client_secrets import ClientSecrets
    from meeting_agents.cronofy.resource_addresses import ResourceAddresses
    from meeting_agents.domain.drills import DrillTime
    from meeting_agents.erasing import Eraser
    from meeting_agents.incident_list import IncidentList
    from meeting_agents.profiles import Profiles
    from meeting_agents.provisioning import Provisioning
    from meeting_agents.rescuing import Rescuer
    from meeting_agents.tokens import Tokens
    from meeting_agents.widget.reading import OverviewReader

_USER_AGENT = f"meeting-agents/{VERSION}"
"""The caller that CloudTrail shows. Without it botocore puts its own together twice in each call: a third of the
processor time."""

_CLIENT_CONFIG = Config(
    user_agent=_USER_AGENT,
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=32,  # the threads of a sweep, each with a connection that stays open
)
"""Short timeouts: Cronofy waits 7 seconds for a response and API Gateway 30; botocore's default is a minute. All
callers retry by themselves."""

_ARCHIVE_CONFIG = Config(
    user_agent=_USER_AGENT,
    connect_timeout=3,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 3},
    request_checksum_calculation="when_required",  # each request has a SHA-256 of its own
    response_checksum_validation="when_required",
    signature_version="s3v4",  # of presigned addresses: files that a key of KMS encrypts need it
)
"""A part of a file takes longer than an item of a table, and a copy is worth another try."""

_CLIENT_LOCK = Lock()
"""Making a client is not thread-safe, and a sweep makes some when a thread of it finds the first request to retry."""

warnings.filterwarnings("ignore", "No application metrics to publish")  # zeros are not published: each metric costs


@cache
def settings() -> Settings:
    """Return the settings in the environment of this function."""
    return Settings(os.environ)


def make_ready(*factories: Callable[[], object]) -> None:
    """Make these objects now if this process starts on Lambda: a start has a whole processor, a request a part."""
    if settings().is_starting_on_lambda:
        for make in factories:
            make()


@cache
def _session() -> Session:
    return Session()  # botocore's session: boto3's wraps it, and adds half as much to the imports


@cache
def client(service: str, config: Config = _CLIENT_CONFIG) -> Any:
    """Return a client of an AWS service. All share one session, because a session costs many times a client."""
    with _CLIENT_LOCK:
        return _session().create_client(service, config=config)


@cache
def agents_table() -> "Table":
    """Return the table of journals, records, leases and counters."""
    from meeting_agents.aws.dynamodb import Table

    return Table(client("dynamodb"), settings().agents_table)


@cache
def accounts_table() -> "Table":
    """Return the table of registered accounts."""
    from meeting_agents.aws.dynamodb import Table

    return Table(client("dynamodb"), settings().accounts_table)


@cache
def journal() -> "Journal":
    """Return the journals of all agents."""
    from meeting_agents.aws.journal import Journal
    from meeting_agents.domain.grace_periods import GracePeriods
    from meeting_agents.domain.model import ArchiveScope, RescueMode

    values = settings()
    grace_periods = GracePeriods(
        activation=values.activation_grace_period,
        completion=values.completion_grace_period,
        arrangement=values.arrangement_lead_time,
        conference=values.conference_lead_time,
        patience=values.alert_patience,
        resources=values.resources_grace_period,
        assumed_meeting_duration=values.assumed_meeting_duration,
        escalation=values.escalation,
        expected_resources=values.expected_resources,
        archive=values.archive_grace_period,
        archive_scope=ArchiveScope(values.archive),
        rescue=RescueMode(values.rescue),
        rescues_silent=values.rescues_silent,
    )
    return Journal(agents_table(), grace_periods, values.retention)


@cache
def days() -> "Days":
    """Return the index of agents by day."""
    from meeting_agents.aws.days import Days

    return Days(agents_table())


def lease(name: str) -> "Lease":
    """Return the lease of this name."""
    from meeting_agents.aws.lease import Lease

    return Lease(agents_table(), name)


@cache
def client_secrets() -> "ClientSecrets":
    """Return the secrets of the Cronofy applications."""
    from meeting_agents.cronofy.client_secrets import ClientSecrets

    return ClientSecrets(client("secretsmanager"), settings().cronofy_secret_arn)


def read_client_secrets() -> None:
    """Read the secrets now, if Secrets Manager answers. A start has a whole processor for it, and so for TLS."""
    from meeting_agents.errors import MissingSecret

    with suppress(MissingSecret):  # the request that needs them says so
        client_secrets().secrets()


@cache
def cronofy() -> "CronofyClient":
    """Return the client of Cronofy's API. It follows no redirects, so that no token reaches another host."""
    import httpx

    from meeting_agents.aws.rate_limiter import Limits, RateLimiter
    from meeting_agents.cronofy.client import TIMEOUT, CronofyClient

    values = settings()
    limiter = RateLimiter(agents_table(), Limits(values.requests_per_second, values.requests_per_minute))
    return CronofyClient(httpx.Client(timeout=TIMEOUT, follow_redirects=False), values.cronofy_url, limiter)


@cache
def accounts() -> "Accounts":
    """Return the registered accounts."""
    from meeting_agents.aws.accounts import Accounts

    return Accounts(accounts_table(), client("kms"), settings().tokens_key_arn)


@cache
def groups() -> "Groups":
    """Return the groups of agents."""
    from meeting_agents.aws.groups import Groups

    def connection(account_id: str) -> "Connection | None":
        from meeting_agents.aws.accounts import connection_of

        return connection_of(accounts_table(), account_id)

    return Groups(agents_table(), connection)


@cache
def incident_list(addresses: "Links") -> "IncidentList":
    """Return the lists of incidents; `addresses`: those that they name."""
    from meeting_agents.incident_list import IncidentList

    return IncidentList(journal(), groups(), addresses, quiet=silences().quiet)


@cache
def silences() -> "Silences":
    """Return the silences and the quiet hours."""
    from meeting_agents.aws.silences import Silences
    from meeting_agents.domain.model import Severity
    from meeting_agents.domain.silences import QuietHours

    values, quiet_hours = settings(), None
    if hours := values.quiet_hours:
        severities = {Severity.WARNING} | ({Severity.CRITICAL} if values.are_critical_alerts_quiet else set())
        quiet_hours = QuietHours(
            start=hours[0], end=hours[1], zone=values.quiet_hours_time_zone, severities=frozenset(severities)
        )
    return Silences(agents_table(), quiet_hours)


@cache
def bindings() -> "Bindings | None":
    """Return the bindings of callers; None if each caller may act for all."""
    from meeting_agents.aws.bindings import Bindings

    return Bindings(agents_table()) if settings().is_isolated else None


@cache
def eraser() -> "Eraser":
    """Return the way by which the data of agents is erased."""
    from meeting_agents.aws.erasures import Erasures
    from meeting_agents.erasing import Eraser

    return Eraser(journal(), Erasures(agents_table()), silences(), archive_bucket())


@cache
def archive_bucket() -> "ArchiveBucket | None":
    """Return the bucket of the archive; None if nothing is archived."""
    from meeting_agents.aws.archive_bucket import ArchiveBucket

    name = settings().archive_bucket
    return ArchiveBucket(client("s3", _ARCHIVE_CONFIG), name) if name else None


@cache
def archiver() -> "Archiver":
    """Return the way by which resources are copied. Its downloads follow no redirects, and have no credentials."""
    import httpx

    from meeting_agents.archiving import Archiver
    from meeting_agents.cronofy.downloads import TIMEOUT, Downloader

    bucket = archive_bucket()
    if bucket is None:
        raise MissingSetting("the environment variable ARCHIVE_BUCKET is not set; the template sets it")
    downloader = Downloader(httpx.Client(timeout=TIMEOUT, follow_redirects=False))
    return Archiver(journal(), bucket, resource_addresses(), downloader, settings().default_data_center)


@cache
def resource_addresses() -> "ResourceAddresses":
    """Return the way by which the presigned addresses of resources are resolved."""
    from meeting_agents.cronofy.resource_addresses import ResourceAddresses

    return ResourceAddresses(cronofy(), client_secrets())


@cache
def drill_time() -> "DrillTime | None":
    """Return the time of the weekly drill; None if there is none."""
    from meeting_agents.domain.drills import DrillTime

    drill = settings().drill
    return DrillTime(*drill, settings().time_zone) if drill else None


@cache
def last_callbacks() -> "LastCallbacks":
    """Return the times of the last callbacks."""
    from meeting_agents.aws.groups import LastCallbacks

    return LastCallbacks(agents_table())


@cache
def links() -> "Links":
    """Return the addresses and the name of the stack, for messages to people."""
    from meeting_agents.alerting.message import Links

    values = settings()
    return Links(values.api_url, values.dashboard_url, values.stack_name)


@cache
def overview_reader(subscribers: "Callable[[], int | None]") -> "OverviewReader":
    """Return the reader of what the overview shows."""
    from meeting_agents.alerting.message import Links
    from meeting_agents.widget.reading import OverviewReader

    incidents = incident_list(Links(settings().api_url, dashboard=""))
    return OverviewReader(journal(), days(), groups(), incidents, subscribers)


@cache
def tokens() -> "Tokens":
    """Return the access tokens for requests to Cronofy."""
    from meeting_agents.tokens import Tokens

    return Tokens(accounts(), cronofy(), client_secrets())


@cache
def calendars() -> "Calendars":
    """Return the calendars of registered accounts."""
    from meeting_agents.calendars import Calendars

    return Calendars(cronofy(), tokens())


@cache
def profiles() -> "Profiles":
    """Return the conferencing profiles of registered accounts."""
    from meeting_agents.profiles import Profiles

    return Profiles(cronofy(), tokens(), accounts())


@cache
def provisioning() -> "Provisioning":
    """Return the way by which requests reach Cronofy."""
    from meeting_agents.provisioning import Provisioning

    return Provisioning(journal(), cronofy(), tokens(), event_triggers())


@cache
def rescuer() -> "Rescuer":
    """Return the way by which second agents are sent."""
    from meeting_agents.aws.rescue_budget import RescueBudget
    from meeting_agents.rescuing import Rescuer

    budget = RescueBudget(agents_table(), settings().rescues_per_hour)
    return Rescuer(journal(), provisioning(), cronofy(), tokens(), groups(), budget)


@cache
def event_triggers() -> "TriggerSupport":
    """Return the memory of how each data center takes event triggers."""
    from meeting_agents.aws.event_triggers import TriggerSupport

    return TriggerSupport(agents_table())


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
def channels_secret() -> "SecretText":
    """Return the secret that has the channels."""
    from meeting_agents.aws.secret_text import SecretText

    return SecretText(client("secretsmanager"), settings().channels_secret_arn)


@cache
def incidents_topic() -> "IncidentsTopic":
    """Return the topic of changes of incidents."""
    from meeting_agents.aws.topics import IncidentsTopic

    return IncidentsTopic(client("sns"), settings().incidents_topic_arn)


@cache
def channel_client() -> "ChannelClient":
    """Return the way to the channels. It follows no redirects, so that no key reaches another host."""
    import httpx

    from meeting_agents.channels.client import TIMEOUT, ChannelClient

    return ChannelClient(
        httpx.Client(timeout=TIMEOUT, follow_redirects=False), settings().channels_url, incidents_topic
    )


@cache
def http() -> "httpx.Client":
    """Return a client for our own public URL."""
    import httpx

    return httpx.Client(timeout=10.0, follow_redirects=False)
