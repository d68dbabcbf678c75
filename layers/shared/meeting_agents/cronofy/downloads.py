"""Downloads from presigned addresses: a stream from any offset, each byte of which is of the same file.

The client has no credentials and follows no redirects, so that no key reaches the host of an address. What that host
supports is not documented: one that ignores a range is read from the beginning, and what it says of the file counts.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
"""Seconds of silence that end a download."""
LEAST_RATE = 256 * 1024
"""Bytes a second, on average, of a download that is not given up as too slow."""
PATIENCE = 10.0
"""Seconds before the rate counts."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_REFUSED = (401, 403, 404, 410)
"""The statuses of an address that no longer works: S3 answers an expired one with 403."""


class DownloadFailed(Exception):
    """A download that ended early, or is of something else. `code`: a key of `wording.FAILURES`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NoAddress(DownloadFailed):
    """Cronofy gave no address of the file; to ask it again at once does not help."""


class FileChanged(DownloadFailed):
    """The file at the address is another one than that of which a part was copied."""

    def __init__(self) -> None:
        super().__init__("download_changed")


@dataclass(frozen=True, slots=True)
class FileVersion:
    """The marks by which a server tells a file. All parts of a copy must be of one version."""

    size: int | None = None
    """Bytes; None: it does not say."""
    etag: str = ""
    modified: str = ""

    def is_other(self, found: "FileVersion") -> bool:
        """Return True if something that both say differs."""
        pairs = ((self.size, found.size), (self.etag, found.etag), (self.modified, found.modified))
        return any(a not in (None, "") and b not in (None, "") and a != b for a, b in pairs)


class Stream:
    """The rest of a file, from `position` on."""

    def __init__(self, response: httpx.Response, position: int, version: FileVersion) -> None:
        self.position = position
        self.version = version
        self.content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.content_encoding = response.headers.get("content-encoding", "")
        self._chunks = response.iter_raw()
        self._failure: DownloadFailed | None = None
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Return as many bytes as wanted, fewer at the end or before a failure.

        Raises `DownloadFailed` if there is none: a stream that ends early has failed.
        """
        content, began = bytearray(self._rest[:size]), time.monotonic()
        self._rest = self._rest[size:]
        while len(content) < size and (chunk := self._next()):
            room = size - len(content)
            content += chunk[:room]
            self._rest = chunk[room:]
            seconds = time.monotonic() - began
            if seconds > PATIENCE and len(content) < seconds * LEAST_RATE:
                self._chunks, self._failure = iter(()), DownloadFailed("download_slow")
        self.position += len(content)
        is_short = self._failure or self.version.size not in (None, self.position)
        if not content and is_short:
            raise self._failure or DownloadFailed("download_length")
        return bytes(content)

    def skip(self, size: int) -> None:
        """Read and drop the first bytes, of a server that ignores ranges."""
        while size and (dropped := len(self.read(min(size, 1024 * 1024)))):
            size -= dropped

    def _next(self) -> bytes:
        """Return the next bytes; none at the end, or at a failure, which the read after the last bytes raises."""
        try:
            return next(self._chunks, b"")
        except httpx.HTTPError:
            self._failure = DownloadFailed("download_interrupted")
            return b""


class Downloader:
    """Opens streams. `client` has no credentials and follows no redirects."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @contextmanager
    def open(self, address: str, position: int, version: FileVersion) -> Iterator[Stream]:
        """Open the rest of a file. `version`: of what was copied before. Raises `DownloadFailed` and `FileChanged`."""
        headers = {"Accept-Encoding": "identity"}
        if position:
            headers["Range"] = f"bytes={position}-"
            if version.etag.startswith('"'):
                headers["If-Match"] = version.etag
        request = self._client.build_request("GET", address, headers=headers)
        try:
            response = self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadFailed("download_interrupted") from error
        try:
            yield _stream(response, position, version)
        finally:
            response.close()


def _stream(response: httpx.Response, position: int, version: FileVersion) -> Stream:
    if response.status_code in (412, 416):
        raise FileChanged
    if response.status_code in _REFUSED:
        raise DownloadFailed("download_refused")
    if response.status_code not in (200, 206):
        raise DownloadFailed("download_unavailable")
    start, size = _extent(response.status_code, response.headers)
    found = FileVersion(size, response.headers.get("etag", ""), response.headers.get("last-modified", ""))
    if version.is_other(found):
        raise FileChanged
    if start not in (0, position):
        raise DownloadFailed("download_length")
    stream = Stream(response, start, found)
    stream.skip(position - start)
    return stream


def _extent(status: int, headers: Mapping[str, str]) -> tuple[int, int | None]:
    """Return the offset of the first byte of a response, and the size of the whole file, None if it is unknown."""
    if status == 206:
        extent = _RANGE.fullmatch(headers.get("content-range", ""))
        if extent is None:
            raise DownloadFailed("download_length")
        return int(extent[1]), None if extent[3] == "*" else int(extent[3])
    length = headers.get("content-length", "")
    return 0, int(length) if length.isdecimal() else None
