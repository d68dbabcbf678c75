"""The cost of each step of an agent's life: invocations, AWS calls, units of the table, metrics, bytes logged, time.

The calls are those that the functions make; the units are those in DynamoDB's answers, by the size of what is read and
written. The bodies are as long as real ones.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from meeting_agents.aws import keys
from tests.bench.bodies import real_notification, real_request
from tests.bench.item_size import item_size
from tests.runtime.platform import Invocation
from tests.runtime.stories import Scene, failed_in_its_meeting
from tests.sandbox.stand_in import sign

TRIGGERS = ("before", "after")
"""The event triggers of a meeting, by the names in their addresses."""
LIFE = (
    ("conferencing_assigned", "conferencing_assigned", ""),
    ("before", "", "before"),
    ("activated", "meeting_agent_activated", ""),
    ("after", "", "after"),
    ("complete", "meeting_agent_complete", ""),
)
"""The reports of Cronofy about a meeting, in order: name of the step, interaction, event trigger."""
OCCASIONAL = (keys.GROUP_PREFIX, "triggers#")
"""Begins the keys of what a process writes at most once in `HEARD_EVERY`, however much it does."""
type Step = dict[str, dict[str, Any]]
"""Calls, units, metrics and time of a step, by function."""
WARM = 6
"""Invocations in one process, the first of which is not counted: warm processor time."""


def steps(scene: Scene) -> dict[str, Step]:
    """Counts by step and function. Steps come minutes apart, so nothing is batched."""
    counts: dict[str, Step] = {}
    runs: dict[str, list[Invocation]] = {}
    scene.platform.forget()

    def step(name: str, happens: Callable[[], Any]) -> Any:
        counts[name], runs[name], result = _step(scene, happens)
        return result

    request = real_request(scene.event("steps", conferencing={"profile_id": "default"}))
    agent = step("requested", lambda: scene.request_agent(request))
    for name, interaction, trigger in LIFE:
        step(name, partial(report, scene, agent, "steps", interaction, trigger))
    step("the same again", partial(report, scene, agent, "steps", "meeting_agent_complete"))
    failing = step("requested again", lambda: scene.request_agent(real_request(scene.event("steps-failing"))))
    step("failed", partial(report, scene, failing, "steps-failing", "meeting_agent_failed"))
    del counts["requested again"]
    scene.platform.forget()
    scene.request_agent(scene.event("steps-silent", year=2020))
    scene.platform.settle()
    step("overdue", partial(scene.platform.tick, "sweep"))
    for function in scene.platform.scheduled:
        step(f"nothing due: {function}", partial(scene.platform.tick, function))
    for name, counted in counts.items():  # last, because it runs each event again
        _add_time(scene, counted, runs[name])
    return counts


def second_agent(scene: Scene) -> Step:
    """Counts by function of sending a second agent, with the whole sweep that sends it, on a stack that does."""
    scene.platform.forget()
    failed_in_its_meeting(scene)
    counted, runs, _ = _step(scene, partial(scene.platform.tick, "sweep"))
    _add_time(scene, counted, runs)
    return counted


def _step(scene: Scene, happens: Callable[[], Any]) -> tuple[Step, list[Invocation], Any]:
    """Let something happen, with all that follows: its counts by function, the invocations, and its own result."""
    scene.platform.invocations.clear()
    before = {path.name: path.stat().st_size for path in scene.platform.logs.iterdir()}
    result = happens()
    _receive(scene)
    scene.platform.settle()
    runs = list(scene.platform.invocations)
    return _counted(scene, runs, before), runs, result


def _add_time(scene: Scene, counted: Step, runs: list[Invocation]) -> None:
    """Add the warm processor time of each function, which runs its first event again."""
    for function, figure in counted.items():
        first = next(run for run in runs if run.function == function)
        figure["processor_ms"] = round(_warm(scene, first), 1)
    scene.platform.settle()


def report(scene: Scene, agent: str, event_id: str, interaction: str, trigger: str = "") -> None:
    """Let Cronofy report an interaction, or call for an event trigger."""
    changes: dict[str, Any] = {"notification": {"type": "event_subscription"}, "meeting_agent": None} if trigger else {}
    scene.post(agent, real_notification(event_id, interaction, **changes), trigger)


def _receive(scene: Scene) -> None:
    """Run the receiver here for a probe's notification, which the embedded AWS gave to its own receiver."""
    for call in [call for run in scene.platform.invocations for call in run.calls if call["service"] == "http"]:
        body = call["fields"]["body"]
        path = re.sub("^.*(?=/webhooks/)", "", call["fields"]["path"])  # without the embedded AWS's own beginning
        signature = sign(body.encode(), scene.cronofy.applications["us"].client_secrets)
        scene.platform.request(call["operation"], path, body, {"cronofy-hmac-sha256": signature})


def consumed_units(answer: dict[str, Any]) -> float:
    """Return the units of a response, which a transaction has for each table."""
    consumed = answer["consumed"] or []
    tables = consumed if isinstance(consumed, list) else [consumed]
    return float(sum(table.get("CapacityUnits", 0.0) for table in tables))


def _counted(scene: Scene, invocations: list[Invocation], before: dict[str, int]) -> Step:
    functions: defaultdict[str, list[Invocation]] = defaultdict(list)
    for invocation in invocations:
        functions[invocation.function].append(invocation)
    figures: Step = {}
    for name, runs in functions.items():
        calls = Counter(f"{call['service']} {call['operation']}" for run in runs for call in run.calls)
        read = written = occasional = 0.0
        for run in runs:
            calls_of_aws = [call for call in run.calls if call["service"] not in ("cronofy", "http")]
            for call, answer in zip(calls_of_aws, run.answered, strict=True):
                operation, fields = call["operation"], call["fields"]
                units = consumed_units(answer)
                if answer["status"] == 400:  # a condition that fails is paid as a write, and not in the answer
                    units = float(-(-item_size(fields.get("Item", {})) // 1024) or 1)
                if re.match(r"Query|Get|BatchGet|Scan|TransactGet", operation):
                    read += units
                elif fields.get("Key", {}).get("pk", {}).get("S", "").startswith(OCCASIONAL):
                    occasional += units
                else:
                    written += units
        with (scene.platform.logs / name).open("rb") as log:
            log.seek(before.get(name, 0))
            printed = log.read()
        figures[name] = {
            "invocations": len(runs),
            "calls": dict(calls),
            "read_units": read,
            "write_units": written,
            "occasional_units": occasional,
            "bytes_logged": len(printed),
            "metrics": sorted(_metrics(printed.decode(errors="replace"))),
        }
    return figures


def _metrics(printed: str) -> set[str]:
    """Each printed metric with its dimensions; each is paid for."""
    found: set[str] = set()
    for log in [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]:
        for group in log["_aws"]["CloudWatchMetrics"]:
            for names in group["Dimensions"]:
                dimensions = ",".join(f"{name}={log[name]}" for name in sorted(names))
                found.update(f"{metric['Name']}{{{dimensions}}}" for metric in group["Metrics"])
    return found


def _warm(scene: Scene, run: Invocation) -> float:
    """Milliseconds of processor time, warm, of the same event once more."""
    function = scene.platform.functions[run.function]
    size = function.log.stat().st_size
    done = function.invoke(run.event, events=[run.event] * WARM)
    with function.log.open("r+b") as log:
        log.truncate(size)
    if done.error:
        raise RuntimeError(f"{run.function}: {done.error}")
    return median(done.cpu[1:]) * 1000
