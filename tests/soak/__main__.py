"""`make soak`: ten minutes of it; the exit status says whether anything was lost. `MINUTES` and `SEED` change it."""

import json
import os
import sys
import time

from tests.soak.load import soak

MUST_BE_NONE = ("lost", "not_announced", "without_verdict", "not_alerted", "not_at_cronofy")


def main() -> int:
    seed = int(os.environ.get("SEED") or time.time())
    print(f"SEED={seed}", flush=True)
    found = soak(float(os.environ.get("MINUTES") or 10) * 60, rate=5, seed=seed)
    print(json.dumps(found, indent=2))
    return 1 if any(found[name] for name in MUST_BE_NONE) else 0


if __name__ == "__main__":
    sys.exit(main())
