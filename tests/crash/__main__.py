"""`make crash`: the whole matrix, printed and kept in `found.json` beside this; the exit status is 0 if all is well.

With names of stories as arguments it runs these alone, and keeps nothing.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from tests.crash.matrix import Cell, cells, table
from tests.runtime.stories import STORIES, scene
from tests.sandbox import deployment

PROCESSES = 2


def cells_of(stories: list[str]) -> list[Cell]:
    """The cells of these stories, in a scene of their own; a line says when they are done."""
    with scene() as own:
        done = list(cells(own, stories))
    print(f"... {', '.join(stories)}: {len(done)} cells", file=sys.stderr, flush=True)
    return done


def main() -> int:
    began = time.monotonic()
    chosen = sys.argv[1:]
    deployment.build()
    with ProcessPoolExecutor(PROCESSES) as pool:
        # Each story has a scene of its own: stories take minutes, a scene takes seconds.
        parts = pool.map(cells_of, [[story] for story in chosen or STORIES])
        done = [cell for part in parts for cell in part]
    print(table(done))
    wrong = [cell for cell in done if cell.wrong]
    for cell in wrong:
        print(f"\n{cell.story}: {cell.fault.function}, {cell.operation}, {cell.fault.how}: {cell.wrong}")
    seconds = round(time.monotonic() - began)
    print(f"\n{len(done)} cells, {len(done) - len(wrong)} well, {seconds} s")
    if not chosen:
        keep(done, seconds)
    return 1 if wrong else 0


def keep(done: list[Cell], seconds: int) -> None:
    """Write what the documents show of the whole matrix."""
    kept = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cells": len(done),
        "well": sum(not cell.wrong for cell in done),
        "seconds": seconds,
        "table": table(done),
        "wrong": [asdict(cell) for cell in done if cell.wrong],
    }
    Path(__file__).with_name("found.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
