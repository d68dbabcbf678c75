"""The answers of the buttons as HTML for a pop-up: what was done, or what was wrong and what to do. Pure."""

from datetime import datetime
from html import escape

from meeting_agents import wording
from meeting_agents.alerting.text import format_time
from meeting_agents.domain.model import State
from meeting_agents.domain.record import Record
from meeting_agents.domain.silences import Silence
from meeting_agents.errors import MeetingAgentsError, Outage
from meeting_agents.widget.facts import Viewer
from meeting_agents.widget.html import tag, text
from meeting_agents.widget.page import within

_REFRESH = "The overview shows it when it is refreshed."


def render_answer(title: str, sentences: list[str], viewer: Viewer, *, is_done: bool) -> str:
    """Return an answer. `sentences`: HTML."""
    content = f"<h3>{escape(title)}</h3>" + "".join(tag("p", sentence, "why") for sentence in sentences)
    return within(tag("div", content, "answer ma-good" if is_done else "answer ma-refused"), viewer)


def acknowledged(by: str, note: str, at: datetime, viewer: Viewer) -> str:
    """Return the answer to an acknowledgement."""
    named = f" by {text(by, 100)}" if by else ""
    noted = f": “{text(note, 500)}”." if note else "."
    sentences = [
        f"Acknowledged at {format_time(at, viewer.zone, '%H:%M:%S')}{named}{noted}",
        f"No reminder follows. The incident stays open until it is resolved. {_REFRESH}",
    ]
    return render_answer("Acknowledged", sentences, viewer, is_done=True)


def silenced(silence: Silence, viewer: Viewer) -> str:
    """Return the answer to a silence."""
    until = format_time(silence.end, viewer.zone, "%d %b %H:%M")
    sentences = [
        f"No message about this agent is sent until {escape(until)}: {text(silence.why, 500)}.",
        f"What people were alerted of before is still reported as resolved. {_REFRESH}",
    ]
    return render_answer("Silenced", sentences, viewer, is_done=True)


def unsilenced(viewer: Viewer) -> str:
    """Return the answer to the end of a silence."""
    sentence = f"What it held back and still stands is sent within a minute or two. {_REFRESH}"
    return render_answer("The silence is over", [sentence], viewer, is_done=True)


def retried(record: Record, viewer: Viewer) -> str:
    """Return the answer to a request that was sent to Cronofy again."""
    attempt = record.current
    pending = attempt.pending
    if pending is None and attempt.refusal is None and attempt.state is not State.REJECTED:
        sentences = [f"Cronofy accepted the request. The agent is {wording.STATES[record.state]}. {_REFRESH}"]
        return render_answer("Cronofy was asked again", sentences, viewer, is_done=True)
    open_reason = pending.reason if pending else attempt.refusal.reason if attempt.refusal else None
    words = wording.of(open_reason or attempt.reason)
    if pending and pending.retry_at:
        again = f"It is sent again by itself at {format_time(pending.retry_at, viewer.zone, '%H:%M:%S')}."
    else:
        again = "It is not sent again by itself. Correct what is named, then ask again."
    sentences = [f"Cronofy was asked, and did not accept the request: {text(words)}.", escape(again)]
    return render_answer("Not accepted", sentences, viewer, is_done=False)


def replayed(count: int, viewer: Viewer) -> str:
    """Return the answer to a replay."""
    sentence = f"{count} announcement{' was' if count == 1 else 's were'} published again, marked as replayed."
    return render_answer("Announced again", [sentence], viewer, is_done=True)


def refused(error: MeetingAgentsError, viewer: Viewer) -> str:
    """Return the answer to a button whose action an error prevented."""
    detail = error.detail[:1].upper() + error.detail[1:]
    next_step = "Nothing is lost: try again in a moment." if isinstance(error, Outage) else "Nothing was changed."
    return render_answer("Not done", [f"{text(detail, 500)}.", next_step], viewer, is_done=False)


def unknown(viewer: Viewer) -> str:
    """Return the answer to a call that no button of the overview makes."""
    return render_answer("Not done", ["This button is unknown here: refresh the dashboard."], viewer, is_done=False)
