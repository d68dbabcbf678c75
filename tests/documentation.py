"""The parts of the documentation that say what the code says, made from it: `make docs` rewrites them.

Each stands between `<!-- name -->` and `<!-- /name -->`. With `--check` nothing is written: the exit status is 1 if a
document differs from what would be written, and its name is printed.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from functions.provision.app import app
from meeting_agents import errors, wording
from meeting_agents.alerting import change as changes
from meeting_agents.alerting.change import change_of_agent
from meeting_agents.alerting.runbook import GROUP_WORDINGS, WORDINGS
from meeting_agents.announcement import build_announcements, to_message
from meeting_agents.api import bodies
from meeting_agents.api.docs import document, render_html
from meeting_agents.api.problems import NEXT_STEPS
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.cronofy.payloads import read_notification
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.groups import GROUPS
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.incidents import INCIDENTS, NOTICES
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import (
    Action,
    ChangeType,
    Entry,
    EntryType,
    IncidentType,
    Meeting,
    Request,
    State,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.rescue import CONDITIONS
from meeting_agents.domain.state_machine import TERMINAL_STATES, TRANSITIONS
from tests import answers, callback
from tests.bench import report
from tests.bench.__main__ import RESULTS
from tests.golden_files import GOLDEN
from tests.mutation import survivors
from tests.sandbox.deployment import ROOT, source_template
from tests.simulation import report as months
from tests.soak.__main__ import MUST_BE_NONE
from tests.unit.alerting.test_message import CASES, LINKS

FOLDER = ROOT
"""The folder whose documents are read and written."""
PAGE = ".docs.html"
"""The API's description for a browser, which cannot sign for the page that the API itself has."""
LAYER = ROOT / "layers/shared/meeting_agents"


def lifecycle() -> str:
    """The table of transitions as a Mermaid state diagram; transitions that all open states share are drawn once."""
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
    """Return the lines of one state: only those between open states, or only the others."""
    by_target: dict[State, list[str]] = {}
    for kind, to in TRANSITIONS[state].items():
        is_open = state in (within or beyond or []) and to in (within or beyond or [])
        if kind not in common and is_open is (within is not None):
            by_target.setdefault(to, []).append(kind)
    return [f"{state} --> {to}: {', '.join(kinds)}" for to, kinds in by_target.items()]


def incidents() -> str:
    """The table of incidents, in the words of its functions."""
    rows = [
        (
            f"`{type_}`",
            rule.opened_at.__doc__ or "",
            rule.is_resolved.__doc__ or "",
            "yes" if rule.has_patience else "",
            "every other"
            if rule.inhibits >= INCIDENTS.keys()
            else ", ".join(f"`{one}`" for one in sorted(rule.inhibits)),
            (rule.severity.__doc__ or "").removesuffix("."),
        )
        for type_, rule in INCIDENTS.items()
    ]
    rows += [(f"`{type_}`", *words, "", "", "Critical") for type_, words in GROUPS.items()]
    rows += [(f"`{type_}`", words, "A notice: it is sent once.", "", "", "warning") for type_, words in NOTICES.items()]
    head = "| type | opens | resolved | patience | inhibits | severity |"
    return "\n".join([head, f"|{'---|' * 6}", *(f"| {' | '.join(row)} |" for row in rows)])


def _listed(states: Collection[State]) -> str:
    *others, last = [state for state in State if state in states]
    return f"{', '.join(others)} or {last}"


def parameters() -> str:
    """The template's parameters with their defaults and descriptions."""
    template = source_template()
    rows = []
    for name, parameter in template["Parameters"].items():
        default = parameter.get("Default", "")
        rows.append(f"| `{name}` | {f'`{default}`' if default != '' else ''} | {parameter['Description']} |")
    return "\n".join(["| parameter | default | what it is |", "|---|---|---|", *rows])


def commands() -> str:
    """The commands that `make` alone prints."""
    targets = re.findall(r"^([a-z-]+):.*## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    rows = [f"| `make {name}` | {does} |" for name, does in targets]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def modules() -> str:
    """The modules of the layer, package by package, each with the first line of its docstring."""
    lines = []
    for package in [LAYER, *sorted(path for path in LAYER.iterdir() if (path / "__init__.py").exists())]:
        name = "" if package is LAYER else f"{package.name}/"
        lines += ["", f"**`meeting_agents/{name}`** {_summary(package / '__init__.py')}", "", "| module | purpose |"]
        lines += ["|---|---|"]
        for path in sorted(package.glob("*.py")):
            if path.name != "__init__.py":
                lines.append(f"| [`{path.name}`]({path.relative_to(LAYER.parent)}) | {_summary(path)} |")
    return "\n".join(lines[1:])


def _summary(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line."""
    paragraph = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def imports() -> str:
    """The packages and their imports as a Mermaid graph; an arrow that others imply is left out."""
    below: dict[str, set[str]] = {}
    for path in sorted([*LAYER.rglob("*.py"), *ROOT.glob("functions/*/app.py")]):
        room = _room(path.relative_to(LAYER).parts[0]) if path.is_relative_to(LAYER) else "functions"
        below.setdefault(room, set()).update(_imported(path))
    below.pop("__init__", None)
    edges = {(room, other) for room, others in below.items() for other in others & below.keys() - {room}}
    shown = [(a, b) for a, b in sorted(edges) if not any((a, c) in edges and _reaches(edges, c, b) for c in below)]
    return "\n".join(["```mermaid", "flowchart TD", *(f"    {a} --> {b}" for a, b in shown), "```"])


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "meeting_agents":
            yield from (_room(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("meeting_agents."):
            yield _room(str(node.module).split(".")[1])


def _room(name: str) -> str:
    return name.removesuffix(".py")


def _reaches(edges: set[tuple[str, str]], start: str, end: str) -> bool:
    return any(a == start and (b == end or _reaches(edges, b, end)) for a, b in edges)


def routes() -> str:
    """The routes of the API, from its OpenAPI document. It leaves out the webhook, which no caller uses."""
    rows = [
        f"| `{method.upper()} {path}` | {operation['summary']} |"
        for path, operations in sorted(document(app, "")["paths"].items())
        for method, operation in operations.items()
    ]
    return "\n".join(["| route | what it does |", "|---|---|", *rows])


WAIT = "The caller must wait, and send the request again."
ACTIONS = {
    errors.InProgress: WAIT,
    errors.RateLimited: WAIT,
    errors.NothingToRetry: "Nothing: no request needs to be sent again.",
    errors.RetryLeftToCaller: "The caller of that request must send it again.",
}
"""The next steps after errors whose category does not say them."""


def problems() -> str:
    """The errors of the API: status, code, meaning, and who must act."""
    rows = [
        (error.status, error.code, _first_line(error), ACTIONS.get(error) or _first_line(category))
        for category in (errors.Refusal, errors.Outage, errors.Defect)
        for error in _descendants(category)
    ]
    rows.sort(key=lambda row: row[0])
    lines = [f"| {status} | `{code}` | {meaning} | {action} |" for status, code, meaning, action in rows]
    return "\n".join(["| status | `code` | meaning | what to do |", "|---|---|---|---|", *lines])


def _descendants(error: type[errors.MeetingAgentsError]) -> Iterator[type[errors.MeetingAgentsError]]:
    for child in error.__subclasses__():
        yield child
        yield from _descendants(child)


def _first_line(error: type) -> str:
    return (error.__doc__ or "").splitlines()[0]


def cronofys_problems() -> str:
    """The statuses of Cronofy that a caller gets unchanged, and what to do about each."""
    rows = [f"| {status} | `cronofy_{status}` | {action} |" for status, action in NEXT_STEPS.items()]
    return "\n".join(["| Cronofy's status | `code` | what to do |", "|---|---|---|", *rows])


def warnings() -> str:
    """The warnings about parts of a body that are passed on and not followed."""
    rows = [
        f"| `{warning.code}` | `{warning.field}` | {warning.detail} |"
        for warning in vars(bodies).values()
        if isinstance(warning, bodies.BodyWarning)
    ]
    return "\n".join(["| `code` | field | detail |", "|---|---|---|", *rows])


def alerts() -> str:
    """The types of alerts, and how urgent each is."""
    rows = [f"| `{type_}` | the agent {words.one} | {words.resolved} |" for type_, words in WORDINGS.items()]
    named = {
        IncidentType.ACCOUNT_DISCONNECTED: "acc_1",
        IncidentType.CALLBACKS_MISSING: "de",
        IncidentType.CHANNEL_FAILING: "pager",
        IncidentType.DRILL: "weekly",
    }
    for type_, words in GROUP_WORDINGS.items():
        firing, resolved = (text.format(name=named[type_]) for text in (words.firing, words.resolved))
        rows.append(f"| `{type_}` of a group | {firing} | {resolved} |")
    return "\n".join(["| type | what people read | resolved |", "|---|---|---|", *rows])


def second_agents() -> str:
    """Return the conditions of a second agent."""
    rows = [f"| {holds.__doc__} | {wording.OBSTACLES[obstacle]} |" for obstacle, holds in CONDITIONS.items()]
    return "\n".join(["| condition | otherwise none is sent, because |", "|---|---|", *rows])


def announcement() -> str:
    """One whole announcement with its message attributes: an agent that Cronofy reports failed."""
    start = datetime(2026, 4, 29, 15, 30, tzinfo=UTC)
    agent = agent_id("de", "cal_n23kjnwrw2_jsdfjksn234", "review-17")
    body = callback.example(
        notification={"type": "event_subscription", "interactions": [{"type": "meeting_agent_failed"}]},
        event={
            "event_id": "review-17",
            "summary": "Quarterly review",
            "start": "2026-04-29T15:30:00Z",
            "end": "2026-04-29T17:00:00Z",
            "tzid": "Europe/Berlin",
        },
        meeting_agent={"sub": "agt_692702a100ccd07000000000", "state": "failed", "resources": []},
    )
    raw = json.dumps(body).encode()
    request = Request(
        action=Action.PROVISION,
        data_center="de",
        meeting=Meeting(
            start=start, end=start + timedelta(minutes=90), tzid="Europe/Berlin", summary="Quarterly review"
        ),
        calendar_id="cal_n23kjnwrw2_jsdfjksn234",
        event_id="review-17",
        account="acc_567236000909002",
    )
    accepted = Reason.of(ReasonCode.REQUEST_ACCEPTED, status=202)
    requested_at = start - timedelta(days=2)
    entries = [
        Entry(key="requested#0001", kind=EntryType.REQUESTED, at=requested_at, attempt=1, revision=1, request=request),
        Entry(key="accepted#0001", kind=EntryType.ACCEPTED, at=requested_at, attempt=1, revision=1, reason=accepted),
        Entry(
            key=sha256(raw).hexdigest(),
            kind=EntryType.FAILED,
            at=start + timedelta(seconds=41),
            notification=read_notification(raw),
        ),
    ]
    key = entries[-1].key
    stored = [StoredEntry(entry, raw if entry.notification else None) for entry in entries]
    [made] = build_announcements(agent, timeline(stored), {key: raw}, GracePeriods(), {key})
    message = to_message(made)
    attributes = ", ".join(f"`{name}` = `{value}`" for name, value in message.attributes.items())
    return f"```json\n{json.dumps(json.loads(message.text), indent=2)}\n```\n\nMessage attributes: {attributes}."


def alert() -> str:
    """One whole alert: its message attributes, and its texts for people."""
    text = (GOLDEN / "alerts/failed.txt").read_text(encoding="utf-8").partition("=== default")[0]
    return f"```text\n{text.strip()}\n```"


def alarms() -> str:
    """The alarms about the system itself, each with its description."""
    template = source_template()
    rows = [
        f"| `{name}` | {resource['Properties']['AlarmDescription']} |"
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    return "\n".join(["| alarm | what it says, and what to do |", "|---|---|", *rows])


def costs() -> str:
    """The prices of meetings and of an idle month, as `make bench` found them; the dashboard apart."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))["cost"]
    rows = [
        ("1,000 meetings in a month", found["usd_per_1000_meetings"], found["usd_by_item"]),
        (
            "1,000 of 100,000 meetings in a month",
            found["usd_per_1000_of_many_meetings"],
            found["usd_by_item_of_many_meetings"],
        ),
        (
            "a month in which nothing happens",
            sum(found["usd_per_month_at_rest"].values()),
            found["usd_per_month_at_rest"],
        ),
    ]
    second = found["usd_per_1000_second_agents"]
    elsewhere = "; ".join(
        f"{region} US$ {few:.3f}, {many:.3f} and {rest:.2f}"
        for region, (few, many, rest) in found["usd_elsewhere"].items()
    )
    lines = []
    for what, usd, items in rows:
        parts = ", ".join(f"{name} {part:.3f}" for name, part in items.items() if part >= 0.0005)
        lines.append(f"| {what} | US$ {usd:.3f} | {parts} |")
    dashboard = sum(found["usd_per_month_of_the_dashboard"].values())
    return "\n".join(
        [
            f"List prices of {found['region']}, {found['prices_as_known']}:",
            "",
            "| what | price | of which |",
            "|---|---|---|",
            *lines,
            "",
            f"The same three at the prices of {elsewhere}.",
            "",
            f"Without the dashboard: an account has three free, and a further one costs US$ {dashboard:.2f} a month.",
            f"1,000 second agents (`Rescue=once`), each sent by a sweep of its own: US$ {second:.3f}; off, nothing.",
        ]
    )


def change() -> str:
    """The members of a change of an incident, and one whole: a silent agent."""
    table = [line for line in (changes.__doc__ or "").splitlines() if line.startswith("|")]
    alerted = next(iter(CASES["never_activated"]))
    alerted = replace(alerted, owed=replace(alerted.owed, number=1))
    shown = json.dumps(change_of_agent(ChangeType.TRIGGER, alerted, LINKS, None).to_json(), indent=2)
    return "\n".join([*table, "", "```json", shown, "```"])


def figures() -> str:
    """The results of `make bench`."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    machine = found["machine"]
    where = f"{machine['processors']} processors ({machine['architecture']}), Python {machine['python']}"
    return f"`make bench` on {found['date']}, {where}:\n\n{report.table(found)}"


def evidence() -> str:
    """The results of the last full runs of `make crash`, `make soak` and `make mutate`."""
    return f"{_crash()}\n\n{_soak()}\n\n{_mutation()}"


def simulation() -> str:
    """The results of the last months of `make simulate` that were kept."""
    return months.section(_found("simulation"))


def truth() -> str:
    """The truth of the alerts in those months, in a sentence."""
    return months.summary(_found("simulation"))


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
        f"`make soak` on {soak['date']}, {soak['minutes']:g} minutes: {found['agents']} agents requested,",
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
            f"`make mutate` on {found['date']}: small changes to the rules, and the share of them that a test noticed:",
            "",
            "| module | changes | noticed |",
            "|---|---|---|",
            *rows,
            *_folded("Changes that no test noticed: why none should, or a gap", "\n".join(lived)),
        ]
    )


def _found(command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / f"tests/{command}/found.json").read_text(encoding="utf-8"))
    return found


def _folded(summary: str, text: str) -> list[str]:
    """Return a text that unfolds on a click."""
    return ["", f"<details><summary>{summary}</summary>", "", text, "", "</details>"]


DOCUMENTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"truth": truth, "lifecycle": lifecycle},
    "CHANNELS.md": {"change": change},
    "OPERATIONS.md": {"parameters": parameters, "alarms": alarms, "costs": costs, "commands": commands},
    "YEAR.md": {},
    "functions/README.md": {
        "routes": routes,
        "warnings": warnings,
        "second agents": second_agents,
        "problems": problems,
        "cronofys problems": cronofys_problems,
        "answers": answers.table,
        "announcement": announcement,
        "alerts": alerts,
        "alert": alert,
    },
    "layers/shared/README.md": {"imports": imports, "modules": modules, "incidents": incidents},
    "tests/README.md": {"figures": figures, "evidence": evidence, "simulation": simulation},
}
"""The generated parts of each document. CHANGELOG.md and .github have none."""


def written(name: str, text: str) -> str:
    """Return a document with every generated part made anew; ValueError for a part that it does not have."""
    for part, make in DOCUMENTS[name].items():
        before, opening, rest = text.partition(f"<!-- {part} -->\n")
        _, closing, after = rest.partition(f"<!-- /{part} -->")
        if not (opening and closing):
            raise ValueError(f"{name} has no part <!-- {part} -->")
        text = f"{before}{opening}{make()}\n{closing}{after}"
    return text


def main(arguments: Sequence[str]) -> int:
    """Rewrite the documents, or with `--check` name those that differ; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.documentation", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a document differs")
    is_check = parser.parse_args(arguments).check
    outdated = []
    for name in DOCUMENTS:
        text = (FOLDER / name).read_text(encoding="utf-8")
        if (new := written(name, text)) != text:
            outdated.append(name)
            if not is_check:
                (FOLDER / name).write_text(new, encoding="utf-8")
    if not is_check:
        (FOLDER / PAGE).write_text(render_html(document(app, "https://api.example.com")), encoding="utf-8")
        print(f"{PAGE}: the API's description, for a browser")
    for name in outdated:
        print(f"{name}: {'outdated; `make docs` rewrites it' if is_check else 'rewritten'}")
    return int(is_check and bool(outdated))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
