"""An archive without functions: the real objects on a real table, bucket and stand-in Cronofy, driven job by job."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import httpx
from botocore.config import Config

from meeting_agents.archiving import Archiver
from meeting_agents.aws.archive_bucket import ArchiveBucket
from meeting_agents.aws.copy_jobs import CopyJob, job_of
from meeting_agents.aws.dynamodb import Table
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.erasures import Erasures
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.notifications import append_notification
from meeting_agents.cronofy.downloads import Downloader
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import ArchiveScope, Entry
from meeting_agents.domain.record import ArchivedFile, Record
from meeting_agents.erasing import Eraser
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import Media

MEBIBYTE = 1024 * 1024
PART_BYTES = 5 * MEBIBYTE
"""The least that S3 takes."""
KEY = ("us", CALENDAR, "event_1")
_numbers = count(1)


class Killed(BaseException):
    """The function's process ends."""


@dataclass
class Clock:
    """The time of an invocation: so many questions for it until it is over."""

    left: int = 10**9

    def has_time(self) -> bool:
        self.left -= 1
        return self.left >= 0


@dataclass
class ArchiveDesk:
    """A context manager. `parts`: the parts of a file that one invocation copies."""

    aws: EmbeddedAws
    scope: ArchiveScope = ArchiveScope.ALL
    lock: Any = None
    """The default retention of the bucket."""
    parts: int = 10**9
    opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.desk = self.opened.enter_context(Desk(self.aws))
        self.cronofy = self.desk.cronofy
        self.session = self.aws.session("000000000200")
        self.s3: Any = self.session.client("s3", config=Config(request_checksum_calculation="when_required"))
        self.bucket_name = f"archive-{next(_numbers)}"
        where: Any = {"LocationConstraint": self.session.region_name}
        self.s3.create_bucket(Bucket=self.bucket_name, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        if self.lock:
            self.s3.put_object_lock_configuration(
                Bucket=self.bucket_name,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": self.lock}},
            )
        self.bucket = ArchiveBucket(self.s3, self.bucket_name)
        self.http = self.opened.enter_context(httpx.Client(timeout=3, trust_env=False))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.opened.close()

    def journal(self) -> Journal:
        return Journal(self._table(), GracePeriods(archive_scope=self.scope), timedelta(days=400))

    def _table(self) -> Table:
        return Table(self.session.client("dynamodb"), self.desk.agents_table)

    def archiver(self, part_bytes: int = PART_BYTES) -> Archiver:
        """Return a new archiver, as a new process has it."""
        addresses, downloader = self.desk.resource_addresses(), Downloader(self.http)
        return Archiver(self.journal(), self.bucket, addresses, downloader, "us", part_bytes)

    def eraser(self) -> Eraser:
        return Eraser(self.journal(), Erasures(self._table()), self.desk.silences(), self.bucket)

    def completed(self, size: int = 4096, categories: tuple[str, ...] = ("audio", "transcript", "video")) -> str:
        """Let an agent be complete, with recordings of this size. Return its id."""
        self.cronofy.behaviour.recording_bytes = size
        grant = self.cronofy.grant("us", calendars=(CALENDAR,))
        request = self.desk.upsert(CallerCredentials(token=grant.access_token))
        self.desk.provisioning().submit(request)
        body = json.loads(self.cronofy.complete(KEY, deliver=False).body)
        listed = body["meeting_agent"]["resources"]
        body["meeting_agent"]["resources"] = [each for each in listed if each["category"] in ("cronofy", *categories)]
        self.notify(request.agent_id, body)
        return request.agent_id

    def notify(self, agent_id: str, body: Any) -> None:
        """Append a notification, as `webhook` does."""
        raw = json.dumps(body).encode()
        append_notification(self._table(), agent_id, raw, at=self.desk.now, attempt=None, signed_with="us:current")

    def run(self, agent_id: str, *, most: int = 200) -> list[CopyJob]:
        """Do all jobs of an agent, as the queue hands them over; return those that were handed over."""
        waiting, done = self.archiver().jobs(agent_id, self.desk.now), list[CopyJob]()
        while waiting and len(done) < most:
            job, *waiting = waiting
            done.append(job)
            again = self.step(job)
            waiting += [again] if isinstance(again, CopyJob) else []
        return done

    def step(self, job: CopyJob) -> CopyJob | Entry | None:
        """Do one job in one invocation, from its message."""
        received = job_of(job.to_body())
        assert isinstance(received, CopyJob)
        clock = Clock() if job.is_copied else Clock(self.parts)
        return self.archiver().copy(received, self.desk.now, clock.has_time)

    def job(self, agent_id: str, category: str = "video") -> CopyJob:
        jobs = self.archiver().jobs(agent_id, self.desk.now)
        return next(job for job in jobs if job.base.endswith(f"/{category}"))

    # ---------------------------------------------------------------------------------------------------- what is there

    def entries(self, agent_id: str) -> list[StoredEntry]:
        return self.journal().read(agent_id, self.desk.now)

    def record(self, agent_id: str) -> Record:
        return fold(stored.entry for stored in self.entries(agent_id))

    def files(self, agent_id: str) -> dict[str, ArchivedFile]:
        """The archived files of the current attempt, by category."""
        return {file.resource.category: file for file in self.record(agent_id).current.archived}

    def content(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=self.bucket_name, Key=key)["Body"].read())

    def keys(self) -> list[str]:
        return sorted(each["Key"] for each in self.s3.list_objects_v2(Bucket=self.bucket_name).get("Contents", []))

    def versions(self) -> list[str]:
        """The keys of all versions and delete markers."""
        found = self.s3.list_object_versions(Bucket=self.bucket_name)
        return sorted(each["Key"] for name in ("Versions", "DeleteMarkers") for each in found.get(name, []))

    def end_locks(self) -> None:
        """Let the time of all locks be over."""
        for version in self.s3.list_object_versions(Bucket=self.bucket_name).get("Versions", []):
            self.s3.put_object_retention(
                Bucket=self.bucket_name,
                Key=version["Key"],
                VersionId=version["VersionId"],
                Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2020, 1, 1, tzinfo=UTC)},
                BypassGovernanceRetention=True,
            )

    def uploads(self) -> list[str]:
        found = self.s3.list_multipart_uploads(Bucket=self.bucket_name)
        return [each["Key"] for each in found.get("Uploads", [])]

    def media(self, category: str = "video") -> Media:
        return self.cronofy.recording(KEY, category)

    @contextmanager
    def killed_after(self, call: str) -> Iterator[None]:
        """Let the process end after the answer of the next call of this operation of S3."""
        armed = [True]

        def kill(**_: Any) -> None:
            if armed.pop() if armed else False:
                raise Killed

        name = f"after-call.s3.{call}"
        self.s3.meta.events.register(name, kill)
        try:
            yield
        finally:
            self.s3.meta.events.unregister(name, kill)

    @contextmanager
    def answering(self, call: str, status: int, code: str) -> Iterator[None]:
        """Let S3 answer each call of an operation with an error."""

        def answer(**_: Any) -> Any:
            failed = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            return SimpleNamespace(status_code=status), failed

        name = f"before-call.s3.{call}"
        self.s3.meta.events.register(name, answer)
        try:
            yield
        finally:
            self.s3.meta.events.unregister(name, answer)


def without_upload(job: CopyJob) -> CopyJob:
    """Return the job as it was first sent."""
    return replace(job, upload=None)
