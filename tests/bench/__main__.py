"""`make bench`: measure all of it, print the table, write `.bench.json`. With names of figures: only these anew."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from meeting_agents.aws.rate_limiter import Limits
from tests.bench.archive import HOUR_BYTES, archive
from tests.bench.burst import burst
from tests.bench.cold_start import cold_starts
from tests.bench.cost import cost
from tests.bench.detection import alert_times, detection, outage
from tests.bench.growth import growth
from tests.bench.peers import peers
from tests.bench.report import table
from tests.bench.rush import rush
from tests.bench.steps import second_agent, steps
from tests.bench.tls import first_answers
from tests.bench.warm import warm
from tests.runtime.stories import CALENDAR, scene, store_secrets
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import StandIn

RESULTS = deployment.ROOT / ".bench.json"
type Figures = dict[str, Callable[[], Any]]
"""The measurement of each figure, by its name."""


@contextmanager
def switched_on(_: dict[str, Any]) -> Iterator[Figures]:
    """The figures of all functions, which run one step at a time."""
    with scene() as stage:
        yield {
            "cold_start": lambda: cold_starts(stage, 10),
            "peers": lambda: peers(stage, 10),
            "tls": lambda: first_answers(stage, 10),
            "warm": lambda: warm(stage, 15, 60),
            "outage": lambda: outage(stage, 1000),
            "growth": lambda: growth(stage, [1_000, 10_000, 100_000]),
            "archive": lambda: archive(stage, HOUR_BYTES),
            "second_agent": lambda: second_agent(stage),
        }


@contextmanager
def by_default(found: dict[str, Any]) -> Iterator[Figures]:
    """The bill of a stack with the default parameters, whose functions run one step at a time."""
    with scene(Channels="off", Archive="off", Rescue="off") as stage:
        yield {
            "steps": lambda: steps(stage),
            "cost": lambda: cost(stage, found["steps"], found["second_agent"], found["cold_start"]),
        }


@contextmanager
def deployed(_: dict[str, Any]) -> Iterator[Figures]:
    """The figures of the whole stack on the embedded AWS."""
    with EmbeddedAws() as aws, StandIn() as cronofy:
        parameters = {"CronofyUrl": f"{cronofy.url}/{{host}}", "ActivationGracePeriod": "1", "AlertGroupWait": "1"}
        stack = deployment.deploy(aws, deployment.build(), parameters)
        store_secrets(stack, cronofy)
        secrets = cronofy.applications["us"].client_secrets
        token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
        yield {
            "bursts": lambda: [burst(stack, secrets, agents=100, copies=copies, senders=50) for copies in (5, 50)],
            "alert": lambda: alert_times(stack, secrets, 40),
            "detection": lambda: detection(stack, token, 24, 2.5),
            "rush": lambda: rush(aws, Limits(), 2_000),
        }


STACKS: dict[Callable[[dict[str, Any]], AbstractContextManager[Figures]], set[str]] = {
    switched_on: {"cold_start", "peers", "tls", "warm", "outage", "growth", "archive", "second_agent"},
    by_default: {"steps", "cost"},
    deployed: {"bursts", "alert", "detection", "rush"},
}
"""The names of the figures of each stack, which is started for these alone."""


def machine() -> dict[str, Any]:
    return {
        "processors": os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    names = ("aws-lambda-powertools", "boto3", "botocore", "httpx", "pydantic", "awslambdaric", "ministack")
    return {name: version(name) for name in names}


def main() -> None:
    only = sys.argv[1:]
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if only and RESULTS.exists() else {}
    found |= {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "versions": versions()}

    def keep() -> None:
        RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    began = time.monotonic()
    for stack, names in STACKS.items():
        wanted = names & {*only} if only else names
        if not wanted:
            continue
        with stack(found) as figures:
            for name in [name for name in figures if name in wanted]:
                print(f"... {name}", file=sys.stderr, flush=True)
                found[name] = figures[name]()
                keep()  # the rest takes a while
    print(table(found))
    print(f"\n{found['date']}, {found['machine']}, {time.monotonic() - began:.0f} s; all figures are in {RESULTS.name}")


if __name__ == "__main__":
    main()
