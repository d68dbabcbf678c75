"""The whole system on this machine: the story and the tests run on it, `make sandbox` offers it."""

import io
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any, Self

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from tests.sandbox import deployment
from tests.sandbox.embedded_aws import REGION, EmbeddedAws
from tests.sandbox.page import LocalPage
from tests.sandbox.receivers import Receivers
from tests.sandbox.screen import Screen
from tests.sandbox.stand_in import Grant, StandIn

CALENDAR = "cal_n23kjnwrw2_jsdfjksn234"
HOME = "us"
ONCALL = "oncall@example.com"
GRACE = 5
"""Seconds of silence after which an agent is overdue; by default a deployment has ten and thirty minutes."""
SWEEP_PAUSE = 1.0
"""Seconds from one sweep to the next. The deployed schedule runs too, but only once a minute."""
WAIT_SECONDS = 15.0
"""The longest wait for anything that a step leads to."""


class TopicQueue:
    """The messages of a queue that is subscribed to a topic."""

    def __init__(self, stack: deployment.Stack, topic: str) -> None:
        self.url = stack.listen(topic)
        self._sqs = stack.session.client("sqs")
        self._received: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        """Receive what is new, and return all messages, the oldest first."""
        while messages := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._received.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return list(self._received)


class Stage:
    """A context manager: the deployed stack, a stand-in Cronofy, a caller, subscribers, and a sweep every second.

    `parameters`: the template's, over those of a sandbox. `screen`: prints each part that is ready, and its address.
    """

    aws: EmbeddedAws
    cronofy: StandIn
    stack: deployment.Stack
    api: httpx.Client
    """Its base address is the HTTP API's; it sends the access token of a user of `CALENDAR`."""
    grant: Grant
    """Of the user of `CALENDAR`."""
    access_key: dict[str, str]
    """Of an AWS user who may do everything: `access_key_id`, `secret_access_key`."""
    lifecycle: TopicQueue
    alerts: TopicQueue
    page: LocalPage
    """The overview in a browser."""
    receivers: Receivers
    """Stand-ins for the channels of teams; none is stored until a test does so."""

    def __init__(
        self,
        aws: EmbeddedAws | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        screen: Screen | None = None,
        name: str = "meeting-agents",
        enforces_iam: bool = False,
    ) -> None:
        """Use `aws`, if given, instead of starting one. With `enforces_iam`, callers must sign, `api` too."""
        self._aws = aws
        self._parameters = parameters or {}
        self._name, self._enforces_iam = name, enforces_iam
        self._screen = screen or Screen(io.StringIO())
        self._is_over = threading.Event()
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Build, start and deploy everything; RuntimeError saying what failed."""
        with ExitStack() as opened:
            screen = self._screen
            screen.scene("Set-up")
            screen.awaiting("build", "the layer and the functions")
            built = deployment.build()
            screen.step("build", "the layer and the functions, as `sam build` does")
            screen.awaiting("AWS", "starts")
            self.aws = self._aws or opened.enter_context(EmbeddedAws())
            screen.step("AWS", f"embedded, {self.aws.url}")
            self.cronofy = opened.enter_context(StandIn())
            screen.step("Cronofy", f"stand-in, {self.cronofy.url}")
            self.receivers = opened.enter_context(Receivers())
            screen.awaiting("stack", "is deployed")
            grace_periods = dict.fromkeys(("ActivationGracePeriod", "CompletionGracePeriod"), str(GRACE))
            sandbox = {"CronofyUrl": self.cronofy.url + "/{host}", "AlertEmail": ONCALL, "AlertGroupWait": "1"}
            sandbox |= {"Channels": "on", "ChannelsUrl": self.receivers.url + "/{host}"}
            self.stack = deployment.deploy(
                self.aws,
                built,
                grace_periods | sandbox | dict(self._parameters),
                name=self._name,
                enforces_iam=self._enforces_iam,
            )
            screen.step("stack", f"template.yaml, with grace periods of {GRACE} s instead of 10 and 30 minutes")
            self._store_secrets()
            self.aws.confirm(self.stack.outputs["AlertsTopicArn"], ONCALL)
            screen.step("on-call", "confirmed its subscription by the link in AWS's e-mail")
            self.lifecycle = TopicQueue(self.stack, "LifecycleTopic")
            self.alerts = TopicQueue(self.stack, "AlertsTopic")
            self.grant = self.cronofy.grant(HOME, calendars=(CALENDAR,))
            self.access_key = self._access_key()
            self.api = opened.enter_context(
                httpx.Client(
                    base_url=self.stack.api_url,
                    headers={"Cronofy-Authorization": f"Bearer {self.grant.access_token}"},
                    timeout=40,
                    trust_env=False,
                )
            )
            self.page = opened.enter_context(LocalPage.of(self.stack))
            screen.step("overview", f"open in a browser: {self.page.url}")
            screen.awaiting("functions", "start")
            self._warm()
            screen.step("functions", "started, so that the story shows no cold start")
            sweeping = threading.Thread(target=self._sweep_every_second, daemon=True)
            sweeping.start()
            opened.callback(sweeping.join)
            opened.callback(self._is_over.set)
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, and leave nothing behind."""
        self._closing.close()

    @property
    def addresses(self) -> dict[str, Any]:
        """Addresses and credentials for use from outside."""
        outputs = self.stack.outputs
        return {
            "api_url": self.stack.api_url,
            "cronofy_url": self.cronofy.url,
            "aws_endpoint_url": self.aws.url,
            "region": REGION,
            "table": outputs["AgentsTableName"],
            "lifecycle_topic_arn": outputs["LifecycleTopicArn"],
            "alerts_topic_arn": outputs["AlertsTopicArn"],
            "lifecycle_queue_url": self.lifecycle.url,
            "alerts_queue_url": self.alerts.url,
            "client_secret": self.cronofy.applications[HOME].client_secrets[0],
            "functions": self.stack.functions,
            "page_url": self.page.url,
            "access_token": self.grant.access_token,
            "calendar_id": CALENDAR,
            **self.access_key,
        }

    def request(self, event_id: str, summary: str, start: datetime, end: datetime, **changes: Any) -> httpx.Response:
        """Request an agent as any caller would; `changes` replaces or adds fields of the body."""
        body = {
            "event_id": event_id,
            "summary": summary,
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "tzid": "Europe/Berlin",
            "conferencing": {"profile_id": "default"},
            "meeting_agent": {"profile_id": "cronofy"},
        }
        return self.api.post(f"/v1/calendars/{CALENDAR}/events", json=body | changes)

    def read(self, agent_id: str) -> dict[str, Any]:
        """Read an agent's record and timeline through the HTTP API; a problem, if there is no such agent."""
        agent: dict[str, Any] = self.api.get(f"/v1/meeting_agents/{agent_id}").json()
        return agent

    def emails(self) -> list[dict[str, str]]:
        """E-mails of the alerts topic, oldest first: `to`, `subject`, `text`."""
        return self.aws.emails(self.stack.outputs["AlertsTopicArn"])

    def _access_key(self) -> dict[str, str]:
        iam, name = self.stack.session.client("iam"), f"{self._name}-user"
        statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}

    def _store_secrets(self) -> None:
        secrets = {
            data_center: {"client_id": application.client_id, "client_secrets": application.client_secrets}
            for data_center, application in self.cronofy.applications.items()
        }
        self.stack.session.client("secretsmanager").put_secret_value(
            SecretId=self.stack.outputs["CronofySecretArn"], SecretString=json.dumps(secrets)
        )

    def _warm(self) -> None:
        """Call each function once, without a write to the table."""
        functions, names = self.stack.session.client("lambda"), self.stack.functions
        unknown = {"eventName": "INSERT", "dynamodb": {"Keys": {"pk": {"S": "none"}, "sk": {"S": "entry#none"}}}}

        def invoke(name: str, *records: Any) -> None:
            functions.invoke(FunctionName=names[name], Payload=json.dumps({"Records": records}))

        with ThreadPoolExecutor() as pool:
            calls: list[Future[Any]] = [
                pool.submit(self.api.get, "/v1/meeting_agents/none"),
                pool.submit(self.api.post, "/webhooks/cronofy/none"),
                pool.submit(invoke, "track", unknown),
                pool.submit(invoke, "alert"),
                pool.submit(invoke, "sweep"),
                pool.submit(invoke, "widget"),
                pool.submit(invoke, "button"),
            ]
        for call in calls:
            call.result()

    def _sweep_every_second(self) -> None:
        functions, name = self.stack.session.client("lambda"), self.stack.functions["sweep"]
        while not self._is_over.wait(SWEEP_PAUSE):
            self.cronofy.fire_triggers()
            with suppress(BotoCoreError, ClientError):  # the next one is due soon
                functions.invoke(FunctionName=name)


def wait_until[Found](find: Callable[[], Found | None], within: float = WAIT_SECONDS) -> Found | None:
    """Return what `find` finds as soon as it does; None after `within` seconds."""
    until = time.monotonic() + within
    while not (found := find()) and time.monotonic() < until:
        time.sleep(0.05)
    return found
