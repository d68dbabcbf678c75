"""Provisioning without functions: the real objects on real tables, a stand-in Cronofy, and a clock that tests move."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from typing import Any, Self

import httpx

from meeting_agents.api.bodies import AgentRequest, CalendarEventRequest
from meeting_agents.aws.accounts import Accounts, connection_of
from meeting_agents.aws.days import Days
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.erasures import Erasures
from meeting_agents.aws.event_triggers import TriggerSupport
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.rate_limiter import Limits, RateLimiter
from meeting_agents.aws.rescue_budget import RescueBudget
from meeting_agents.aws.silences import Silences
from meeting_agents.calendars import Calendars
from meeting_agents.cronofy.client import TIMEOUT, CronofyClient
from meeting_agents.cronofy.client_secrets import ClientSecrets
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.cronofy.resource_addresses import ResourceAddresses
from meeting_agents.cronofy.subscriptions import with_subscription
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import EntryType
from meeting_agents.domain.record import Record
from meeting_agents.domain.silences import QuietHours
from meeting_agents.domain.verdicts import Step
from meeting_agents.erasing import Eraser
from meeting_agents.profiles import Profiles
from meeting_agents.provisioning import Provisioning, ProvisioningRequest, ProvisioningResult
from meeting_agents.rescuing import Rescuer
from meeting_agents.tokens import Tokens
from tests.sandbox.deployment import source_template
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import Application, Grant, StandIn

CALENDAR = "cal_1"
NOON = datetime(2026, 4, 29, 12, tzinfo=UTC)
_numbers = count(1)


@cache
def _clients(aws: EmbeddedAws) -> Callable[[str], Any]:
    """The clients of all desks, in an account of their own; making a client takes longer than most tests."""
    return cache(aws.session("000000000200").client)


class Desk:
    """A context manager. `now` is the time of all, Cronofy included; `sleep` moves it."""

    def __init__(self, aws: EmbeddedAws, limits: Limits | None = None) -> None:
        self.now = NOON
        self.limits = limits or Limits()
        self.grants: dict[str, Grant] = {}
        """The consents of the registered users."""
        self.trigger_lead_time: timedelta | None = None
        """With one, callers' requests have event triggers."""
        self.quiet_hours: QuietHours | None = None
        self.grace_periods = GracePeriods()
        self._client = _clients(aws)
        self._number = next(_numbers)
        self.cronofy = StandIn(clock=self.seconds, applications={"us": Application("id", ("CRN_secret",))})
        self.agents_table, self.accounts_table = self._create("AgentsTable"), self._create("AccountsTable")
        self.key_id = self._client("kms").create_key()["KeyMetadata"]["KeyId"]
        applications = {"us": {"client_id": "id", "client_secrets": ["CRN_secret"]}}
        self.secret = self._client("secretsmanager").create_secret(
            Name=f"cronofy{self._number}", SecretString=json.dumps(applications)
        )["ARN"]

    def __enter__(self) -> Self:
        self.cronofy.start()
        self.http = httpx.Client(timeout=TIMEOUT, trust_env=False, verify=False)  # noqa: S501 - it only speaks HTTP to the loopback
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.cronofy.stop()

    def _create(self, name: str) -> str:
        described = source_template()["Resources"][name]["Properties"]
        names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        self._client("dynamodb").create_table(
            TableName=f"{name}{self._number}", **{key: described[key] for key in names if key in described}
        )
        return f"{name}{self._number}"

    # The collaborators of a process; each call returns new ones

    def _table(self) -> Table:
        return Table(self._client("dynamodb"), self.agents_table)

    def lease(self, name: str) -> Lease:
        return Lease(self._table(), name, self.seconds, self.sleep)

    def journal(self) -> Journal:
        return Journal(self._table(), self.grace_periods, timedelta(days=400))

    def days(self) -> Days:
        return Days(self._table())

    def groups(self) -> Groups:
        return Groups(self._table(), partial(connection_of, Table(self._client("dynamodb"), self.accounts_table)))

    def silences(self) -> Silences:
        return Silences(self._table(), self.quiet_hours)

    def eraser(self) -> Eraser:
        return Eraser(self.journal(), Erasures(self._table()), self.silences())

    def rate_limiter(self) -> RateLimiter:
        return RateLimiter(self._table(), self.limits, self.seconds, self.sleep)

    def cronofy_client(self) -> CronofyClient:
        return CronofyClient(self.http, self.cronofy.url + "/{host}", self.rate_limiter(), lambda _: None)

    def client_secrets(self) -> ClientSecrets:
        return ClientSecrets(self._client("secretsmanager"), self.secret)

    def resource_addresses(self) -> ResourceAddresses:
        return ResourceAddresses(self.cronofy_client(), self.client_secrets())

    def accounts(self) -> Accounts:
        table = Table(self._client("dynamodb"), self.accounts_table)
        return Accounts(table, self._client("kms"), self.key_id, self.seconds)

    def tokens(self, sleep: Callable[[float], None] | None = None) -> Tokens:
        return Tokens(self.accounts(), self.cronofy_client(), self.client_secrets(), self.seconds, sleep or self.sleep)

    def provisioning(self) -> Provisioning:
        return Provisioning(
            self.journal(), self.cronofy_client(), self.tokens(), self.event_triggers(), lambda: self.now, self.sleep
        )

    def rescuer(self, per_hour: int = 5) -> Rescuer:
        budget = RescueBudget(self._table(), per_hour)
        collaborators = (self.provisioning(), self.cronofy_client(), self.tokens(), self.groups())
        return Rescuer(self.journal(), *collaborators, budget, lambda: self.now)

    def calendars(self) -> Calendars:
        return Calendars(self.cronofy_client(), self.tokens())

    def profiles(self) -> Profiles:
        return Profiles(self.cronofy_client(), self.tokens(), self.accounts())

    def event_triggers(self) -> TriggerSupport:
        return TriggerSupport(self._table(), self.seconds)

    # Time

    def seconds(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # Callers, the stream and the sweep

    def upsert(self, credentials: CallerCredentials, event_id: str = "event_1", **changes: Any) -> ProvisioningRequest:
        """A request for an agent of a calendar event, tomorrow."""
        start = NOON + timedelta(days=1)
        body: dict[str, Any] = {
            "event_id": event_id,
            "summary": "Weekly sync",
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
            "meeting_agent": {"profile_id": "cronofy"},
        } | changes
        text = json.dumps(body)
        agent = agent_id("us", CALENDAR, event_id)
        request = CalendarEventRequest.model_validate(body).request(
            "us", CALENDAR, credentials.account, text, earlier=None, now=self.now
        )
        return ProvisioningRequest(
            agent,
            request,
            "POST",
            f"/v1/calendars/{CALENDAR}/events",
            credentials,
            partial(_sent, agent, text, lead_time=self.trigger_lead_time),
        )

    def schedule(self, key: str = "key_1", credentials: CallerCredentials | None = None) -> ProvisioningRequest:
        """A request for an agent without a calendar event, tomorrow."""
        start = f"{NOON + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        return self._agent(agent_id("us", key), credentials, {"scheduling_key": key, "join_time": start})

    def send_now(self, idempotency_key: str, **changes: Any) -> ProvisioningRequest:
        """A request for an agent without a calendar event, now."""
        return self._agent(agent_id("us", "", idempotency_key), None, changes)

    def _agent(self, agent: str, credentials: CallerCredentials | None, changes: dict[str, Any]) -> ProvisioningRequest:
        body = {"join_url": "https://zoom.us/j/1", "on_behalf_of_attendee": {"email": "marty@example.com"}} | changes
        text, is_later = json.dumps(body), "scheduling_key" in changes
        return ProvisioningRequest(
            agent,
            AgentRequest.model_validate(body).request("us", text, self.now),
            "POST",
            "/v1/meeting_agents",
            credentials or CallerCredentials(),
            partial(_sent, agent, text),
            at_most_once=True,
            is_idempotent=is_later,
        )

    def register(self, name: str = "alice", providers: Sequence[str] = ()) -> CallerCredentials:
        """A user who has authorised us, registered. `providers`: those of the user's conferencing profiles."""
        grant = self.cronofy.grant("us", calendars=(CALENDAR,), providers=providers)
        self.grants[name] = grant
        self.accounts().register(name, "us", grant.refresh_token)
        return CallerCredentials(account=name)

    def track(self, agent: str) -> Record:
        """Store the record of the journal, as `track` does."""
        entries = self.journal().read(agent, self.now)
        steps = timeline(entries)
        self.journal().save_record(agent, steps, entries, self.now)
        return steps[-1].after

    def sweep(self) -> list[ProvisioningResult]:
        """Retry the requests that are due, as `sweep` does."""
        for agent in self._agents():
            self.track(agent)
        results = [self.provisioning().retry(agent) for agent in self.journal().due(self.now)]
        return [result for result in results if result is not None]

    def _agents(self) -> set[str]:
        items = self._client("dynamodb").scan(TableName=self.agents_table)["Items"]
        return {item["pk"]["S"] for item in items if item["sk"]["S"].startswith("entry#")}

    # Results

    def steps(self, agent: str) -> list[Step]:
        return timeline(self.journal().read(agent, self.now))

    def kinds(self, agent: str) -> list[EntryType]:
        return [step.entry.kind for step in self.steps(agent)]


def _sent(agent: str, text: str, attempt: int, lead_time: timedelta | None = None) -> str:
    address = f"https://us.example.com/webhooks/cronofy/{agent}" + (f"?attempt={attempt}" if attempt > 1 else "")
    return with_subscription(text, address, "https://us.example.com/webhooks/cronofy/", lead_time)
