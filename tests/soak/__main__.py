"""`make soak`: ten minutes, kept in `found.json` beside this; the exit status is 0 if nothing was lost.

`MINUTES` and `SEED` change it.
"""

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.soak.load import soak

FULL_MINUTES = 10
"""A shorter run does not replace the results of a full one."""
MUST_BE_NONE = ("lost", "not_announced", "without_verdict", "not_alerted", "not_at_cronofy")


def main() -> int:
    seed = int(os.environ.get("SEED") or time.time())
    print(f"SEED={seed}", flush=True)
    minutes = float(os.environ.get("MINUTES") or FULL_MINUTES)
    found = soak(minutes * 60, rate=5, seed=seed)
    print(json.dumps(found, indent=2))
    if minutes >= FULL_MINUTES:
        kept = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "minutes": minutes, "seed": seed, "found": found}
        Path(__file__).with_name("found.json").write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return 1 if any(found[name] for name in MUST_BE_NONE) else 0


if __name__ == "__main__":
    sys.exit(main())
