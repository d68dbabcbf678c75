"""`make bench`: measure all of it, print the table, write `.bench.json`. With names of figures: only these anew."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from meeting_agents.aws.rate_limiter import Limits
from tests.bench.burst import burst
from tests.bench.cold_start import cold_starts
from tests.bench.cost import cost
from tests.bench.detection import alert_times, detection, outage
from tests.bench.growth import growth
from tests.bench.report import table
from tests.bench.rush import rush
from tests.bench.steps import steps
from tests.bench.tls import first_answers
from tests.bench.warm import warm
from tests.runtime.stories import CALENDAR, scene, store_secrets
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import StandIn

RESULTS = deployment.ROOT / ".bench.json"
STEPWISE = {"cold_start", "tls", "warm", "outage", "steps", "cost", "growth"}
DEPLOYED = {"bursts", "alert", "detection", "rush"}


def stepwise(found: dict[str, Any], wanted: Callable[[str], bool]) -> None:
    """The figures of functions that run one step at a time."""
    with scene() as stage:
        if wanted("cold_start"):
            found["cold_start"] = cold_starts(stage, 10)
        if wanted("tls"):
            found["tls"] = first_answers(stage, 10)
        if wanted("warm"):
            found["warm"] = warm(stage, 15, 60)
        if wanted("outage"):
            found["outage"] = outage(stage, 1000)
        if wanted("steps"):
            found["steps"] = steps(stage)
        if wanted("cost"):
            found["cost"] = cost(stage, found["steps"], found["cold_start"])
        if wanted("growth"):
            found["growth"] = growth(stage, [1_000, 10_000, 100_000])


def deployed(found: dict[str, Any], wanted: Callable[[str], bool]) -> None:
    """The figures of the whole stack on the embedded AWS."""
    with EmbeddedAws() as aws, StandIn() as cronofy:
        parameters = {"CronofyUrl": f"{cronofy.url}/{{host}}", "ActivationGracePeriod": "1", "AlertGroupWait": "1"}
        stack = deployment.deploy(aws, deployment.build(), parameters)
        store_secrets(stack, cronofy)
        secrets = cronofy.applications["us"].client_secrets
        if wanted("bursts"):
            found["bursts"] = [
                burst(stack, secrets, agents=100, copies=5, senders=50),
                burst(stack, secrets, agents=100, copies=50, senders=50),
            ]
        if wanted("alert"):
            found["alert"] = alert_times(stack, secrets, 40)
        if wanted("detection"):
            token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
            found["detection"] = detection(stack, token, 24, 2.5)
        if wanted("rush"):
            found["rush"] = rush(aws, Limits(), 2_000)


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

    def wanted(name: str) -> bool:
        if only and name not in only:
            return False
        keep()  # what there is; the rest takes a while
        print(f"... {name}", file=sys.stderr, flush=True)
        return True

    began = time.monotonic()
    for part, names in ((stepwise, STEPWISE), (deployed, DEPLOYED)):
        if not only or set(only) & names:
            try:
                part(found, wanted)
            finally:
                keep()
    print(table(found))
    print(f"\n{found['date']}, {found['machine']}, {time.monotonic() - began:.0f} s; all figures are in {RESULTS.name}")


if __name__ == "__main__":
    main()
