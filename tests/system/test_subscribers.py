"""Reports of missing subscribers: SNS accepts a message for a topic without any, and returns no error."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.runtime.platform import Fault
from tests.runtime.stories import Scene
from tests.sandbox import deployment
from tests.sandbox.deployment import ROOT, Stack
from tests.sandbox.embedded_aws import REGION, EmbeddedAws

ACCOUNT = "000000000011"
ADDRESS = "oncall@example.com"


# ------------------------------------------------------------------------------------------ while an alert is published


@contextmanager
def subscribed_by(scene: Scene, count: int) -> Iterator[None]:
    """Let the alerts topic have so many subscribers, all of them queues, instead of the platform's one."""
    sns, topic = scene.platform.client("sns"), scene.platform.stack.outputs["AlertsTopicArn"]
    original = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    for subscription in original:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    for number in range(count):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere-{number}")
    try:
        yield
    finally:
        for subscription in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        for subscription in original:
            raw = {"RawMessageDelivery": "true"}
            protocol, endpoint = subscription["Protocol"], subscription["Endpoint"]
            sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=raw)


def failed(scene: Scene, event_id: str) -> list[str]:
    """Let an agent fail; the reasons of the `alerted` entries in its timeline."""
    agent = scene.request_agent(scene.event(event_id))
    scene.notify(agent, event_id, "meeting_agent_failed")
    scene.platform.settle()
    read = json.loads(scene.platform.request("GET", f"/v1/meeting_agents/{agent}")["body"])
    return [entry["reason"]["text"] for entry in read["timeline"] if entry["kind"] == "alerted"]


def reported(scene: Scene, function: str, metric: str) -> list[float]:
    """The values of a metric that a function has reported, oldest first."""
    lines = [json.loads(line) for line in scene.platform.printed(function).splitlines() if '"_aws"' in line]
    return [line[metric][0] for line in lines if metric in line]


def calls(scene: Scene, function: str) -> list[str]:
    """The calls to SNS of a function's last run."""
    last = [run for run in scene.platform.invocations if run.function == function][-1]
    return [call["operation"] for call in last.calls if call["service"] == "sns"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "alert published to 0 subscribers: failed firing"),
        (1, "alert published to 1 subscriber: failed firing"),
        (2, "alert published to 2 subscribers: failed firing"),
    ],
)
def test_the_timeline_has_the_number_of_subscribers_of_an_alert(scene: Scene, count: int, text: str) -> None:
    """Zero is a number too; an alert without a subscriber is an error in the log, with a metric."""
    scene.platform.forget()
    before = len(reported(scene, "alert", "AlertsWithoutSubscriber"))
    with subscribed_by(scene, count):
        assert failed(scene, f"published-{count}") == [text]
    assert len(reported(scene, "alert", "AlertsWithoutSubscriber")) - before == (count == 0)
    errors = [line for line in scene.platform.printed("alert").splitlines() if '"level":"ERROR"' in line]
    assert any(f'"subscribers":{count}' in line for line in errors) is (count == 0)
    assert calls(scene, "alert") == ["GetTopicAttributes", "Publish"]


@pytest.mark.parametrize("how", ["refused", "lost"])
def test_an_alert_is_published_though_its_subscribers_cannot_be_counted(scene: Scene, how: str) -> None:
    """The entry says that the number is unknown."""
    scene.platform.forget()
    for number in range(2):  # what the first run has read, the next ones know
        failed(scene, f"counted-{how}-{number}")
    [last] = [run for run in scene.platform.invocations if run.function == "alert"][-1:]
    at = [call["operation"] for call in last.calls].index("GetTopicAttributes")
    scene.platform.alerts()
    scene.platform.fault = Fault("alert", scene.platform.next_invocation("alert"), at, how)
    assert failed(scene, f"uncounted-{how}") == ["alert published to an unknown number of subscribers: failed firing"]
    assert calls(scene, "alert") == ["GetTopicAttributes", "Publish"]
    assert len(scene.platform.alerts()) == 1


# ------------------------------------------------------------------------------------------- while nothing is published


@pytest.mark.parametrize("count", [0, 2])
def test_each_probe_reports_how_many_subscribers_there_are(scene: Scene, count: int) -> None:
    """Zero is reported too, because its alarm watches for it; a topic without a subscriber is no failed probe."""
    scene.platform.forget()
    with subscribed_by(scene, count):
        assert scene.platform.tick("probe") == {"problems": []}
    assert reported(scene, "probe", "AlertSubscribers")[-1] == count
    scene.platform.settle()


def test_a_probe_that_cannot_count_the_subscribers_is_lost_and_reports_no_number(scene: Scene) -> None:
    """The rest of the probe runs."""
    scene.platform.forget()
    before = reported(scene, "probe", "AlertSubscribers")
    scene.platform.fault = Fault("probe", 0, 0, "refused")
    problems = scene.platform.tick("probe")["problems"]
    assert problems == ["the subscribers could not be counted: the alerts topic did not answer; try again"]
    assert reported(scene, "probe", "AlertSubscribers") == before
    scene.platform.settle()
    assert [message["data"]["entry"]["kind"] for message in scene.platform.announcements()] == ["failed", "alerted"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "No confirmed subscriber: no one receives the alerts."), (2, "2 confirmed subscribers of the alerts")],
)
def test_the_dashboard_says_how_many_receive_the_alerts(scene: Scene, count: int, text: str) -> None:
    scene.platform.forget()
    with subscribed_by(scene, count):
        assert text in scene.platform.view("widget")


def test_the_dashboard_shows_the_agents_though_the_subscribers_cannot_be_counted(scene: Scene) -> None:
    scene.platform.forget()
    undisturbed = scene.platform.view("widget")
    made = [run for run in scene.platform.invocations if run.function == "widget"][-1].calls
    at = [call["operation"] for call in made].index("GetTopicAttributes")
    scene.platform.fault = Fault("widget", 1, at, "refused")
    disturbed = scene.platform.view("widget")
    assert "The number of subscribers of the alerts could not be read" in disturbed
    assert undisturbed.partition("</p>")[2] == disturbed.partition("</p>")[2]


# --------------------------------------------------------------------------------------------------- after a deployment


def deployed(aws: EmbeddedAws, name: str, **parameters: str) -> Stack:
    return deployment.deploy(aws, deployment.build(), parameters, name=name, account=ACCOUNT)


def deploy_output(aws: EmbeddedAws, stack: Stack) -> str:
    """The lines about the subscribers in the output of the last command of `make deploy`, the doctor."""
    command = subprocess.run(
        ["make", "--dry-run", "deploy", f"STACK={stack.name}"],
        cwd=ROOT,
        # A make above this one adds "Leaving directory" as the last line.
        env={name: value for name, value in os.environ.items() if name not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[-1]
    command, _, otherwise = command.partition(" || ")
    assert otherwise == "true"  # no secret is stored yet, and the deployment has succeeded
    environment: dict[str, Any] = {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
    }
    done = subprocess.run(
        shlex.split(command.replace(".venv/bin/python", sys.executable)),
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    _, _, lines = done.stdout.partition("Subscribers")
    return lines.partition("Channels")[0].rpartition("\n")[0].strip()


def test_a_deployment_ends_with_how_many_receive_the_alerts(aws: EmbeddedAws) -> None:
    """It says what to do if there are none: the first time, the address has not confirmed."""
    stack = deployed(aws, "one-address", AlertEmail=ADDRESS)
    assert " ".join(deploy_output(aws, stack).split()) == (
        "none confirmed, 1 pending Follow the link in the e-mail from AWS."
    )
    aws.confirm(stack.outputs["AlertsTopicArn"], ADDRESS)
    assert deploy_output(aws, stack) == "1 confirmed"


def test_a_deployment_without_an_address_ends_with_how_to_subscribe_one(aws: EmbeddedAws) -> None:
    """The command works as it is printed."""
    stack = deployed(aws, "no-address")
    count, _, command = deploy_output(aws, stack).partition("aws sns ")
    assert count.startswith("none: alerts reach no one\n")
    assert shlex.split(command.replace("\\\n", "")) == [
        *("subscribe", "--protocol", "email", "--notification-endpoint", ADDRESS),
        *("--topic-arn", stack.outputs["AlertsTopicArn"]),
    ]
    stack.session.client("sns").subscribe(TopicArn=stack.outputs["AlertsTopicArn"], Protocol="email", Endpoint=ADDRESS)
    assert "1 pending" in deploy_output(aws, stack)
