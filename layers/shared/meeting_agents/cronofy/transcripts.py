"""A transcript as Cronofy has it, read into ours. Pure.

https://docs.cronofy.com/developers/api/meeting-agents/transcripts/
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence of a speaker. `start` and `end`: seconds from the start; None: not said."""

    speaker: str
    """Cronofy's identifier."""
    name: str
    """Empty if Cronofy does not know it."""
    text: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A transcript: its summary, and its paragraphs, each of one speaker."""

    summary: str
    paragraphs: tuple[tuple[Sentence, ...], ...]


def read_transcript(content: bytes) -> Transcript | None:
    """Read a transcript; None for a body of another shape. What is missing in one is left out."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    transcript = _mapping(_mapping(body).get("transcript"))
    if not isinstance(transcript.get("paragraphs"), list):
        return None
    paragraphs = (tuple(_sentences(_mapping(each))) for each in transcript["paragraphs"])
    return Transcript(summary=_text(transcript.get("summary")), paragraphs=tuple(filter(None, paragraphs)))


def _sentences(paragraph: dict[str, Any]) -> Iterator[Sentence]:
    speaker = _mapping(paragraph.get("speaker"))
    named = {"speaker": _text(speaker.get("identifier")), "name": _text(speaker.get("name"))}
    listed = paragraph.get("sentences")
    for each in map(_mapping, listed if isinstance(listed, list) else ()):
        if text := _text(each.get("text")):
            yield Sentence(text=text, start=_seconds(each.get("start")), end=_seconds(each.get("end")), **named)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return a text in one line; a lone surrogate, which UTF-8 does not have, becomes a question mark."""
    return " ".join(value.encode("utf-8", "replace").decode().split()) if isinstance(value, str) else ""


def _seconds(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1e7 else None  # type: ignore[operator,arg-type] # a number
