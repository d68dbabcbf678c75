"""The commands about the bindings of callers: `make bind`, `make bindings`, `make unbind`, on the table itself.

No route writes a binding: a caller that may invoke the API cannot widen its own.
"""

import argparse
from collections.abc import Callable, Mapping
from textwrap import fill
from typing import Any

from meeting_agents.aws.bindings import Bindings
from meeting_agents.aws.dynamodb import Table
from meeting_agents.domain.bindings import MAX_ACCOUNTS, Binding, caller_keys, stored_caller
from meeting_agents.domain.labels import pairs, parse_wanted
from operate_stack import WIDTH, OperatorError, Stack, counted, finish

INDENT = " " * 10


def add_commands(commands: Any, named: Callable[[str], Callable[[str], str]]) -> None:
    """Add the commands to the parser. `named`: the type of an argument that is not empty."""
    caller = named("CALLER=arn:aws:iam::111122223333:role/sales")
    bind = commands.add_parser("bind", help="bind a caller to accounts and labels")
    bind.add_argument("--caller", type=caller, required=True, help="the ARN of a user, role or session; a JWT subject")
    bind.add_argument("--account", type=_listed, default=[], help="several: a,b")
    bind.add_argument("--label", type=_listed, default=[], help="team:sales; several: team:a,region:b")
    bind.add_argument("--everything", action="store_true", help="all accounts and labels")
    unbind = commands.add_parser("unbind", help="take a caller's binding away")
    unbind.add_argument("--caller", type=caller, required=True)
    commands.add_parser("bindings", help="list the bindings")


def bind(stack: Stack, given: argparse.Namespace) -> None:
    """Bind a caller, in place of the binding that it has."""
    if bool(given.account or given.label) is given.everything or len(given.account) > MAX_ACCOUNTS:
        raise OperatorError(f"set ACCOUNT=a,b (at most {MAX_ACCOUNTS}) or LABEL=team:sales, or EVERYTHING=1 alone")
    try:
        labels = parse_wanted(given.label)
    except ValueError:
        raise OperatorError("a label has a name and a value: set LABEL=team:sales") from None
    caller = stored_caller(given.caller)
    binding = Binding(accounts=frozenset(given.account), labels=labels, everything=given.everything)
    _bindings(stack).put(caller, binding)
    print(_line(caller, binding))  # noqa: T201 - a command prints
    is_session = len(caller_keys(caller)) > 1
    remark = "a session's name is its caller's own choice, unless the role's trust policy sets sts:RoleSessionName"
    isolation = stack.parameters.get("Isolation", "off")
    when = "in force from now on" if isolation == "on" else "in force once Isolation is on"
    finish([remark] if is_session else [], when)


def unbind(stack: Stack, given: argparse.Namespace) -> None:
    """Take the binding of a caller away."""
    if not _bindings(stack).delete(stored_caller(given.caller)):
        raise OperatorError(f"{given.caller} has no binding; make bindings lists those that have one")
    finish([], f"{given.caller} is bound to nothing; with Isolation it is refused")


def list_bindings(stack: Stack) -> None:
    """Print the callers that are bound."""
    bindings = list(_bindings(stack).all())
    for caller, binding in bindings:
        print(_line(caller, binding))  # noqa: T201 - a command prints
    finish([], counted(len(bindings), "binding"))


def _bindings(stack: Stack) -> Bindings:
    return Bindings(Table(stack.session.client("dynamodb"), stack.outputs["AgentsTableName"]))


def _line(caller: str, binding: Binding) -> str:
    labels = [pair for name, values in binding.labels.items() for value in values for pair in pairs({name: value})]
    parts = [
        f"{noun} {', '.join(values)}" for noun, values in (("account", sorted(binding.accounts)), ("label", labels))
    ]
    words = "everything" if binding.everything else "; ".join(part for part in parts if not part.endswith(" "))
    return f"{caller}\n{fill(words, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)}"


def _listed(text: str) -> list[str]:
    return [value.strip() for value in text.split(",") if value.strip()]


COMMANDS: Mapping[str, Callable[[Stack, argparse.Namespace], None]] = {
    "bind": bind,
    "unbind": unbind,
    "bindings": lambda stack, _: list_bindings(stack),
}
