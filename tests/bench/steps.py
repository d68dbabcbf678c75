"""What one step of an agent's life costs: invocations, AWS calls, units of the table, bytes logged, processor time.

Counted from what the functions are seen to call, and from what DynamoDB says in its answers that each call consumed.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from tests.runtime.platform import Invocation
from tests.runtime.stories import Scene

WARM = 6
"""Invocations in one process, the first of which is not counted: warm processor time."""


def steps(scene: Scene) -> dict[str, dict[str, dict[str, Any]]]:
    """By step, by function: what it did. Steps come minutes apart, so nothing is batched."""
    agent = ""
    told: dict[str, dict[str, dict[str, Any]]] = {}
    runs: dict[str, list[Invocation]] = {}
    scene.platform.forget()

    def step(name: str, happens: Callable[[], Any]) -> Any:
        scene.platform.invocations.clear()
        before = {path.name: path.stat().st_size for path in scene.platform.logs.iterdir()}
        result = happens()
        scene.platform.settle()
        runs[name] = list(scene.platform.invocations)
        told[name] = _counted(scene, runs[name], before)
        return result

    agent = step("requested", lambda: scene.ask(scene.event("steps", conferencing={"profile_id": "default"})))
    for name in ("conferencing_assigned", "meeting_agent_activated", "meeting_agent_complete"):
        step(name.removeprefix("meeting_agent_"), partial(scene.notify, agent, "steps", name))
    step("the same again", lambda: scene.notify(agent, "steps", "meeting_agent_complete"))
    failing = step("requested again", lambda: scene.ask(scene.event("steps-failing")))
    step("failed", lambda: scene.notify(failing, "steps-failing", "meeting_agent_failed"))
    del told["requested again"]
    scene.platform.forget()
    scene.ask(scene.event("steps-silent", year=2020))
    scene.platform.settle()
    for function in scene.platform.scheduled:
        step(f"overdue: {function}", partial(scene.platform.tick, function))
    for function in scene.platform.scheduled:
        step(f"nothing due: {function}", partial(scene.platform.tick, function))
    for name, figures in told.items():  # last of all, for it does things twice
        for function, figure in figures.items():
            first = next(run for run in runs[name] if run.function == function)
            figure["processor_ms"] = round(_warm(scene, first), 1)
    scene.platform.settle()
    return told


def _counted(scene: Scene, invocations: list[Invocation], before: dict[str, int]) -> dict[str, dict[str, Any]]:
    functions: defaultdict[str, list[Invocation]] = defaultdict(list)
    for invocation in invocations:
        functions[invocation.function].append(invocation)
    figures: dict[str, dict[str, Any]] = {}
    for name, runs in functions.items():
        calls = Counter(f"{call['service']} {call['operation']}" for run in runs for call in run.calls)
        read = written = 0.0
        for run in runs:
            asked = [call["operation"] for call in run.calls if call["service"] not in ("cronofy", "http")]
            for operation, answer in zip(asked, run.answered, strict=True):
                units = (answer["consumed"] or {}).get("CapacityUnits", 0.0)
                if operation == "PutItem" and answer["status"] == 400:
                    units = (
                        1.0  # a condition that does not hold costs as much as the write, and the answer tells nothing
                    )
                if re.match(r"Query|Get|BatchGet|Scan|TransactGet", operation):
                    read += units
                else:
                    written += units
        log = scene.platform.logs / name
        figures[name] = {
            "invocations": len(runs),
            "calls": dict(calls),
            "read_units": read,
            "write_units": written,
            "bytes_logged": log.stat().st_size - before.get(name, 0),
        }
    return figures


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
