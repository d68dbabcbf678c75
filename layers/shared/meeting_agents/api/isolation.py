"""The isolation of callers: each route is checked against the caller's binding, here and nowhere else.

What a caller must not see is answered as if it were not there; what it must not do, with 403. A route without a rule is
refused for every caller that is not bound to everything.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.context import (
    bearer_token,
    caller_name,
    collaborators,
    find_record,
    labels_of_request,
    read_journal,
    request,
)
from meeting_agents.domain.bindings import EVERYTHING, Binding, of_claims
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType
from meeting_agents.domain.record import Record
from meeting_agents.domain.silences import Silence
from meeting_agents.errors import NotFound, NotPermitted

router = APIGatewayHttpRouter()
"""The check before every route."""

type Rule = Callable[[Binding, Mapping[str, Any]], None]
"""Raises `NotFound` or `NotPermitted`, given the caller's binding and the arguments of the route."""


def binding() -> Binding:
    """Return the binding of the caller: to everything where isolation is off. Raises `StoreUnavailable`."""
    found: Binding | None = request.context.get("binding")
    if found is None:
        found = _binding()
        request.append_context(binding=found)
    return found


def _binding() -> Binding:
    bindings = collaborators().bindings()
    if bindings is None:
        return EVERYTHING
    accounts_claim, labels_claim = collaborators().claims()
    authorizer = request.current_event.request_context.authorizer
    claims = authorizer.jwt_claim if authorizer else None
    if claims and (accounts_claim or labels_claim):
        return of_claims(claims, accounts_claim, labels_claim)
    return bindings.of(caller_name())


def check(app: APIGatewayHttpResolver, call_next: Callable[[APIGatewayHttpResolver], Response[Any]]) -> Response[Any]:
    """Check a request before its route gets it."""
    bound = binding()
    if not bound.everything:
        route = app.context["_route"]
        rule = RULES.get(f"{route.method} {route.path}", _no_rule)
        if rule is not _open and bound.is_empty:
            raise NotPermitted(
                f"{caller_name() or 'a caller without a name'} is bound to no account and no label; an operator binds"
                " it with make bind"
            )
        rule(bound, app.context["_route_args"])
    return call_next(app)


router.use(middlewares=[check])


# ---------------------------------------------------------------------------------------------------------------- rules


def _open(_: Binding, __: Mapping[str, Any]) -> None:
    """Permit every caller: the route shows nothing of any agent."""


def _listed(_: Binding, __: Mapping[str, Any]) -> None:
    """Permit every caller that is bound: the route leaves out what is not the caller's."""


def _no_rule(_: Binding, __: Mapping[str, Any]) -> None:
    raise NotPermitted("this route has no rule for callers that are bound to some accounts or labels")


def _agent(bound: Binding, arguments: Mapping[str, Any]) -> None:
    if not covers_agent(bound, arguments["agent_id"]):
        raise NotFound.of_agent(arguments["agent_id"])


def _account(bound: Binding, arguments: Mapping[str, Any]) -> None:
    if not bound.covers_account(arguments["account_id"]):
        raise NotFound(f"no account {arguments['account_id']} is registered")


def _register(bound: Binding, arguments: Mapping[str, Any]) -> None:
    if not bound.covers_account(arguments["account_id"]):
        raise _not_permitted(f"the account {arguments['account_id']}")


def _group(bound: Binding, arguments: Mapping[str, Any]) -> None:
    group = Group(IncidentType(arguments["group_type"]), arguments["name"])
    if not bound.covers_group(group):
        raise NotFound(f"no alert about {group.key} is firing")


def _silence(bound: Binding, arguments: Mapping[str, Any]) -> None:
    silence = collaborators().silences().find(arguments["name"])
    if silence is not None and not covers_silence(bound, silence):
        raise NotFound(f"there is no silence {silence.name}; it may be over")


def _put_silence(bound: Binding, arguments: Mapping[str, Any]) -> None:
    now = datetime.now(UTC)
    before = collaborators().silences().find(arguments["name"])
    if before is not None and before.end > now and not covers_silence(bound, before):
        raise NotPermitted(f"the name {before.name} is that of another caller's silence; choose another name")
    if not covers_silence(bound, arguments["body"].silence(arguments["name"], caller_name(), now)):
        raise _not_permitted("a silence that is for more")


def _request(bound: Binding, arguments: Mapping[str, Any]) -> None:
    """Check the account in whose name a request is sent; the agent is checked by `permit`, on the way to Cronofy."""
    account = arguments.get("account")
    if account and not bearer_token(arguments.get("own_token")) and not bound.may_act_for(account):
        raise _not_permitted(f"the account {account}")


RULES: Mapping[str, Rule] = {
    "GET /v1/accounts": _listed,
    "GET /v1/accounts/<account_id>": _account,
    "PUT /v1/accounts/<account_id>": _register,
    "DELETE /v1/accounts/<account_id>": _account,
    "POST /v1/calendars/<calendar_id>/events": _request,
    "DELETE /v1/calendars/<calendar_id>/events": _request,
    "GET /v1/incidents": _listed,
    "POST /v1/incidents/<group_type>/<name>/acknowledgement": _group,
    "GET /v1/meeting_agents": _listed,
    "POST /v1/meeting_agents": _request,
    "DELETE /v1/meeting_agents": _request,
    "GET /v1/meeting_agents/<agent_id>": _agent,
    "POST /v1/meeting_agents/<agent_id>/acknowledgement": _agent,
    "GET /v1/meeting_agents/<agent_id>/notifications/<key>": _agent,
    "POST /v1/meeting_agents/<agent_id>/replay": _agent,
    "GET /v1/meeting_agents/<agent_id>/resources/<category>": _agent,
    "POST /v1/meeting_agents/<agent_id>/retry": _agent,
    "GET /v1/meeting_agents/<agent_id>/data": _agent,
    "DELETE /v1/meeting_agents/<agent_id>/data": _agent,
    "GET /v1/silences": _listed,
    "GET /v1/silences/<name>": _silence,
    "PUT /v1/silences/<name>": _put_silence,
    "DELETE /v1/silences/<name>": _silence,
    "GET /openapi.json": _open,
    "GET /docs": _open,
}
"""The rule of each route."""


# ----------------------------------------------------------------------------------------------------------- the checks


def covers_record(bound: Binding, record: Record) -> bool:
    """Return True for an agent that is the caller's."""
    return bound.covers(record.identity.account if record.identity else "", record.labels)


def covers_agent(bound: Binding, agent_id: str) -> bool:
    """Return True for an agent that is the caller's, or whose data the caller itself erased."""
    if bound.everything:
        return True
    (_, erasure), record = read_journal(agent_id)
    if record is not None:
        return covers_record(bound, record)
    return erasure is not None and erasure.by == caller_name() != ""


def covers_silence(bound: Binding, silence: Silence) -> bool:
    """Return True for a silence of the caller's own agents alone."""
    return bound.covers_silence(silence, lambda agent_id: covers_agent(bound, agent_id))


def permit(agent_id: str, account: str) -> None:
    """Raise `NotPermitted` unless the caller may send a request for an agent: it is the caller's, and stays so.

    `account`: in whose name the request is sent; empty: in no registered one's. It is called for every request on its
    way to Cronofy, before anything is written.
    """
    bound = binding()
    if bound.everything:
        return
    record = find_record(agent_id)
    is_known = record is not None and record.identity is not None
    if record is not None and is_known and not covers_record(bound, record):
        raise _not_permitted("this agent")
    owner = record.identity.account if record and record.identity else account
    labels = labels_of_request() or (record.labels if record else {})
    if not bound.covers(owner, labels):
        needed = [f"X-Label-{name.title()}: {' or '.join(values)}" for name, values in sorted(bound.labels.items())]
        needed = (["an account in Cronofy-Account"] if bound.accounts and owner not in bound.accounts else []) + needed
        raise NotPermitted(f"the agent would not be one of the caller's; the request needs {', '.join(needed)}")


def _not_permitted(thing: str) -> NotPermitted:
    return NotPermitted(f"the caller is bound to other accounts or labels, and may not act for {thing}")
