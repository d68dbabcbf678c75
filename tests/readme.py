"""The parts of the README that say what the code says: made from it, so that they cannot drift.

Each stands between `<!-- name -->` and `<!-- /name -->`. `make readme` writes them anew; a test compares them.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from functions.provision.app import app
from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.api.docs import document
from meeting_agents.domain.incidents import INCIDENTS, RULES, SEVERITIES, Condition
from meeting_agents.domain.model import EntryType, IncidentType, State
from meeting_agents.domain.state_machine import TERMINAL_STATES, TRANSITIONS
from tests import answers
from tests.bench import report
from tests.bench.__main__ import RESULTS
from tests.mutation import survivors
from tests.sandbox.deployment import ROOT, source_template
from tests.soak.__main__ import MUST_BE_NONE

README = ROOT / "README.md"


def lifecycle() -> str:
    """The table of moves as a Mermaid state diagram; what every open state has in common is drawn once."""
    opened = [state for state in State if state not in TERMINAL_STATES]
    first, *others = opened
    common = {
        kind: to
        for kind, to in TRANSITIONS[first].items()
        if all(TRANSITIONS[state].get(kind) is to for state in others)
    }
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> requested: requested", "    state open {"]
    lines += [f"        {line}" for state in opened for line in _moves(state, common, within=opened)]
    lines += ["    }"]
    lines += [f"    open --> {to}: {kind}" for kind, to in common.items()]
    for state in State:
        lines += [f"    {line}" for line in _moves(state, common if state in opened else {}, beyond=opened)]
    lines += [f"    {state} --> requested: requested (next attempt)" for state in State if state in TERMINAL_STATES]
    return "\n".join([*lines, "```"])


def _moves(
    state: State,
    common: Mapping[EntryType, State],
    within: list[State] | None = None,
    beyond: list[State] | None = None,
) -> list[str]:
    """The lines for one state: only those between open states, or only the others."""
    by_target: dict[State, list[str]] = {}
    for kind, to in TRANSITIONS[state].items():
        is_open = state in (within or beyond or []) and to in (within or beyond or [])
        if kind not in common and is_open is (within is not None):
            by_target.setdefault(to, []).append(kind)
    return [f"{state} --> {to}: {', '.join(kinds)}" for to, kinds in by_target.items()]


def incidents() -> str:
    """The table of incidents, in the words of its conditions."""
    rows = [
        (
            f"`{cause}`",
            _in_words(rule.opened_by),
            _in_words(rule.resolved_by) if cause in INCIDENTS else "A notice: told once.",
            _in_words(rule.dropped_by),
            "every incident" if rule.inhibits >= INCIDENTS.keys() else ", ".join(rule.inhibits),
            rule.severity,
            f"while {_listed(rule.reminded_in)}" if rule.reminded_in else "",
        )
        for cause, rule in RULES.items()
    ]
    head = "| type | opens | resolved | dropped | keeps from opening | severity | reminders |"
    return "\n".join([head, f"|{'---|' * 7}", *(f"| {' | '.join(row)} |" for row in rows)])


def _in_words(conditions: Sequence[Condition]) -> str:
    return "<br>".join(condition.words for condition in conditions)


def _listed(states: Collection[State]) -> str:
    *others, last = [state for state in State if state in states]
    return f"{', '.join(others)} or {last}"


def parameters() -> str:
    """The template's parameters, with what they mean and their defaults."""
    template = source_template()
    rows = []
    for name, parameter in template["Parameters"].items():
        default = parameter.get("Default", "")
        rows.append(f"| `{name}` | {f'`{default}`' if default != '' else ''} | {parameter['Description']} |")
    return "\n".join(["| parameter | default | what it is |", "|---|---|---|", *rows])


def commands() -> str:
    """What `make` alone prints."""
    targets = re.findall(r"^([a-z]+):.*## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    rows = [f"| `make {name}` | {does} |" for name, does in targets]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def routes() -> str:
    """The routes of the API, from its OpenAPI document; the webhook's is the one that no caller uses."""
    rows = [
        f"| `{method.upper()} {path}` | {operation['summary']} |"
        for path, operations in sorted(document(app, "")["paths"].items())
        for method, operation in operations.items()
    ]
    return "\n".join(["| route | what it does |", "|---|---|", *rows])


def causes() -> str:
    """What people are told of, and how urgently."""
    rows = [f"| `{cause}` | the agent {WORDINGS[cause].one} | {SEVERITIES[cause]} |" for cause in IncidentType]
    return "\n".join(["| cause | what people read | severity |", "|---|---|---|", *rows])


def alarms() -> str:
    """The alarms about the system itself, each with its runbook line."""
    template = source_template()
    rows = [
        f"| `{name}` | {resource['Properties']['AlarmDescription']} |"
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    return "\n".join(["| alarm | what it says, and what to do |", "|---|---|", *rows])


def figures() -> str:
    """What `make bench` measured."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    machine = found["machine"]
    where = f"{machine['processors']} processors ({machine['architecture']}), Python {machine['python']}"
    return f"`make bench` on {found['date']}, {where}:\n\n{report.table(found)}"


def evidence() -> str:
    """What `make crash`, `make soak` and `make mutate` found when they were last run in full."""
    return f"{_crash()}\n\n{_soak()}\n\n{_mutation()}"


def _crash() -> str:
    found = _found("crash")
    return "\n".join(
        [
            f"`make crash` on {found['date']}, {found['seconds'] / 60:.0f} minutes: {found['cells']} times one outside",
            f"call failed or was the process's last, and {found['well']} times all was in the end as without it:",
            "the same records, announcements and requests to Cronofy, and no alert missing.",
            *_folded("Every call by every fault", found["table"]),
        ]
    )


def _soak() -> str:
    soak = _found("soak")
    found, left = soak["found"], ", ".join(str(soak["found"][name]) for name in MUST_BE_NONE)
    lines = [
        f"`make soak` on {soak['date']}, {soak['minutes']:g} minutes: {found['agents']} agents asked for,",
        f"{found['notifications_kept']} notifications kept, {found['aws_faults']} faults in AWS,",
        f"{found['killed_or_failed']} of {found['invocations']} invocations killed or failed.",
        f"Lost, not announced, without a verdict, not alerted, not at Cronofy: {left}.",
    ]
    return "\n".join(lines)


def _mutation() -> str:
    found = survivors.found()
    rows, lived = [], []
    for name, module in found["modules"].items():
        share = 1 - len(module["survivors"]) / module["mutants"]
        path = f"{name.replace('.', '/')}.py"
        rows.append(f"| `{path}` | {module['mutants']} | {share:.1%} |")
        lived += [f"- `{path}`: `{one}`: {survivors.REASONS[name][one]}." for one in module["survivors"]]
    return "\n".join(
        [
            f"`make mutate` on {found['date']}: so many small changes to the rules, of which a test noticed:",
            "",
            "| module | changes | noticed |",
            "|---|---|---|",
            *rows,
            *_folded("Those that no test noticed, and why none should", "\n".join(lived)),
        ]
    )


def _found(command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / f"tests/{command}/found.json").read_text(encoding="utf-8"))
    return found


def _folded(summary: str, text: str) -> list[str]:
    """What is shown to whoever wants to see it."""
    return ["", f"<details><summary>{summary}</summary>", "", text, "", "</details>"]


BLOCKS: Mapping[str, Callable[[], str]] = {
    "lifecycle": lifecycle,
    "incidents": incidents,
    "parameters": parameters,
    "commands": commands,
    "routes": routes,
    "answers": answers.table,
    "causes": causes,
    "alarms": alarms,
    "figures": figures,
    "evidence": evidence,
}


def written(text: str) -> str:
    """Return the README with every block made anew; ValueError for a block that it does not have."""
    for name, block in BLOCKS.items():
        before, opening, rest = text.partition(f"<!-- {name} -->\n")
        _, closing, after = rest.partition(f"<!-- /{name} -->")
        if not (opening and closing):
            raise ValueError(f"README.md has no block <!-- {name} -->")
        text = f"{before}{opening}{block()}\n{closing}{after}"
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
