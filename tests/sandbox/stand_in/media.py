"""Recordings: bytes that are the same each time, of any size, and never whole in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random

BLOCK = 1024 * 1024
CONTENT_TYPES = {"audio": "audio/mp4", "video": "video/mp4"}
"""Of recordings; Cronofy documents none."""


@dataclass(frozen=True)
class Media:
    """A recording. `edition`: another one has other bytes."""

    name: str
    size: int
    edition: int = 1

    @property
    def etag(self) -> str:
        return f'"{sha256(f"{self.name}/{self.edition}/{self.size}".encode()).hexdigest()[:32]}"'

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Iterate over the bytes from `start` until before `end`."""
        end = self.size if end is None else end
        block = Random(f"{self.name}/{self.edition}").randbytes(BLOCK)
        while start < end:
            number, offset = divmod(start, BLOCK)
            whole = f"{number:016d}".encode() + block[16:]
            piece = whole[offset : offset + end - start]
            yield piece
            start += len(piece)

    @property
    def sha256(self) -> str:
        digest = sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()
