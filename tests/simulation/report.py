"""The report of the last kept months, as the documentation shows it. Pure."""

from collections.abc import Mapping
from typing import Any


def summary(found: Mapping[str, Any]) -> str:
    """Return how true the alerts were, in a sentence for the first page."""
    figures = found["figures"]
    due, missed, late = f"{found['obligations']:,.0f}", f"{figures['missed']:g}", f"{figures['late']:g}"
    false, wrong = f"{figures['false critical']:g}", f"{figures['wrong last word']:g}"
    return (
        f"That is measured: `make simulate` let {found['meetings']:,} meetings take place in which callers, people,\n"
        f"Cronofy and AWS do all that they may. Of each 10,000, {due} needed an alert: {missed} were missed,\n"
        f"{late} late, {false} critical and false, and {wrong} wrong in the end, but for"
        " [what no one could know](tests/README.md#the-simulated-month)."
    )


def section(found: Mapping[str, Any]) -> str:
    """Return the figures, what no one could know, what occurred, and the faults that were put back."""
    seconds, per_month = found["processor_seconds"], found["processor_seconds"] / found["meetings"] * 10_000
    return "\n".join(
        [
            f"`make simulate` on {found['date']}, {found['machine']}: {found['meetings']:,} meetings in",
            f"months with the seeds {found['seeds']}, {seconds:,} s of processor time: {per_month:.0f} s for 10,000.",
            f"Of {found['obligations']:g} in 10,000 meetings an alert was due.",
            "",
            "| per 10,000 meetings | |",
            "|---|---|",
            *(f"| {name} | {count:g} |" for name, count in found["figures"].items()),
            "",
            "What no one could know is no fault, and is counted by its kind:",
            "",
            "| per 10,000 meetings | |",
            "|---|---|",
            *(f"| {name} | {count:g} |" for name, count in found["excused"].items()),
            "",
            *_open(found["found"]),
            *_folded("Each behaviour and fault that occurred", _table("what", found["happened"])),
            *_folded("The alerts that were sent", _table("alert", found["sent"])),
            *_put_back(found.get("put_back", [])),
        ]
    )


def _open(faults: list[str]) -> list[str]:
    if not faults:
        return []
    return ["The first faults that are not fixed yet:", "", *(f"- {fault}" for fault in faults), ""]


def _put_back(rows: list[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    seen = [row for row in rows if row["found"]]
    table = ["| put back | found as | seconds |", "|---|---|---|"]
    table += [f"| {row['fault']} | {row['found'] or 'not found'} | {row['seconds']} |" for row in rows]
    title = f"{len(seen)} of {len(rows)} faults that were put back on purpose are found"
    return _folded(title, "\n".join(table))


def _table(title: str, counts: Mapping[str, int]) -> str:
    return "\n".join(
        [f"| {title} | times |", "|---|---|", *(f"| {name} | {count:,} |" for name, count in counts.items())]
    )


def _folded(summary: str, text: str) -> list[str]:
    return ["", f"<details><summary>{summary}</summary>", "", text, "", "</details>"]
