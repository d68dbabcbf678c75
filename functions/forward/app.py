"""The queue of agents and groups whose incidents changed: the changes are forwarded to the channels of teams."""

import time
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.aws.keys import group_key
from meeting_agents.aws.lease import Lease
from meeting_agents.aws.queues import dead_letter, send_groups, shorten_visibility, subject_of
from meeting_agents.channels.stored import Stored, read_channels
from meeting_agents.domain.groups import Group, Subject
from meeting_agents.forwarding import Forwarded, Forwarder

logger = Logger(version=VERSION)
metrics = Metrics()

SECONDS = 18.0
"""No request begins later than this after the first, so that the lease holds until the last answer."""
LONGEST_PAUSE = 300
"""Seconds until a message is redelivered at the latest: a channel that is back gets its changes within five minutes."""

wiring.make_ready(wiring.journal, wiring.channels_secret)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Forward what is owed about the agents and groups of a batch.

    The Lambda event is a batch of the queue; or changes of groups from the table's stream, which are sent to the queue
    so that all waits are the queue's; or `{"test": "<channel>"}`, by an operator.
    """
    if "test" in event:
        return send_test(str(event["test"]))
    if event["Records"][0].get("eventSource") == "aws:dynamodb":
        keys = {group_key(record["dynamodb"]["Keys"]["pk"]["S"]) for record in event["Records"]}
        queue_url = wiring.settings().forward_queue_url
        send_groups(lambda: wiring.client("sqs"), queue_url, map(Group.of_key, sorted(keys)), must_arrive=True)
        return {"batchItemFailures": []}
    return forward_batch({record["messageId"]: record for record in event["Records"]})


def forward_batch(records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Forward the changes of a batch. Failed messages stay in the queue, for about a day."""
    subjects: dict[str, Subject] = {}
    for message_id, record in records.items():
        try:
            subjects[message_id] = subject_of(record["body"])
        except ValueError:
            logger.error("message not readable", message_id=message_id)
    done = set[str]()
    try:
        stored = read_channels(wiring.channels_secret().read())
        made = forwarder_to(stored)
        report(stored, made)
        forwarded = forward(set(subjects.values()), made, wiring.lease("forward"))
        send_groups(lambda: wiring.client("sqs"), wiring.settings().alert_queue_url, sorted(forwarded.failing))
        for subject in forwarded.refused:
            dead_letter(wiring.client("sqs"), wiring.settings().dead_letter_queue_url, subject)
        done = {message_id for message_id, subject in subjects.items() if subject not in forwarded.failed}
    finally:  # an error fails the whole batch, which is redelivered soon, too
        failed = sorted(records.keys() - done)
        if failed:
            metrics.add_metric("ChangesWaiting", MetricUnit.Count, len(failed))
            batch = [records[message_id] for message_id in failed]
            queue_url = wiring.settings().forward_queue_url
            shorten_visibility(wiring.client("sqs"), queue_url, batch, longest=LONGEST_PAUSE)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def forwarder_to(stored: Stored) -> Forwarder:
    """Return a forwarder to the channels that are stored."""
    client, links, quiet = wiring.channel_client(), wiring.links(), wiring.silences().quiet
    return Forwarder(wiring.journal(), wiring.groups(), stored.channels, client, links, quiet)


def report(stored: Stored, forwarder: Forwarder) -> None:
    """Report the channels that are stored wrongly, and end the incidents of those that are not stored any more."""
    forwarder.forget_others({*stored.problems, *(channel.name for channel in stored.channels)})
    for name, problem in stored.problems.items():
        logger.error("channel not usable", channel=name, problem=problem)
        metrics.add_metric("ChannelsFailed", MetricUnit.Count, 1)
        forwarder.report(name, problem)


def forward(subjects: set[Subject], forwarder: Forwarder, lease: Lease) -> Forwarded:
    """Forward the changes of these agents and groups. One copy of this function at a time sends, under the lease."""
    groups = {subject for subject in subjects if isinstance(subject, Group)}
    agent_ids = {subject for subject in subjects if isinstance(subject, str)}
    try:
        with lease.acquire():
            until = time.monotonic() + SECONDS
            forwarder.forward(agent_ids, groups, lambda: time.monotonic() < until)
    finally:
        _count(forwarder.forwarded)
    return forwarder.forwarded


def send_test(name: str) -> dict[str, Any]:
    """Send a test incident to a channel as it is stored now. Return what it answered.

    The incident of a channel that is no longer stored is over.
    """
    stored = read_channels(wiring.channels_secret().read(anew=True))
    channel = next((channel for channel in stored.channels if channel.name == name), None)
    if channel is None:
        names = ", ".join(channel.name for channel in stored.channels) or "none"
        if name not in stored.problems:
            forwarder_to(stored).forget(name)
        problem = stored.problems.get(name, f"there is no channel of this name; known are: {names}")
        return {"channel": name, "problem": problem, "answers": []}
    answers = forwarder_to(stored).test(channel)
    shown = [{"action": action, "outcome": each.outcome, "problem": each.problem} for action, each in answers]
    return {"channel": name, "kind": channel.kind, "problem": "", "answers": shown}


def _count(forwarded: Forwarded) -> None:
    for channel, change in forwarded.taken:
        metrics.add_metric("ChangesDelivered", MetricUnit.Count, 1)
        logger.info(
            "change delivered",
            channel=channel,
            dedup_key=change.dedup_key,
            action=change.action,
            severity=change.severity,
        )
    for channel, outcome, problem in forwarded.problems:
        metrics.add_metric("ChannelsFailed", MetricUnit.Count, 1)
        logger.warning("change not taken", channel=channel, outcome=outcome, problem=problem)
