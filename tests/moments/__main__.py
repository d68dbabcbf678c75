"""`make moments`: the tests that depend on time, while clocks change, at the turn of the year, on a leap day.

Each moment has its own clock (`clock.c`), an unusual time zone and locale, and a sandbox of its own. The exit status is
0 if all passed; without a C compiler, or where it cannot move Python's clock, they are skipped.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "not slept")
"""All but the sweep that sleeps for a quarter of a minute."""
QUICK = (
    "tests/component/test_pagination.py",
    "tests/component/test_sweep.py",
    "tests/unit/alerting/test_message.py",
    "tests/unit/api/test_bodies.py",
)
"""Tests for every moment."""
STORY = ("tests/system/test_story.py::test_the_story_meets_its_expectations_and_one_that_it_cannot_meet_is_status_1",)
DAY = ("tests/component/test_digest.py", "tests/component/test_widget.py", "tests/component/test_journal.py")
MOMENTS = {
    "2027-03-28T00:59Z": STORY,
    "2027-10-31T00:59Z": DAY,
    "2028-02-29T12:00Z": DAY,
    "2026-12-31T23:59Z": STORY,
}
"""Tests that need a sandbox and run first, by moment."""
ELSEWHERE = {"TZ": "Asia/Kolkata", "LC_ALL": "C"}
PROCESSES = 2


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="moments-") as folder:
        try:
            clock = compiled(Path(folder))
        except OSError as error:
            for moment in MOMENTS:
                print(f"{moment}  skipped: {error}")
            return 0
        with ThreadPoolExecutor(PROCESSES) as pool:
            return int(any(list(pool.map(lambda moment: status(moment, clock), MOMENTS))))


def compiled(folder: Path) -> Path:
    """Build the library that moves a process's clock; OSError if this machine cannot."""
    clock = folder / "clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        raise OSError("there is no C compiler (cc) to build the clock with")
    source = Path(__file__).with_name("clock.c")
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(clock), str(source), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    ask = [sys.executable, "-c", "import time; print(int(time.time()))"]
    year = 365 * 86_400
    then = subprocess.run(ask, env=moved(clock, year), capture_output=True, text=True, check=False).stdout
    if made.returncode or not then or int(then) < time.time() + year - 60:
        raise OSError(f"a Python's clock cannot be moved here {made.stderr}")
    return clock


def moved(clock: Path, seconds: int) -> Mapping[str, str]:
    """An environment whose processes see a clock so many seconds ahead."""
    return os.environ | ELSEWHERE | {"LD_PRELOAD": str(clock), "FAKETIME": f"{seconds:+d}"}


def status(moment: str, clock: Path) -> int:
    """Run the tests from this moment on; their status."""
    seconds = round(datetime.fromisoformat(moment).timestamp() - time.time())
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *PYTEST, *MOMENTS[moment], *QUICK],
        env=moved(clock, seconds),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    output = done.stdout.strip()
    shown = output if done.returncode else output.splitlines()[-1]
    print(f"{moment}  {shown} ({time.monotonic() - began:.0f} s)", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
