"""`make bench`: measure all of it, print the table, write `.bench.json`. `--quick`: tiny numbers, nothing written."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from tests.bench.burst import burst
from tests.bench.cold_start import cold_starts
from tests.bench.cost import cost
from tests.bench.detection import alert_times, detection, outage
from tests.bench.growth import growth
from tests.bench.report import table
from tests.bench.steps import steps
from tests.bench.warm import warm
from tests.runtime.stories import CALENDAR, scene, store_secrets
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import StandIn

RESULTS = deployment.ROOT / ".bench.json"


def figures(*, quick: bool, told: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Every figure. Takes 12 minutes on two cores, or half a minute if `quick`."""
    began = time.monotonic()
    found: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "versions": versions()}
    with scene() as stage:
        told("cold starts")
        found["cold_start"] = cold_starts(stage, 1 if quick else 10)
        told("warm processor time")
        found["warm"] = warm(stage, 1 if quick else 15, 4 if quick else 60)
        told("an outage")
        found["outage"] = outage(stage, 30 if quick else 1000)
        told("each step of a life")
        found["steps"] = steps(stage)
        found["cost"] = cost(stage, found["steps"], found["cold_start"])
        told("growth of the table")
        found["growth"] = growth(stage, [20, 60] if quick else [1_000, 10_000, 100_000])
    with EmbeddedAws() as aws, StandIn() as cronofy:
        told("a burst")
        parameters = {"CronofyUrl": f"{cronofy.url}/{{host}}", "ActivationGrace": "1", "AlertWindow": "0"}
        stack = deployment.deploy(aws, deployment.build(), parameters)
        store_secrets(stack, cronofy)
        if quick:
            found["bursts"] = [burst(stack, cronofy, agents=5, copies=3, senders=5)]
        else:
            found["bursts"] = [
                burst(stack, cronofy, agents=100, copies=5, senders=50),
                burst(stack, cronofy, agents=100, copies=50, senders=50),
            ]
        told("time to alert")
        found["alert"] = alert_times(stack, cronofy, 2 if quick else 40)
        if not quick:
            told("time to detect")
            token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
            found["detection"] = detection(stack, token, 24, 2.5)
    found["seconds"] = round(time.monotonic() - began)
    return found


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
    quick = "--quick" in sys.argv
    found = figures(quick=quick, told=lambda what: print(f"... {what}", file=sys.stderr, flush=True))
    if quick:
        print(json.dumps(found, indent=2))
        return
    RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(found))
    print(f"\n{found['date']}, {found['machine']}, {found['seconds']} s; all figures are in {RESULTS.name}")


if __name__ == "__main__":
    main()
