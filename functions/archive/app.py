"""The queue of agents that are complete and of copies: their resources are copied into the archive."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import VERSION, wiring
from meeting_agents.archiving import Archiver
from meeting_agents.aws.copy_jobs import CopyJob, job_of
from meeting_agents.aws.queues import send_all, shorten_visibility
from meeting_agents.cronofy.downloads import DownloadFailed
from meeting_agents.domain.model import Entry, EntryType
from meeting_agents.domain.reasons import ReasonCode
from meeting_agents.errors import MeetingAgentsError

logger = Logger(version=VERSION)
metrics = Metrics()

STOP_BEFORE_TIMEOUT_MS = 100_000
"""No part begins later than this before the time limit: one may take a minute at the least rate of a download."""
MAX_RECEIVES = 24
"""Tries of a job, as the queue in the template has it; then it is dead-lettered."""
LONGEST_PAUSE = 3600
"""Seconds between two tries at most, so that all tries bridge an outage of seventeen hours."""

wiring.make_ready(wiring.archiver)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handle the messages of a batch, which has one: an agent, whose jobs are sent to the queue, or a job.

    A job that is not done when the time is over is sent to the queue again, and goes on where it was. One that fails
    stays in the queue, and is tried again after a pause that doubles each time.
    """

    def has_time() -> bool:
        return bool(context.get_remaining_time_in_millis() > STOP_BEFORE_TIMEOUT_MS)

    failed = [record for record in event["Records"] if not handle(record, wiring.archiver(), send, has_time)]
    if failed:
        queue_url = wiring.settings().archive_queue_url
        shorten_visibility(wiring.client("sqs"), queue_url, failed, longest=LONGEST_PAUSE)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def send(*jobs: CopyJob) -> None:
    """Send jobs to the queue. Raises `QueueUnavailable`."""
    send_all(wiring.client("sqs"), wiring.settings().archive_queue_url, [job.to_body() for job in jobs])


def handle(
    record: dict[str, Any], archiver: Archiver, send_jobs: Callable[..., None], has_time: Callable[[], bool]
) -> bool:
    """Handle a message. Return False if it must be tried again."""
    try:
        job = job_of(record["body"])
    except (ValueError, TypeError):
        logger.error("message not readable", message_id=record["messageId"])
        return False
    now = datetime.now(UTC)
    if isinstance(job, str):
        return _tried(job, lambda: send_jobs(*archiver.jobs(job, now)))
    is_last = int(record["attributes"]["ApproximateReceiveCount"]) >= MAX_RECEIVES
    return _tried(
        job.agent_id, partial(copy, job, archiver, send_jobs, has_time), partial(give_up, job, archiver, is_last)
    )


def copy(job: CopyJob, archiver: Archiver, send_jobs: Callable[..., None], has_time: Callable[[], bool]) -> None:
    """Copy a resource, or go on with it, and send the job again if it is not done."""
    result = archiver.copy(job, datetime.now(UTC), has_time)
    if isinstance(result, CopyJob):
        send_jobs(result)
        logger.info("copy continues", agent_id=job.agent_id, attempt=job.attempt, resource=job.resource)
    elif isinstance(result, Entry):
        _count(job, result)


def give_up(job: CopyJob, archiver: Archiver, is_last: bool, code: str) -> None:
    """Append that all tries failed, after the last one."""
    if is_last and (entry := archiver.fail(job, ReasonCode.ARCHIVE_GIVEN_UP, datetime.now(UTC), failure=code)):
        _count(job, entry)


def _tried(agent_id: str, work: Callable[[], None], fail: Callable[[str], None] = lambda _: None) -> bool:
    """Do some work; False if it failed, which is logged by its code: an address must not be in a log."""
    try:
        work()
    except (DownloadFailed, MeetingAgentsError) as error:
        detail = error.detail if isinstance(error, MeetingAgentsError) else ""
        logger.warning("resource not archived", agent_id=agent_id, code=error.code, detail=detail)
        metrics.add_metric("CopiesFailed", MetricUnit.Count, 1)
        fail(error.code)
        return False
    return True


def _count(job: CopyJob, entry: Entry) -> None:
    is_archived, reason = entry.kind is EntryType.ARCHIVED, entry.reason
    logger.info(
        "resource archived" if is_archived else "resource lost",
        agent_id=job.agent_id,
        attempt=job.attempt,
        resource=job.resource,
        reason=reason and reason.code,
    )
    metrics.add_metric("ResourcesArchived" if is_archived else "ResourcesNotArchived", MetricUnit.Count, 1)
    if is_archived and reason:
        metrics.add_metric("BytesArchived", MetricUnit.Bytes, int(reason["size"]))
