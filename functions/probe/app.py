"""Test the deployed system every five minutes: a notification that an agent failed must become an alert.

A probe takes the whole way of a real notification: public address, signature, journal, stream, record, announcement,
queue, alert. It is not published; the subscribers are counted instead. It does not test that silence is found:
the sweep has a heartbeat. Each probe is an agent of its own, with an id that no natural key gives. Lists leave it out.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.keys import PROBE_PREFIX
from meeting_agents.aws.topics import AlertsTopic
from meeting_agents.cronofy.payloads import write_notification
from meeting_agents.cronofy.signature import HEADER, sign
from meeting_agents.domain.model import EntryType
from meeting_agents.errors import MeetingAgentsError, TopicUnavailable

logger = Logger(version=VERSION)
metrics = Metrics()

INTERVAL = timedelta(minutes=5)
"""The time between two probes, as the template schedules them."""
MARGIN = timedelta(minutes=1)
"""The time that a probe may take besides the alerts' group wait."""
LOOK_BACK = 4
"""A number of intervals: longer than the longest group wait, with room for late runs."""


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Count the subscribers, check the previous probe, send the next one.

    `ProbeFailures` is 1 if any of these fails. A topic without subscribers is no failure: `AlertSubscribers` has an
    alarm of its own.
    """
    now = datetime.now(UTC)
    problems: list[str] = []
    try:
        problems.append(count_subscribers(wiring.alerts_topic()))
        problems.append(check_previous_probe(wiring.journal(), now, wiring.settings().alert_group_wait + MARGIN))
        body = write_notification(EntryType.FAILED, "probe", f"Probe of {now:%Y-%m-%d %H:%M:%S} UTC")
        secret = wiring.client_secrets().secrets()[0]
        signature = sign(body, [secret.value])
        problems.append(send_probe(wiring.journal(), wiring.http(), wiring.settings().api_url, body, signature, now))
    except MeetingAgentsError as error:
        problems.append(error.detail)
    problems = [problem for problem in problems if problem]
    for problem in problems:
        logger.error("probe failed", problem=problem)
    metrics.add_metric("ProbeFailures", MetricUnit.Count, int(bool(problems)))
    return {"problems": problems}


def count_subscribers(topic: AlertsTopic) -> str:
    """Count the confirmed subscribers of the alerts topic, zero included; return a problem, or an empty text."""
    try:
        confirmed = topic.subscribers()
    except TopicUnavailable as error:
        return f"the subscribers could not be counted: {error.detail}"
    metrics.add_metric("AlertSubscribers", MetricUnit.Count, confirmed)
    return ""


def check_previous_probe(journal: Journal, now: datetime, patience: timedelta) -> str:
    """Check the newest probe that is older than `patience`; return a problem, or an empty text."""
    for number in range(1, LOOK_BACK + 1):
        agent_id = _probe_id(now - number * INTERVAL)
        entries = [stored.entry for stored in journal.read(agent_id, now)]
        sent_at = min((entry.at for entry in entries), default=None)
        if sent_at is None or sent_at > now - patience:
            continue
        if not any(entry.kind is EntryType.ALERTED for entry in entries):
            return f"{agent_id} is in the journal, and no alert followed within {patience.total_seconds():.0f} s"
        return ""
    return ""


def send_probe(journal: Journal, http: httpx.Client, api_url: str, body: bytes, signature: str, now: datetime) -> str:
    """Send a probe as Cronofy sends a notification; return a problem, or an empty text."""
    agent_id = _probe_id(now)
    address = f"{api_url}/webhooks/cronofy/{agent_id}"
    try:
        response = http.post(address, content=body, headers={HEADER: signature, "Content-Type": "application/json"})
    except httpx.HTTPError as error:
        return f"{address} could not be reached: {type(error).__name__}"
    if response.status_code != 200:
        return f"{address} answered {response.status_code}"
    if not journal.existing_keys([(agent_id, sha256(body).hexdigest())]):
        return f"{agent_id} was answered 200, and is not in the journal"
    return ""


def _probe_id(at: datetime) -> str:
    return f"{PROBE_PREFIX}{int(at.timestamp() // INTERVAL.total_seconds())}"
