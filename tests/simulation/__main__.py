"""`make simulate`: months that know the truth, judged; what is found is kept in `found.json` beside this.

The exit status is 0 if every alert that was due was sent, and no other.
"""

import argparse
import json
import re
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import operate
from tests.simulation import put_back, rerun, what_if
from tests.simulation.chance import month
from tests.simulation.months import Total, all_of, kept_folder, part_with, pasteable, shrink, story
from tests.simulation.second_agents import OUTCOMES, TWO

FOUND = Path(__file__).with_name("found.json")
MAX_SHRUNK = 5
"""The faults that are shrunk: of each kind one, and no more than these."""


def main(arguments: list[str]) -> int:
    """Do what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--seeds", "--seed", type=_seeds, default="1..10", help="the first and the last, or one: 1..200"
    )
    parser.add_argument("--meetings", type=int, default=1000, help="meetings of each month")
    parser.add_argument("--processes", type=int, help="as many as the machine has processors, if it is left out")
    parser.add_argument("--trace", action="store_true", help="tell the month of one seed as a story")
    parser.add_argument("--meeting", type=int, help="tell only this meeting of it")
    parser.add_argument(
        "--rescue", choices=["failed", "silent"], help="with second agents; silent: also for silent ones"
    )
    parser.add_argument("--put-back", action="store_true", help="put faults back into the product, one at a time")
    parser.add_argument("--outage", help="what if: cronofy:2h, token:90m, callbacks:1h or aws:10m")
    parser.add_argument("--start", type=_start, default="2026-03-10T09:00", help="the start of that: 2026-03-10T09:00")
    parser.add_argument("--journal", type=Path, help="an exported file: which alerts other parameters would have sent")
    parser.add_argument("--with", dest="changes", default="", help="the other parameters: ActivationGracePeriod=1200")
    parser.add_argument("--from", dest="since", help="export the journals of a deployed stack first, of meetings from")
    parser.add_argument("--to", dest="until", help="and until before")
    parser.add_argument("--stack", default="meeting-agents", help="the stack that they are exported from")
    parser.add_argument(
        "--resume", action="store_true", help="keep each part in .months/, and leave out those that are there"
    )
    parser.add_argument("--keep", action="store_true", help="keep what is found for the documentation")
    options = parser.parse_args(arguments)
    if options.put_back:
        return put_back.run(FOUND if options.keep else None)
    if options.outage:
        return what_if.run(options.outage, options.start)
    if options.since or options.journal:
        return _rerun(options)
    if options.trace or options.meeting is not None:
        chosen = options.meeting
        if len(options.seeds) > 1:
            parser.error("a story is of one month: make simulate SEED=7 TRACE=1")
        if chosen is not None and chosen not in range(options.meetings):
            parser.error(f"the month has the meetings 0 to {options.meetings - 1}; set MEETINGS for a longer one")
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` ends it without a traceback
        for line in story(month(options.seeds[0], options.meetings), lambda number: chosen in (None, number)):
            print(line)
        return 0
    if options.rescue:
        return second_agents(options.seeds, options)
    return simulate(options.seeds, options)


def _seeds(text: str) -> range:
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if not found or not (seeds := range(int(found[1]), int(found[2] or found[1]) + 1)):
        raise argparse.ArgumentTypeError(f"{text!r} are no seeds: write 1..200, or one, 7")
    return seeds


def _start(text: str) -> datetime:
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 2026-03-10T09:00, which is in UTC") from None
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _rerun(options: argparse.Namespace) -> int:
    """Live exported journals again. They are exported first, to the named file or for this once, if a span is named."""
    changes = dict(change.partition("=")[::2] for change in options.changes.split())
    with TemporaryDirectory() as folder:
        file = options.journal or Path(folder) / "journal.jsonl"
        if options.since:
            span = ["--from", options.since, "--to", options.until or ""]
            if failed := operate.main(["--stack", options.stack, "export", *span, "--file", str(file)]):
                return failed
        return rerun.run(file, changes)


def second_agents(seeds: range, options: argparse.Namespace) -> int:
    """Let the months take place with second agents, and print what came of those. Two in one room fail."""
    total, parameters = Total(), (("RESCUE", "once"), ("RESCUE_SILENT", "on" if options.rescue == "silent" else "off"))
    kept = kept_folder() if options.resume else None
    for of_seed in all_of(seeds, options.meetings, options.processes, parameters, kept):
        total.add(of_seed)
        print(f"seed {of_seed.seeds[0]}: {of_seed.meetings} meetings, {len(of_seed.found)} faults", flush=True)
    counts = {outcome: total.second_agents[outcome] for outcome in OUTCOMES}
    for outcome, count in counts.items():
        print(f"  {count:>9,}  {outcome}")
    for found in total.found[:MAX_SHRUNK]:
        print(found)
    if options.keep:
        content = json.loads(FOUND.read_text(encoding="utf-8"))
        figures = {"meetings": total.meetings, "seeds": f"{seeds.start} to {seeds.stop - 1}", "counts": counts}
        content.setdefault("second_agents", {})[options.rescue] = figures | {"faults": len(total.found)}
        FOUND.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if total.found or counts[TWO] else 0


def simulate(seeds: range, options: argparse.Namespace) -> int:
    """Let the months of these seeds take place, and print what was found."""
    total, began = Total(), time.monotonic()
    kept = kept_folder() if options.resume else None
    for of_seed in all_of(seeds, options.meetings, options.processes, kept=kept):
        total.add(of_seed)
        print(f"seed {of_seed.seeds[0]}: {of_seed.meetings} meetings, {len(of_seed.found)} faults", flush=True)
    seconds = time.monotonic() - began
    content = total.to_json()
    for title in ("figures", "excused", "sent", "happened"):
        print(f"\n{title}{' per 10,000 meetings' if title in ('figures', 'excused') else ''}")
        for name, count in content[title].items():
            print(f"  {count:>9,}  {name}")
    print(f"\n{total.meetings:,} meetings in {seconds:.0f} s, {content['processor_seconds']} s of processor time")
    if options.keep:
        before = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {}
        FOUND.write_text(json.dumps(before | content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    kinds = {f"{found.kind}: {found.detail}": found for found in reversed(total.found)}
    for found in list(kinds.values())[:MAX_SHRUNK]:
        shortest = shrink(part_with(found.seed, options.meetings, found.meeting), found)
        is_alone = len(shortest.meetings) == 1
        print(f"\n{found}\n  {pasteable(shortest) if is_alone else 'only together with other meetings of its month'}")
    return 1 if total.found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
