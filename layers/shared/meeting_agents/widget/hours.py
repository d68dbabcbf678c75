"""The picture of a day: a bar for each hour, in the colours of the outcomes. Pure."""

from collections import Counter
from datetime import timedelta
from html import escape

from meeting_agents.widget.facts import DayTally, Outcome, Overview
from meeting_agents.widget.html import tag

_LABELS = {
    Outcome.WRONG: "with an incident",
    Outcome.COMPLETE: "complete",
    Outcome.ON_ITS_WAY: "on their way",
    Outcome.CANCELLED: "cancelled",
}
_LEAST_PERCENT = 4
"""The least height of a part, so that one incident among a thousand meetings is seen."""


def render_hours(overview: Overview) -> str:
    """Return the bars of the day and their legend; empty for a day without agents."""
    tally = overview.today
    largest = max(hour.total() for hour in tally.hours)
    if not largest:
        return ""
    current = int((overview.now - tally.begins) // timedelta(hours=1))
    bars = "".join(_bar(number, hour, largest, number == current) for number, hour in enumerate(tally.hours))
    legend = "".join(
        tag("span", f'<i class="ma-{outcome}"></i>{label} {tally.count(outcome):,}', "key")
        for outcome, label in _LABELS.items()
        if tally.count(outcome)
    )
    picture = f'<div class="ma-hours" role="img" aria-label="{escape(_described(tally))}">{bars}</div>'
    return tag("section", f"{picture}{tag('p', legend, 'legend')}", "day")


def _bar(number: int, hour: Counter[Outcome], largest: int, is_current: bool) -> str:
    parts = "".join(
        f'<i class="ma-{outcome}" style="height:{max(_LEAST_PERCENT, hour[outcome] * 100 / largest):.0f}%"></i>'
        for outcome in _LABELS
        if hour[outcome]
    )
    words = ", ".join(f"{hour[outcome]:,} {label}" for outcome, label in _LABELS.items() if hour[outcome])
    label = f"<b>{number:02d}</b>" if number % 3 == 0 else "<b></b>"
    kind = "ma-hour ma-now" if is_current else "ma-hour"
    return f'<div class="{kind}" title="{number:02d}:00, {words or "no meetings"}"><span>{parts}</span>{label}</div>'


def _described(tally: DayTally) -> str:
    """Return the picture in words."""
    counts = ", ".join(f"{tally.count(outcome):,} {label}" for outcome, label in _LABELS.items())
    return f"Meetings of the day by hour: {counts}"
