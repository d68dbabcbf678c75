"""A transcript in other forms: WebVTT for players, text for people, a line of JSON for each sentence. Pure."""

import json
from collections.abc import Iterator

from meeting_agents.aws.keys import timestamp
from meeting_agents.cronofy.transcripts import Sentence, Transcript
from meeting_agents.domain.model import Meeting

LEAST_SECONDS = 0.001
"""A cue must end after it begins: https://www.w3.org/TR/webvtt1/#webvtt-cue-timings."""
_UNKNOWN = "Unknown speaker"


def as_webvtt(transcript: Transcript) -> str:
    """Return a transcript as WebVTT, a cue for each sentence that has a time, in their order, with its speaker."""
    cues = sorted(
        ((each.start, each) for each in _all(transcript) if each.start is not None), key=lambda cue: cue[0] or 0.0
    )
    parts = ["WEBVTT"]
    for start, sentence in cues:
        end = max(sentence.end or 0.0, start + LEAST_SECONDS)
        voice = f"<v {_escaped(_speaker(sentence))}>{_escaped(sentence.text)}</v>"
        parts.append(f"{_clock(start, 3)} --> {_clock(end, 3)}\n{voice}")
    return "\n\n".join(parts) + "\n"


def as_text(transcript: Transcript, title: str) -> str:
    """Return a transcript for people: the title, the summary, and each paragraph with its time and its speaker."""
    parts = [part for part in (" ".join(title.split()), transcript.summary) if part]
    for paragraph in transcript.paragraphs:
        start = next((each.start for each in paragraph if each.start is not None), None)
        time = f"[{_clock(start, 0)}] " if start is not None else ""
        parts.append(f"{time}{_speaker(paragraph[0])}\n{' '.join(each.text for each in paragraph)}")
    return "\n\n".join(parts) + "\n"


def as_sentences(transcript: Transcript, *, agent_id: str, attempt: int, account: str, meeting: Meeting) -> str:
    """Return a line of JSON for each sentence: the columns of the Glue table in the template."""
    common = {
        "account": account,
        "agent_id": agent_id,
        "attempt": attempt,
        "title": meeting.summary,
        "meeting_start": timestamp(meeting.start) if meeting.start else None,
    }
    lines = (
        {
            **common,
            "number": number,
            "speaker": sentence.speaker,
            "speaker_name": sentence.name or None,
            "start_seconds": sentence.start,
            "end_seconds": sentence.end,
            "sentence": sentence.text,
        }
        for number, sentence in enumerate(_all(transcript), 1)
    )
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def _all(transcript: Transcript) -> Iterator[Sentence]:
    for paragraph in transcript.paragraphs:
        yield from paragraph


def _speaker(sentence: Sentence) -> str:
    return sentence.name or sentence.speaker or _UNKNOWN


def _clock(seconds: float, digits: int) -> str:
    """`01:02:03`, or `01:02:03.400` with three digits."""
    units = round(seconds * 10**digits) if digits else int(seconds)
    whole, rest = divmod(units, 10**digits)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}" + (f".{rest:0{digits}d}" if digits else "")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
