"""The archive: each resource of a complete agent is copied from its short-lived address into a bucket of the stack.

A copy is idempotent at each step, and goes on where it was: the key of a file is made from the agent, its attempt and
the resource; a file that is there is not copied again, and parts that are there are not, either. One part is in memory.

S3 compares each part with the SHA-256 that is sent along. The SHA-256 of the whole file is computed while it passes, if
it does so in one invocation. A state of hashlib cannot be stored, so a file that took several invocations is read once
more, from S3, in an invocation of its own.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Self

from meeting_agents.aws.archive_bucket import ArchiveBucket, KeyTaken, Part, StoredFile, UploadGone
from meeting_agents.aws.archive_layout import base_key, extension, manifest_key, prefixes_of, renditions
from meeting_agents.aws.copy_jobs import CopyJob, Upload
from meeting_agents.aws.journal import Journal
from meeting_agents.cronofy.downloads import (
    Downloader,
    DownloadFailed,
    FileChanged,
    FileVersion,
    NoAddress,
    Stream,
)
from meeting_agents.cronofy.resource_addresses import ResourceAddresses
from meeting_agents.cronofy.transcripts import read_transcript
from meeting_agents.domain.archive import TRANSCRIPT, owed_resources, resource_id
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import Entry, EntryType, Resource
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.plain_values import plain
from meeting_agents.renditions import as_sentences, as_text, as_webvtt

PART_BYTES = 16 * 1024 * 1024
"""A part of a copy, and what is in memory: S3 takes 10,000 parts, so a file may have 160 GB."""
MAX_OPENS = 5
"""Streams in a row that bring nothing: each failure costs one, and a new address."""
PROGRESS_BYTES = 256 * 1024
"""A stream that brings so much at once has brought something."""
MAX_RESTARTS = 3
"""The times that a copy begins anew because its source changed."""
GONE_AFTER = timedelta(minutes=30)
"""After an agent is complete. From then on Cronofy's 404 means that a resource is gone, and not still to come."""
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Gone:
    """Cronofy no longer has the resource."""

    status: int


@dataclass(frozen=True, slots=True)
class _Owed:
    """A resource that is still to be archived, and what it is of."""

    job: CopyJob
    record: Record
    attempt: Attempt
    resource: Resource

    @property
    def is_transcript(self) -> bool:
        return self.resource.category == TRANSCRIPT


class Archiver:
    """Copies the resources of agents. `has_time`: False if no further part is to be begun.

    Methods raise `StoreUnavailable`, `ArchiveUnavailable`, `ArchiveRejected`, what `ResourceAddresses.resolve` raises,
    and `DownloadFailed`.
    """

    def __init__(
        self,
        journal: Journal,
        bucket: ArchiveBucket,
        addresses: ResourceAddresses,
        downloader: Downloader,
        default_data_center: str,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._journal = journal
        self._bucket = bucket
        self._addresses = addresses
        self._downloader = downloader
        self._default_data_center = default_data_center
        self._part_bytes = part_bytes

    def jobs(self, agent_id: str, now: datetime) -> list[CopyJob]:
        """Return a job for each resource of an agent that is to be archived."""
        entries = self._journal.read(agent_id, now)
        record = fold(stored.entry for stored in entries)
        return [
            CopyJob(
                agent_id=agent_id,
                attempt=attempt.number,
                resource=resource_id(resource),
                base=base_key(agent_id, record, attempt, resource),
            )
            for attempt in record.attempts
            for resource in owed_resources(attempt, self._journal.grace_periods.archive_scope)
        ]

    def copy(self, job: CopyJob, now: datetime, has_time: Callable[[], bool]) -> CopyJob | Entry | None:
        """Copy a resource, or some parts of it.

        Returns the job if it is to be continued, the entry that was appended, or None if nothing was to be done.
        """
        entries, erasure = self._journal.read_with_erasure(job.agent_id, now)
        if erasure:  # the erasure may have been before a file of an earlier try
            self._bucket.erase(prefixes_of(job.base))
            return None
        owed = self._owed(job, fold(stored.entry for stored in entries)) if entries else None
        if owed is None:
            if job.upload:
                self._bucket.abort(job.upload.key, job.upload.id)
            return None
        file = self._bucket.find(job.base, job.resource)
        if file is None:
            copied = self._copied(owed, now, has_time)
            if isinstance(copied, CopyJob):
                return copied
            if isinstance(copied, Gone):
                return self.fail(job, ReasonCode.RESOURCE_EXPIRED, now, status=str(copied.status))
            file = copied
        if not file.sha256:
            if not job.is_copied:
                return replace(job, upload=None, is_copied=True)  # the whole time of an invocation is left for it
            file = replace(file, sha256=self._sum(file.key, has_time))
        return self._finish(owed, file, now)

    def fail(self, job: CopyJob, code: ReasonCode, now: datetime, **values: str) -> Entry | None:
        """Append that a resource is not archived, unless it is. Return the entry."""
        record = fold(stored.entry for stored in self._journal.read(job.agent_id, now))
        owed = self._owed(job, record) if record.attempts else None
        if owed is None:
            return None
        named = {"category": owed.resource.category, "type": owed.resource.type}
        entry = Entry(
            key=f"archive_failed#{job.attempt}#{job.resource}#{code}",
            kind=EntryType.ARCHIVE_FAILED,
            at=now,
            attempt=job.attempt,
            resources=(owed.resource,),
            reason=Reason.of(code, **named, **values),
        )
        self._journal.append(job.agent_id, entry, meeting=record.meeting)
        return entry

    def _owed(self, job: CopyJob, record: Record) -> _Owed | None:
        for attempt in record.attempts:
            for resource in owed_resources(attempt, self._journal.grace_periods.archive_scope):
                if (attempt.number, resource_id(resource)) == (job.attempt, job.resource):
                    return _Owed(job, record, attempt, resource)
        return None

    # --------------------------------------------------------------------------------------------------------- copying

    def _copied(self, owed: _Owed, now: datetime, has_time: Callable[[], bool]) -> StoredFile | CopyJob | Gone:
        job, upload = owed.job, owed.job.upload
        version = upload.version if upload else FileVersion()
        with _Source(lambda: self._address(owed), self._downloader, version, has_time) as source:
            try:
                if upload:
                    return self._in_parts(owed, upload, source, has_time)
                return self._whole_or_begun(owed, source)
            except UploadGone:
                return _restarted(job, DownloadFailed("upload_gone"))
            except FileChanged as error:
                if upload:
                    self._bucket.abort(upload.key, upload.id)
                return _restarted(job, error)
            except _IsGone as gone:
                is_settled = owed.attempt.complete_at is not None and now >= owed.attempt.complete_at + GONE_AFTER
                if not is_settled:
                    raise DownloadFailed("download_refused") from None
                return Gone(gone.status)

    def _address(self, owed: _Owed) -> str:
        """Return the presigned address of a resource, as Cronofy gives it at this moment."""
        identity = owed.record.identity
        data_center = (identity.data_center if identity else "") or self._default_data_center
        response = self._addresses.resolve(owed.resource.url, data_center)
        if response.status in _GONE:
            raise _IsGone(response.status)
        if not response.download_url:
            raise NoAddress(str(response.status))
        return response.download_url

    def _whole_or_begun(self, owed: _Owed, source: "_Source") -> StoredFile | CopyJob:
        """Store a file of one part; or begin one of many parts, which the next invocation copies.

        What is copied is in the job before the first part: if this invocation ends early, the parts are not lost.
        """
        job, content = owed.job, source.read(0, self._part_bytes)
        if not content:
            raise DownloadFailed("download_empty")
        key = f"{job.base}.{'json' if owed.is_transcript else extension(source.content_type, source.address)}"
        content_type = source.content_type or "application/octet-stream"
        if len(content) < self._part_bytes or len(content) == source.version.size:
            try:
                self._bucket.put(key, content, content_type, job.resource, source.content_encoding)
            except KeyTaken:
                return self._taken(key, job)
            return StoredFile(key, len(content), sha256(content).hexdigest(), content_type)
        id_ = self._bucket.begin(key, content_type, job.resource, source.content_encoding)
        return replace(job, upload=Upload(id=id_, key=key, version=source.version, part_bytes=self._part_bytes))

    def _in_parts(
        self, owed: _Owed, upload: Upload, source: "_Source", has_time: Callable[[], bool]
    ) -> StoredFile | CopyJob:
        parts = self._whole_parts(upload)
        position = sum(part.size for part in parts)
        whole, before = (None if parts else sha256()), len(parts)
        while position != upload.version.size:
            if not has_time():
                if len(parts) == before:
                    raise DownloadFailed("download_slow")
                return owed.job
            content = source.read(position, upload.part_bytes)
            if not content:
                break
            parts.append(self._bucket.add(upload.key, upload.id, len(parts) + 1, content))
            position += len(content)
            if whole:
                whole.update(content)
            del content  # before the next part is read
        try:
            self._bucket.finish(upload.key, upload.id, parts)
        except KeyTaken:
            self._bucket.abort(upload.key, upload.id)
            return self._taken(upload.key, owed.job)
        file = self._taken(upload.key, owed.job)
        return replace(file, sha256=whole.hexdigest()) if whole else file

    def _whole_parts(self, upload: Upload) -> list[Part]:
        """Return the parts from the first on that are there without a gap."""
        parts: list[Part] = []
        for part in self._bucket.parts(upload.key, upload.id):
            if part.number != len(parts) + 1 or (parts and parts[-1].size != upload.part_bytes):
                break
            parts.append(part)
        return parts

    def _taken(self, key: str, job: CopyJob) -> StoredFile:
        """Return the file with a key, which must be that of the job."""
        file = self._bucket.head(key, job.resource)
        if file is None:
            raise DownloadFailed("key_taken")
        return file

    # ------------------------------------------------------------------------------------------------------- finishing

    def _sum(self, key: str, has_time: Callable[[], bool]) -> str:
        """Return the SHA-256 of a file in the bucket; empty if it cannot be read within one invocation."""
        whole = sha256()
        for piece in self._bucket.read(key):
            if not has_time():
                return ""
            whole.update(piece)
        return whole.hexdigest()

    def _finish(self, owed: _Owed, file: StoredFile, now: datetime) -> Entry:
        """Store what is made of a transcript, then the manifest, then append the entry: its readers find them."""
        job, resource = owed.job, owed.resource
        made = self._render(owed, file) if owed.is_transcript else []
        attempt, meeting = owed.attempt, owed.attempt.meeting
        described = {
            "category": resource.category,
            "type": resource.type,
            "key": file.key,
            "size": file.size,
            "sha256": file.sha256 or None,
            "sha256_of_parts": file.parts_sha256 or None,
            "content_type": file.content_type,
            "renditions": made,
        }
        self._bucket.merge(
            manifest_key(job.base),
            {
                "agent_id": job.agent_id,
                "attempt": attempt.number,
                "subs": list(attempt.subs),
                "account": owed.record.identity.account if owed.record.identity else "",
                "meeting": plain(meeting),
                "labels": dict(owed.record.labels),
                "files": [described],
            },
            "files",
            "key",
        )
        stored = {"bucket": self._bucket.name, "key": file.key, "size": str(file.size), "sha256": file.sha256}
        entry = Entry(
            key=f"archived#{job.attempt}#{job.resource}",
            kind=EntryType.ARCHIVED,
            at=now,
            attempt=job.attempt,
            resources=(resource,),
            reason=Reason.of(ReasonCode.ARCHIVED, category=resource.category, type=resource.type, **stored),
        )
        self._journal.append(job.agent_id, entry, meeting=owed.record.meeting)
        return entry

    def _render(self, owed: _Owed, file: StoredFile) -> list[str]:
        """Store a transcript as WebVTT, as text, and its sentences; return their keys; of another shape, none."""
        transcript = read_transcript(b"".join(self._bucket.read(file.key))) if file.size <= PART_BYTES else None
        if transcript is None:
            return []
        webvtt, text, sentences = keys = list(renditions(owed.job.base))
        meeting, job = owed.attempt.meeting, owed.job
        title = meeting.summary
        account = owed.record.identity.account if owed.record.identity else ""
        lines = as_sentences(transcript, agent_id=job.agent_id, attempt=job.attempt, account=account, meeting=meeting)
        self._bucket.put_once(webvtt, as_webvtt(transcript).encode(), "text/vtt; charset=utf-8")
        self._bucket.put_once(text, as_text(transcript, title).encode(), "text/plain; charset=utf-8")
        self._bucket.put_once(sentences, lines.encode(), "application/x-ndjson")
        return keys


class _IsGone(Exception):
    """Cronofy does not have the resource."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _restarted(job: CopyJob, error: DownloadFailed) -> CopyJob:
    if job.restarts >= MAX_RESTARTS:
        raise error
    return replace(job, upload=None, restarts=job.restarts + 1)


class _Source:
    """The bytes of a resource from any position on: after a failure at a new address, a bounded number of times."""

    def __init__(
        self, address: Callable[[], str], downloader: Downloader, version: FileVersion, has_time: Callable[[], bool]
    ) -> None:
        self._resolve = address
        self._has_time = has_time
        self._downloader = downloader
        self.version = version
        self.address = self.content_type = self.content_encoding = ""
        self._stream: Stream | None = None
        self._open = ExitStack()
        self._opens = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read(self, position: int, size: int) -> bytes:
        """Return as many bytes from a position on, fewer only at the end. Raises `DownloadFailed`."""
        content = bytearray()
        while len(content) < size:
            try:
                piece = self._at(position + len(content)).read(size - len(content))
            except (FileChanged, NoAddress):
                raise
            except DownloadFailed:
                self._stream = None
                if self._opens >= MAX_OPENS or not self._has_time():
                    raise
                continue
            if not piece:
                break
            if len(piece) == size:
                return piece  # as almost always: a copy would be another part in memory
            content += piece
            self._opens = 0 if len(piece) >= PROGRESS_BYTES else self._opens
        return bytes(content)

    def _at(self, position: int) -> Stream:
        if self._stream is None or self._stream.position != position:
            self._open.close()
            self._opens += 1
            self.address = self._resolve()
            self._stream = self._open.enter_context(self._downloader.open(self.address, position, self.version))
            self.version = self._stream.version
            self.content_type, self.content_encoding = self._stream.content_type, self._stream.content_encoding
        return self._stream
