"""Many months: each seed in one process of several, and what was found in all of them."""

import gc
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from tests.simulation.chance import month
from tests.simulation.findings import KINDS
from tests.simulation.judge import judge
from tests.simulation.scripts import MonthScript, everything, format_time
from tests.simulation.world import live

ROOT = Path(__file__).resolve().parents[2]
CODE = ("functions", "layers", "tests/simulation")
"""The code, besides the template, on which it depends what is found."""
PART = 2500
"""The most meetings of one stack. A longer month is several stacks in the same weather, each with its own accounts."""
MAX_TASKS = 8
"""The parts that one process lives, until another takes its place."""


@dataclass(frozen=True)
class Found:
    """A fault of the product's in a month, and the meeting in which it was found."""

    kind: str
    seed: int
    meeting: int
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: seed {self.seed}, meeting {self.meeting}: {self.detail}"


@dataclass
class Total:
    """The findings of several months."""

    seeds: list[int] = field(default_factory=list)
    meetings: int = 0
    messages: int = 0
    obligations: int = 0
    """Meetings of which an alert was due something."""
    dead_letters: int = 0
    found: list[Found] = field(default_factory=list)
    excused: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    second_agents: Counter[str] = field(default_factory=Counter)
    processor_seconds: float = 0.0

    def add(self, other: "Total") -> None:
        self.seeds += other.seeds
        self.meetings += other.meetings
        self.messages += other.messages
        self.obligations += other.obligations
        self.dead_letters += other.dead_letters
        self.found += other.found
        self.excused += other.excused
        self.happened += other.happened
        self.sent += other.sent
        self.second_agents += other.second_agents
        self.processor_seconds += other.processor_seconds

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> "Total":
        """Return what was kept of a part of a month."""
        counted: dict[str, Any] = {
            name: Counter(value) if isinstance(value, dict) else value for name, value in content.items()
        }
        return cls(**counted | {"found": [Found(**found) for found in content["found"]]})

    def per_10_000(self, count: int) -> float:
        return round(count * 10_000 / self.meetings, 1) if self.meetings else 0.0

    def figures(self) -> dict[str, float]:
        """Return the figures per 10,000 meetings."""
        counts = Counter(found.kind for found in self.found)
        return {kind: self.per_10_000(counts[kind]) for kind in KINDS} | {
            "messages": self.per_10_000(self.messages),
            "dead-lettered": self.per_10_000(self.dead_letters),
        }

    def to_json(self) -> dict[str, Any]:
        """Return what the documentation shows."""
        return {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": f"{os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}",
            "seeds": f"{min(self.seeds)} to {max(self.seeds)}" if self.seeds else "none",
            "meetings": self.meetings,
            "processor_seconds": round(self.processor_seconds),
            "figures": self.figures(),
            "obligations": self.per_10_000(self.obligations),
            "excused": {kind: self.per_10_000(count) for kind, count in sorted(self.excused.items())},
            "happened": {name: self.happened[name] for name in sorted({*self.happened, *everything()})},
            "sent": dict(sorted(self.sent.items())),
            "found": [str(found) for found in self.found[:20]],
        }


def tried(script: MonthScript) -> Total:
    """Let a month take place, and judge it."""
    figures = judge(live(script))
    found = [
        Found(fault.kind, script.seed, fault.meeting.script.number, fault.what)
        for fault in figures.faults
        if not fault.excuse
    ]
    return Total(
        [script.seed],
        figures.meetings,
        figures.messages,
        figures.obligations,
        figures.dead_letters,
        found,
        figures.excuses,
        figures.happened,
        figures.sent,
        figures.second_agents,
    )


def parts(meetings: int) -> list[range]:
    """Return the numbers of the meetings of each part of a month."""
    return [range(first, min(first + PART, meetings)) for first in range(0, meetings, PART)]


def part_with(seed: int, meetings: int, number: int) -> MonthScript:
    """Return the part of a month that a meeting is in."""
    return next(month(seed, part) for part in parts(meetings) if number in part)


@dataclass(frozen=True)
class Part:
    """A part of a month, and all that its process must know.

    `parameters`: environment variables of the functions. `kept`: a folder for what was found; none: it is not kept.
    """

    seed: int
    numbers: range
    parameters: tuple[tuple[str, str], ...] = ()
    kept: Path | None = None

    @property
    def file(self) -> Path | None:
        """Return the file for what was found in this part."""
        settings = "".join(f".{name}={value}" for name, value in self.parameters)
        name = f"{self.seed}.{self.numbers.start}-{self.numbers.stop}{settings}.json"
        return self.kept / name if self.kept else None


def all_of(
    seeds: Sequence[int],
    meetings: int,
    processes: int | None = None,
    parameters: tuple[tuple[str, str], ...] = (),
    kept: Path | None = None,
) -> Iterator[Total]:
    """Yield what was found with each seed, as soon as it is known. The number of processes changes nothing in it.

    `parameters`: environment variables of the functions in all months. `kept`: a folder for what is found in each part,
    so that many months that were interrupted go on where they were.
    """
    of_month = parts(meetings)
    with Pool(processes or os.cpu_count(), maxtasksperchild=MAX_TASKS) as pool:
        found = pool.imap(found_in, (Part(seed, numbers, parameters, kept) for seed in seeds for numbers in of_month))
        for seed in seeds:
            total = Total(seeds=[seed])
            for of_part in islice(found, len(of_month)):
                total.add(of_part)
            yield total


def kept_folder() -> Path:
    """Return the folder for what is found with the product and the simulation as they are now."""
    digest = sha256()
    for path in sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    digest.update((ROOT / "template.yaml").read_bytes())
    folder = ROOT / ".months" / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def found_in(part: Part) -> Total:
    """Let a part of a month take place, or read what was found in it before."""
    file = part.file
    if file and file.exists():
        return Total.of_json(json.loads(file.read_text(encoding="utf-8")))
    began = time.process_time()
    gc.freeze()  # what is loaded stays: the collector needs not look at it again
    gc.disable()  # nor at what is alive until the end of the month, which is nearly all
    try:
        script = month(part.seed, part.numbers)
        total = tried(replace(script, parameters=(*script.parameters, *part.parameters)))
    finally:
        gc.collect()
    total = replace(total, seeds=[], processor_seconds=time.process_time() - began)
    if file:
        written = file.with_suffix(".part")
        written.write_text(json.dumps(vars(total), default=asdict), encoding="utf-8")
        written.replace(file)
    return total


# ---------------------------------------------------------------------------------------------------------- shrinking


def shrink(script: MonthScript, found: Found) -> MonthScript:
    """Return the shortest month in which the same kind of fault is found in the same meeting."""

    def fails(candidate: MonthScript) -> bool:
        return any((f.kind, f.meeting) == (found.kind, found.meeting) for f in tried(candidate).found)

    alone = replace(script, meetings=tuple(m for m in script.meetings if m.number == found.meeting))
    if not fails(alone):
        return script
    shortest, is_shorter = alone, True
    while is_shorter:
        is_shorter = False
        for candidate in _shorter(shortest):
            if fails(candidate):
                shortest, is_shorter = candidate, True
                break
    return shortest


def _shorter(script: MonthScript) -> Iterator[MonthScript]:
    """Yield the same month with one thing less."""
    for name in ("windows", "parameters"):
        for shorter in _without_one(getattr(script, name)):
            yield _changed(script, name, shorter)
    (meeting,) = script.meetings
    plain = type(meeting)(meeting.number, meeting.start)
    for name in vars(meeting):
        value, default = getattr(meeting, name), getattr(plain, name)
        if name in ("number", "start") or value == default:
            continue
        yield replace(script, meetings=(_changed(meeting, name, default),))
        if isinstance(value, tuple):
            for shorter in _without_one(value):
                if shorter or name != "agents":
                    yield replace(script, meetings=(_changed(meeting, name, shorter),))


def _changed(value: Any, name: str, changed: Any) -> Any:
    return replace(value, **{name: changed})


def _without_one(values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    for number in range(len(values)):
        yield values[:number] + values[number + 1 :]


def pasteable(script: MonthScript) -> str:
    """Return the script as Python, without what is as usual."""
    meetings = ", ".join(_call(meeting, type(meeting)(meeting.number, meeting.start)) for meeting in script.meetings)
    parts = [f"seed={script.seed}", f"meetings=({meetings},)"]
    parts += [f"{name}={getattr(script, name)!r}" for name in ("windows", "parameters") if getattr(script, name)]
    return f"MonthScript({', '.join(parts)})"


def _call(value: Any, plain: Any) -> str:
    changed = {n: v for n, v in vars(value).items() if n in ("number", "start") or v != getattr(plain, n)}
    return f"Script({', '.join(f'{name}={value!r}' for name, value in changed.items())})"


def story(script: MonthScript, numbers: Callable[[int], bool]) -> Iterator[str]:
    """Tell what took place in the chosen meetings of a month, line by line."""
    lived = live(script, has_story=True)
    faults = judge(lived).faults
    for meeting in lived.meetings:
        if not numbers(meeting.script.number):
            continue
        yield f"Meeting {meeting.script.number}, {meeting.agent_id}: {', '.join(meeting.script.behaviours)}"
        for at, text in meeting.story:
            yield f"  {format_time(at)}  {text}"
        for fault in faults:
            if fault.meeting is meeting:
                reason = f" (no one could know: {fault.excuse})" if fault.excuse else ""
                yield f"  The judge: {fault.kind}: {fault.detail}{reason}"
        yield ""
