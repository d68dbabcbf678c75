"""The bucket of the archive: its files, the parts of one that is being copied, and their erasure."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.domain.erasures import LockedFile
from meeting_agents.errors import ArchiveRejected, ArchiveUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

RESOURCE = "resource"
"""The member of a file's metadata that has the id of its resource."""
_READ_BYTES = 1024 * 1024
_NOT_THERE = ("NoSuchKey", "404")
_TRANSIENT = ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "ConditionalRequestConflict")
_MAX_MERGES = 10
"""Tries to write a manifest that others write at the same time."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the bucket."""

    key: str
    size: int
    sha256: str
    """In hexadecimal digits; empty for one that was copied in parts: S3 has the sum of their sums."""
    content_type: str
    parts_sha256: str = ""
    """S3's own checksum of a file that was copied in parts: the SHA-256 of the parts' SHA-256, and their number."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a file that is being copied, as S3 has it."""

    number: int
    size: int
    etag: str
    sha256: str


class UploadGone(Exception):
    """The upload was finished, or aborted, by someone else."""


class KeyTaken(Exception):
    """A file with the key is there."""


class ArchiveBucket:
    """The bucket. Every method raises `ArchiveUnavailable` and `ArchiveRejected`, after botocore's own retries.

    What S3 receives it compares with the SHA-256 that is sent along, so that no byte is stored that was not sent.
    """

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def find(self, base: str, resource: str) -> StoredFile | None:
        """Return the file of a resource, with any extension, or None."""
        with _errors():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=f"{base}.")
            keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        files = (file for key in keys if not key.endswith((".vtt", ".txt")) and (file := self.head(key, resource)))
        return next(files, None)

    def head(self, key: str, resource: str = "") -> StoredFile | None:
        """Return a file, or None; also if it is not that of a resource which is named."""
        try:
            with _errors(*_NOT_THERE):
                found = self._client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        except _Expected:
            return None
        if resource and found["Metadata"].get(RESOURCE) != resource:
            return None
        checksum, _, parts = found.get("ChecksumSHA256", "").partition("-")
        digest = base64.b64decode(checksum).hex()
        return StoredFile(
            key,
            found["ContentLength"],
            "" if parts else digest,
            found["ContentType"],
            f"{digest}-{parts}" if parts else "",
        )

    def put(
        self, key: str, content: bytes, content_type: str, resource: str = "", encoding: str = "", *, etag: str = "*"
    ) -> None:
        """Store a file of one piece if its key does not exist. `etag`: replace the file that has it.

        Raises `KeyTaken`.
        """
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag == "*" else {"IfMatch": etag}
        with _errors():
            self._client.put_object(
                Bucket=self.name,
                Key=key,
                Body=content,
                ContentType=content_type,
                ChecksumSHA256=_checksum(content),
                **_described(resource, encoding),
                **condition,
            )

    def put_once(self, key: str, content: bytes, content_type: str) -> None:
        """Store a file, unless it is there."""
        with suppress(KeyTaken):
            self.put(key, content, content_type)

    def merge(self, key: str, change: Mapping[str, Any], files: str, own: str) -> None:
        """Change a JSON document: its members, and in the list `files` the member with the same `own` value.

        Of two at the same time, the second reads what the first has written.
        """
        for _ in range(_MAX_MERGES):
            before, etag = self._document(key)
            [file] = change[files]
            others = [each for each in before.get(files, []) if each.get(own) != file[own]]
            after = {**before, **change, files: sorted([*others, file], key=lambda each: str(each[own]))}
            if after == before:
                return None
            with suppress(KeyTaken):
                content = json.dumps(after, ensure_ascii=False, indent=2).encode()
                return self.put(key, content, "application/json", etag=etag)
        raise ArchiveUnavailable("a manifest is being written by others; try again")

    def _document(self, key: str) -> tuple[dict[str, Any], str]:
        try:
            with _errors(*_NOT_THERE):
                found = self._client.get_object(Bucket=self.name, Key=key)
                return json.loads(found["Body"].read()), found["ETag"]
        except _Expected:
            return {}, "*"

    # -------------------------------------------------------------------------------------------------------- in parts

    def begin(self, key: str, content_type: str, resource: str, encoding: str) -> str:
        """Begin a file that is copied in parts, and return the id of the upload."""
        with _errors():
            begun = self._client.create_multipart_upload(
                Bucket=self.name,
                Key=key,
                ContentType=content_type,
                ChecksumAlgorithm="SHA256",
                **_described(resource, encoding),
            )
        return begun["UploadId"]

    def parts(self, key: str, upload: str) -> list[Part]:
        """Return the parts that are there, in their order. Raises `UploadGone`."""
        with _errors():
            pages = self._client.get_paginator("list_parts").paginate(Bucket=self.name, Key=key, UploadId=upload)
            found = [each for page in pages for each in page.get("Parts", [])]
        parts = (Part(each["PartNumber"], each["Size"], each["ETag"], each["ChecksumSHA256"]) for each in found)
        return sorted(parts, key=lambda part: part.number)

    def add(self, key: str, upload: str, number: int, content: bytes) -> Part:
        """Add a part. The same number again replaces it. Raises `UploadGone`."""
        checksum = _checksum(content)
        with _errors():
            added = self._client.upload_part(
                Bucket=self.name, Key=key, UploadId=upload, PartNumber=number, Body=content, ChecksumSHA256=checksum
            )
        return Part(number, len(content), added["ETag"], checksum)

    def finish(self, key: str, upload: str, parts: Iterable[Part]) -> None:
        """Make the file of its parts, if its key does not exist. Raises `UploadGone` and `KeyTaken`."""
        wanted: list[CompletedPartTypeDef] = [
            {"PartNumber": part.number, "ETag": part.etag, "ChecksumSHA256": part.sha256} for part in parts
        ]
        with _errors():
            self._client.complete_multipart_upload(
                Bucket=self.name, Key=key, UploadId=upload, MultipartUpload={"Parts": wanted}, IfNoneMatch="*"
            )

    def abort(self, key: str, upload: str) -> None:
        """Give an upload up. Its parts are deleted."""
        with suppress(UploadGone), _errors():
            self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)

    # --------------------------------------------------------------------------------------------------------- reading

    def read(self, key: str) -> Iterator[bytes]:
        """Iterate over the pieces of a file, a megabyte each."""
        with _errors():
            yield from self._client.get_object(Bucket=self.name, Key=key)["Body"].iter_chunks(_READ_BYTES)

    def presigned(self, key: str, seconds: int) -> str:
        """Return an address of a file that needs no credentials and lasts for some seconds."""
        with _errors():
            return self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=seconds
            )

    # --------------------------------------------------------------------------------------------------------- erasing

    def erase(self, prefixes: Iterable[str]) -> list[LockedFile]:
        """Delete all versions under these prefixes, and what is being copied there. Return those that are locked.

        A locked file gets a delete marker, so that no query finds it any more.
        """
        kept: list[LockedFile] = []
        for prefix in prefixes:
            for key, upload in self._uploads(prefix):
                self.abort(key, upload)
            versions, markers = self._versions(prefix)
            locked = [(key, version) for key, version, _ in versions if not self._delete(key, version)]
            kept_keys = {key for key, _ in locked}
            for key in sorted(kept_keys & {key for key, _, is_latest in versions if is_latest}):
                with _errors():
                    self._client.delete_object(Bucket=self.name, Key=key)
            for key, version, _ in markers:
                if key not in kept_keys:
                    self._delete(key, version)
            kept += [LockedFile(key, self._locked_until(key, version)) for key, version in locked]
        return kept

    def locked(self, prefixes: Iterable[str]) -> list[LockedFile]:
        """Return the versions under these prefixes, each with the end of its lock; after an erasure, those left."""
        listed = ((key, version) for prefix in prefixes for key, version, _ in self._versions(prefix)[0])
        return [LockedFile(key, self._locked_until(key, version)) for key, version in listed]

    def _uploads(self, prefix: str) -> list[tuple[str, str]]:
        with _errors():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix)
            return [(each["Key"], each["UploadId"]) for page in pages for each in page.get("Uploads", [])]

    def _versions(self, prefix: str) -> tuple[list[tuple[str, str, bool]], list[tuple[str, str, bool]]]:
        """Return the versions under a prefix and its delete markers: key, id, and if it is the newest."""
        found: dict[str, list[tuple[str, str, bool]]] = {"Versions": [], "DeleteMarkers": []}
        with _errors():
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix):
                for name, items in found.items():
                    listed: Any = page.get(name, [])
                    items += [(each["Key"], each["VersionId"], each["IsLatest"]) for each in listed]
        return found["Versions"], found["DeleteMarkers"]

    def _delete(self, key: str, version: str) -> bool:
        """Delete a version; False if that is denied, as Object Lock does."""
        try:
            with _errors("AccessDenied"):
                self._client.delete_object(Bucket=self.name, Key=key, VersionId=version)
        except _Expected:
            return False
        return True

    def _locked_until(self, key: str, version: str) -> datetime:
        """Return the end of a version's lock. Raises `ArchiveRejected` if it has none: it was denied otherwise."""
        with _errors():
            found = self._client.head_object(Bucket=self.name, Key=key, VersionId=version)
        until = found.get("ObjectLockRetainUntilDate")
        if until is None:
            raise ArchiveRejected("the bucket of the archive denies the deletion of a file that is not locked")
        return until


def _described(resource: str, encoding: str) -> dict[str, Any]:
    """Return what a file says of itself."""
    described: dict[str, Any] = {"Metadata": {RESOURCE: resource}} if resource else {}
    return described | ({"ContentEncoding": encoding} if encoding else {})


def _checksum(content: bytes) -> str:
    return base64.b64encode(sha256(content).digest()).decode()


class _Expected(Exception):
    """S3 answered with an error that has a meaning here."""


@contextmanager
def _errors(*expected: str) -> Iterator[None]:
    """Turn botocore's errors into ours. `expected`: the codes of those that have a meaning."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if code in expected:
            raise _Expected from error
        if code == "NoSuchUpload":
            raise UploadGone from error
        if code == "PreconditionFailed":
            raise KeyTaken from error
        if status >= 500 or code in _TRANSIENT:
            raise ArchiveUnavailable(f"the bucket of the archive answered {code}; try again") from error
        raise ArchiveRejected(f"the bucket of the archive answered {code}, and will again") from error
    except BotoCoreError as error:
        raise ArchiveUnavailable("the bucket of the archive did not answer; try again") from error
