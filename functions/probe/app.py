"""Every five minutes the system tries itself: the news that an agent failed must become an alert, but for the telling.

A probe goes the whole way of a real notification: public address, signature, journal, stream, record, announcement,
queue, alert. It does not try the last step, SNS's delivery to people, but counts the subscribers; nor does it try
whether silence is found: the sweep has a heartbeat for that. Each probe is an agent of its own, whose id no natural key
gives; people and lists never see it.
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
"""From one probe to the next, as the template schedules them."""
MARGIN = timedelta(minutes=1)
"""What the way may take besides the window in which alerts are collected."""
LOOK_BACK = 4
"""Intervals: longer than the longest window, with room for runs that came late."""


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Count subscribers, judge the newest probe that had its time, send the next one.

    `ProbeFailures` is 1 if any of these went wrong. A topic without a subscriber is no lost probe: `AlertSubscribers`
    has an alarm of its own.
    """
    now = datetime.now(UTC)
    problems = []
    try:
        problems.append(count_subscribers(wiring.alerts_topic()))
        problems.append(check_previous_probe(wiring.journal(), now, wiring.settings().alert_group_wait + MARGIN))
        body = write_notification(EntryType.FAILED, "probe", f"Probe of {now:%Y-%m-%d %H:%M:%S} UTC")
        secret = wiring.client_secrets().secrets()[0]
        signature = sign(body, [secret.value])
        problems.append(send_probe(wiring.journal(), wiring.http(), wiring.settings().api_url, body, signature, now))
    except MeetingAgentsError as error:
        problems.append(error.detail)
    lost = [problem for problem in problems if problem]
    for problem in lost:
        logger.error("probe lost", problem=problem)
    metrics.add_metric("ProbeFailures", MetricUnit.Count, int(bool(lost)))
    return {"lost": lost}


def count_subscribers(topic: AlertsTopic) -> str:
    """Report how many confirmed subscribers the alerts topic has, zero included; return the problem if there is one."""
    try:
        confirmed = topic.subscribers()
    except TopicUnavailable as error:
        return f"the subscribers could not be counted: {error.detail}"
    metrics.add_metric("AlertSubscribers", MetricUnit.Count, confirmed)
    return ""


def check_previous_probe(journal: Journal, now: datetime, patience: timedelta) -> str:
    """What is wrong with the newest probe that is older than `patience`; nothing, if all is well or there is none."""
    for number in range(1, LOOK_BACK + 1):
        agent_id = _agent(now - number * INTERVAL)
        lines = journal.read(agent_id, now)
        sent = min((line.entry.at for line in lines), default=None)
        if sent is None or sent > now - patience:
            continue
        if not any(line.entry.kind is EntryType.ALERTED for line in lines):
            return f"{agent_id} was kept, but would not have been told within {patience.total_seconds():.0f} s"
        return ""
    return ""


def send_probe(journal: Journal, http: httpx.Client, api_url: str, body: bytes, signature: str, now: datetime) -> str:
    """Send a probe as Cronofy would; what is wrong with how it was taken, if anything."""
    agent_id = _agent(now)
    address = f"{api_url}/webhooks/cronofy/{agent_id}"
    try:
        answer = http.post(address, content=body, headers={HEADER: signature, "Content-Type": "application/json"})
    except httpx.HTTPError as error:
        return f"{address} could not be reached: {type(error).__name__}"
    if answer.status_code != 200:
        return f"{address} answered {answer.status_code}"
    if not journal.existing_keys([(agent_id, sha256(body).hexdigest())]):
        return f"{agent_id} was answered with 200, and is not in the journal"
    return ""


def _agent(at: datetime) -> str:
    return f"{PROBE_PREFIX}{int(at.timestamp() // INTERVAL.total_seconds())}"
