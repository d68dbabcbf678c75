"""The API that callers see: Cronofy's own paths and bodies, and what Cronofy lacks."""

import json
import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote
from uuid import uuid4

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import AfterValidator, AwareDatetime

from meeting_agents import problems, reference, wiring
from meeting_agents.announcements import again, announced, to_message
from meeting_agents.aws.accounts import Account
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, CronofyResponse, Outcome
from meeting_agents.deadlines import deadline
from meeting_agents.errors import (
    Field,
    ForeignResource,
    InvalidRequest,
    NotFound,
    NoToken,
    Unreachable,
)
from meeting_agents.jsontext import strict_json, with_subscription
from meeting_agents.lifecycle import fold
from meeting_agents.listing import listed, window
from meeting_agents.problems import NotDone
from meeting_agents.prose import is_link
from meeting_agents.provisioning import ProvisioningRequest, ProvisioningResult, timeline
from meeting_agents.reference import CRONOFYS, answers
from meeting_agents.requests import (
    AccountRegistration,
    Acknowledgement,
    AgentCancellation,
    AgentRequest,
    CalendarEventDeletion,
    CalendarEventRequest,
    agent_id,
    digest,
)
from meeting_agents.vendor import HOSTS
from meeting_agents.vendor import DataCenter as DataCenterName
from meeting_agents.views import (
    AccountView,
    AgentList,
    AgentRow,
    AgentSummary,
    AgentView,
    Answered,
    Links,
    Replay,
    ResourceAddress,
)
from meeting_agents.vocabulary import ENDS, Action, Entry, Kind, Record, Request, State

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(
    enable_validation=True, response_validation_error_http_code=500, json_body_deserializer=strict_json
)
app.include_router(problems.router)

wiring.make_ready(wiring.provisioning)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Every route but the webhook's. `X-Correlation-Id` goes into every line that a request leads to."""
    headers = event.setdefault("headers", {})
    given = headers.get("x-correlation-id", "")
    correlation_id = given if re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", given) else str(uuid4())
    headers |= {"x-correlation-id": correlation_id, "content-type": "application/json"}  # no body is anything else
    logger.append_keys(correlation_id=correlation_id)
    answer = app.resolve(event, context)
    answer["headers"]["X-Correlation-Id"] = correlation_id
    answer["body"] = answer["body"] or ""
    logger.info("request answered", route=event.get("routeKey", ""), status=answer["statusCode"])
    return answer


# -------------------------------------------------------------------------------------------- what requests are made of


def _is_path_segment(value: str) -> str:
    """A calendar id never leads to another path of Cronofy's, whether or not what is before us decoded it."""
    decoded = unquote(value)
    if decoded in (".", "..") or re.search(r"[/\\?#%\x00-\x1f\x7f]", decoded):
        raise ValueError("must be Cronofy's id of a calendar, without / \\ ? # % and control characters")
    return decoded


CalendarId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=512,
        description="Cronofy's id of the calendar",
        examples=["cal_n23kjnwrw2_jsdfjksn234"],
    ),
    AfterValidator(_is_path_segment),
]
AgentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,128}$", description="our id of the agent: ma_…")]
AccountId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$", description="your own name for the account")
]
DataCenter = Annotated[
    DataCenterName | None,
    Header(
        alias="Cronofy-Data-Center",
        description="where the account or application lives; left out: the account's own, or the deployment's default",
    ),
]
OwnToken = Annotated[
    str | None,
    Header(
        alias="Cronofy-Authorization",
        pattern=r"^[Bb]earer +[!-~]{1,4096}$",
        description="`Bearer …`: your own token for Cronofy. It is stored nowhere, so a request with it is only tried"
        " while you wait. Where `Authorization` is not taken by the authoriser of this API, it does as well",
    ),
]
AccountName = Annotated[
    str | None,
    Header(
        alias="Cronofy-Account",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$",
        description="a registered account, in whose name Cronofy is asked, again and again if need be",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="for an agent that comes now: the same key and body again get the same answer, and no second agent."
        " All callers of the deployment share the keys of a data center: take one that nobody else takes, like a UUID",
    ),
]
CorrelationId = Annotated[
    str | None,
    Header(
        alias="X-Correlation-Id",
        description="your name for this request, in every log line and journal entry that it leads to",
    ),
]

# -------------------------------------------------------------------------------------------------------- Cronofy's own


@app.post(
    "/v1/calendars/<calendar_id>/events",
    tags=["Cronofy's own"],
    responses=answers(202, "Cronofy accepted it, or is asked again: see `agent.state`", Answered, *CRONOFYS),
)
def upsert_calendar_event(
    calendar_id: CalendarId,
    body: Annotated[CalendarEventRequest, Body()],
    data_center: DataCenter = None,
    own_token: OwnToken = None,
    account: AccountName = None,
    correlation_id: CorrelationId = None,
) -> Response[Answered]:
    """Create or change a calendar event, with its meeting agent.

    https://docs.cronofy.com/developers/api/events/upsert-event/
    """
    authority, home = _user(data_center, own_token, account)
    agent, path, text = agent_id(home, calendar_id, body.event_id), _calendar_events(calendar_id), _text()
    record = _record(agent)
    if body.meeting_agent is None and not _is_live(record):
        return _pass_on(CronofyRequest("POST", path, home, text), authority, agent, record)
    known = record.current.asked if record and record.state not in (State.REJECTED, State.CANCELLED) else None
    request = body.request(home, calendar_id, authority.account, text, known=known, now=datetime.now(UTC))
    return _ask(
        ProvisioningRequest(agent, request, "POST", path, authority, _subscribed(agent, text), correlation_id or "")
    )


@app.delete(
    "/v1/calendars/<calendar_id>/events",
    tags=["Cronofy's own"],
    responses=answers(202, "Cronofy accepted it, or is asked again: see `agent.state`", Answered, *CRONOFYS),
)
def delete_calendar_event(
    calendar_id: CalendarId,
    body: Annotated[CalendarEventDeletion, Body()],
    data_center: DataCenter = None,
    own_token: OwnToken = None,
    account: AccountName = None,
    correlation_id: CorrelationId = None,
) -> Response[Answered]:
    """Delete a calendar event; its agent is cancelled.

    https://docs.cronofy.com/developers/api/events/delete-event/
    """
    authority, home = _user(data_center, own_token, account)
    agent, path, text = agent_id(home, calendar_id, body.event_id), _calendar_events(calendar_id), _text()
    record = _record(agent)
    if record is None or not _is_live(record):
        return _pass_on(CronofyRequest("DELETE", path, home, text), authority, agent, record)
    request = Request(
        action=Action.CANCEL,
        data_center=home,
        calendar_id=calendar_id,
        event_id=body.event_id,
        account=authority.account,
        meeting=record.meeting,
        digest=digest(text),
    )
    return _ask(ProvisioningRequest(agent, request, "DELETE", path, authority, lambda _: text, correlation_id or ""))


@app.post(
    "/v1/meeting_agents",
    tags=["Cronofy's own"],
    responses=answers(200, "the agent is sent: `meeting_agent.sub` is Cronofy's name for it", Answered, *CRONOFYS, 409)
    | answers(202, "Cronofy accepted it, or is asked again: see `agent.state`", Answered),
)
def ask_for_agent(
    body: Annotated[AgentRequest, Body()],
    data_center: DataCenter = None,
    own_token: OwnToken = None,
    idempotency_key: IdempotencyKey = None,
    correlation_id: CorrelationId = None,
) -> Response[Answered]:
    """Schedule an agent, or send one now, without a calendar event.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    authority, home = _application(data_center, own_token)
    text, key = _text(), body.scheduling_key
    agent = agent_id(home, key) if key else agent_id(home, "", idempotency_key or str(uuid4()))
    return _ask(
        ProvisioningRequest(
            agent,
            body.request(home, text, datetime.now(UTC)),
            "POST",
            "/v1/meeting_agents",
            authority,
            _subscribed(agent, text),
            correlation_id or "",
            at_most_once=True,
            is_idempotent=key is not None,
        )
    )


@app.delete(
    "/v1/meeting_agents",
    tags=["Cronofy's own"],
    responses=answers(202, "Cronofy accepted it, or is asked again: see `agent.state`", Answered, *CRONOFYS),
)
def cancel_agent(
    body: Annotated[AgentCancellation, Body()],
    data_center: DataCenter = None,
    own_token: OwnToken = None,
    correlation_id: CorrelationId = None,
) -> Response[Answered]:
    """Cancel a scheduled agent.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    authority, home = _application(data_center, own_token)
    agent, path, text = agent_id(home, body.scheduling_key), "/v1/meeting_agents", _text()
    record = _record(agent)
    if record is None or not _is_live(record):
        return _pass_on(CronofyRequest("DELETE", path, home, text), authority, agent, record)
    request = Request(
        action=Action.CANCEL,
        data_center=home,
        scheduling_key=body.scheduling_key,
        meeting=record.meeting,
        digest=digest(text),
    )
    return _ask(ProvisioningRequest(agent, request, "DELETE", path, authority, lambda _: text, correlation_id or ""))


# --------------------------------------------------------------------------------------------------- what Cronofy lacks


@app.get("/v1/meeting_agents", tags=["What Cronofy lacks"], responses=answers(200, "a page of agents", AgentList))
def list_agents(
    state: Annotated[State | None, Query()] = None,
    start: Annotated[datetime | None, Query(alias="from", description="meetings that start then or later")] = None,
    end: Annotated[datetime | None, Query(alias="to", description="meetings that start before")] = None,
    data_center: Annotated[DataCenterName | None, Query()] = None,
    account: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    calendar_id: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
    event_id: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
    scheduling_key: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> AgentList:
    """Agents in the order in which their meetings start; or the one that has this natural key.

    `from` and `to` are at most 92 days apart; without them, from a day ago until in two weeks. A list follows what
    happens after a moment; an agent by its natural key is read as it is now.
    """
    if event_id or calendar_id or scheduling_key:
        home = _home(data_center)
        if bool(event_id) != bool(calendar_id) or bool(event_id) == bool(scheduling_key):
            raise InvalidRequest(
                "this is no natural key", Field("calendar_id", "calendar_id with event_id, or scheduling_key alone")
            )
        agent = agent_id(home, scheduling_key) if scheduling_key else agent_id(home, calendar_id or "", event_id or "")
        record = _record(agent)
        return AgentList(agents=(AgentRow.of(agent, record, _links(agent)),) if record else (), next_cursor=None)
    now = datetime.now(UTC)
    places = window(start, end, cursor, now)
    filters = {"state": state, "data_center": data_center, "account": account}
    wanted = {name: str(value) for name, value in filters.items() if value}
    return listed(wiring.journal(), places, wanted, limit, now, _links)


@app.get(
    "/v1/meeting_agents/<agent_id>", tags=["What Cronofy lacks"], responses=answers(200, "the agent", AgentView, 404)
)
def read_agent(agent_id: AgentId) -> AgentView:
    """The record of an agent, its attempts, its timeline with verdicts, and what it waits for until when."""
    lines = wiring.journal().read(agent_id, datetime.now(UTC))
    if not lines:
        raise _unknown(agent_id)
    told = timeline(lines)
    return AgentView.of(agent_id, told, deadline(told[-1].after, wiring.journal().graces), _links(agent_id))


@app.post(
    "/v1/meeting_agents/<agent_id>/acknowledgement",
    tags=["What Cronofy lacks"],
    responses=answers(200, "the agent", AgentView, 404, 413),
)
def acknowledge(agent_id: AgentId, body: Annotated[Acknowledgement, Body()]) -> AgentView:
    """Take on what people were told of an agent, so that they are not told again. The same note again adds nothing."""
    record = _record(agent_id)
    if record is None:
        raise _unknown(agent_id)
    caller = _caller()
    entry = Entry(
        key=f"acknowledged#{record.revision:04d}#{record.trouble or 'nothing'}#{digest(body.note)[:32]}",
        kind=Kind.ACKNOWLEDGED,
        at=datetime.now(UTC),
        attempt=record.current.number,
        revision=record.revision,
        reason=f"{body.note} ({caller})" if caller else body.note,
    )
    wiring.journal().append(agent_id, entry)
    return read_agent(agent_id)


@app.get(
    "/v1/meeting_agents/<agent_id>/resources/<category>",
    tags=["What Cronofy lacks"],
    responses=answers(200, "with `format=json`: the address", ResourceAddress, 401, 404, 429, 502, 504)
    | {302: {"description": "to where the resource can be had for a while, without credentials"}},
)
def read_resource(
    agent_id: AgentId,
    category: Annotated[
        str, Path(pattern=r"^[a-z_]{1,64}$", description="transcript, audio, video; cronofy: the dashboard")
    ],
    kind: Annotated[str | None, Query(alias="type", description="where a category has several")] = None,
    form: Annotated[Literal["json"] | None, Query(alias="format")] = None,
) -> Response[ResourceAddress | None]:
    """Where a resource of an agent can be had: asked of Cronofy at this moment, for its address does not last."""
    record = _record(agent_id)
    if record is None:
        raise _unknown(agent_id)
    found = [
        resource
        for attempt in reversed(record.attempts)
        for resource in attempt.resources
        if resource.category == category and kind in (None, resource.type)
    ]
    if not found:
        raise NotFound(f"the agent has no resource {category}; its attempts list what it has")
    resource = found[0]
    is_dashboard = resource.category == "cronofy"
    if is_dashboard and not is_link(resource.url):
        raise ForeignResource("the resource's address is none to follow, so nobody is led there")
    url = resource.url if is_dashboard else _presigned(record, resource.url)
    if form == "json":
        body = ResourceAddress(category=resource.category, type=resource.type, url=url)
        return Response(200, content_type="application/json", body=body, headers={"Cache-Control": "no-store"})
    return Response(302, headers={"Location": url, "Cache-Control": "no-store"})


@app.get(
    "/v1/meeting_agents/<agent_id>/notifications/<key>",
    tags=["What Cronofy lacks"],
    responses=answers(200, "the bytes that Cronofy signed", None, 404),
)
def read_notification(
    agent_id: AgentId,
    key: Annotated[str, Path(pattern=r"^[0-9a-f]{64}(\.[0-9]{1,6})?$", description="the entry's, as in the timeline")],
) -> Response[bytes]:
    """A notification exactly as it came, for instance one that is too large for its announcement."""
    lines = wiring.journal().read(agent_id, datetime.now(UTC))
    raw = next((line.raw for line in lines if line.entry.key == key), None)
    if raw is None:
        raise NotFound(f"the agent {agent_id} has no notification {key}")
    return Response(200, content_type="application/octet-stream", body=raw)


@app.post(
    "/v1/meeting_agents/<agent_id>/replay",
    tags=["What Cronofy lacks"],
    responses=answers(200, "what was announced again", Replay, 404),
)
def replay_agent(
    agent_id: AgentId,
    start: Annotated[AwareDatetime | None, Query(alias="from", description="what was noted then or later")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="what was noted before")] = None,
    state: Annotated[State | None, Query(description="what led to this state, or left the agent in it")] = None,
    dry_run: Annotated[bool, Query(description="only say what would be announced")] = False,
) -> Replay:
    """Announce again what happened to an agent, marked `replayed`.

    Ids do not change, so that whoever has had an announcement can tell, and people are not told twice.
    """
    if _text():  # a `dry_run` in it would be overlooked
        expected = "none; from, to, state and dry_run are in the query"
        raise InvalidRequest("a replay has no body", Field("body", expected))
    journal = wiring.journal()
    lines = journal.read(agent_id, datetime.now(UTC))
    if not lines:
        raise _unknown(agent_id)
    told = timeline(lines)
    keys = {
        step.entry.key
        for step in told
        if (start is None or start <= step.entry.at)
        and (end is None or step.entry.at < end)
        and state in (None, step.after.state)
    }
    announcements = [again(one) for one in announced(agent_id, told, lines, journal.graces, keys)]
    if not dry_run:
        wiring.lifecycle_topic().publish(map(to_message, announcements))
        metrics.add_metric("EntriesReplayed", MetricUnit.Count, len(announcements))
    return Replay(dry_run=dry_run, announcements=tuple(one.id for one in announcements))


@app.put("/v1/accounts/<account_id>", tags=["Accounts"], responses=answers(200, "the account", AccountView, 404, 413))
def register_account(account_id: AccountId, body: Annotated[AccountRegistration, Body()]) -> AccountView:
    """Register a user's refresh token, or replace it, so that `Cronofy-Account` can name the user."""
    return _shown(wiring.accounts().register(account_id, body.data_center, body.refresh_token))


@app.get("/v1/accounts/<account_id>", tags=["Accounts"], responses=answers(200, "the account", AccountView, 404))
def read_account(account_id: AccountId) -> AccountView:
    """A registered account: everything but its tokens."""
    account = wiring.accounts().find(account_id)
    if account is None:
        raise NotFound(f"no account {account_id} is registered")
    return _shown(account)


@app.delete("/v1/accounts/<account_id>", tags=["Accounts"], responses=answers(204, "it is forgotten", None, 404))
def delete_account(account_id: AccountId) -> Response[str]:
    """Forget an account and its tokens. What still waits to be asked in its name will be rejected."""
    if not wiring.accounts().delete(account_id):
        raise NotFound(f"no account {account_id} is registered")
    return Response(204, content_type="text/plain", body="")


# -------------------------------------------------------------------------------------------------------- documentation


@app.get("/openapi.json", include_in_schema=False)
def read_openapi() -> Response[str]:
    """The OpenAPI document of all this."""
    return Response(200, content_type="application/json", body=json.dumps(document(_address()), ensure_ascii=False))


@app.get("/docs", include_in_schema=False)
def read_docs(form: Annotated[Literal["json"] | None, Query(alias="format")] = None) -> Response[str]:
    """The same as a page for people, which loads nothing from elsewhere."""
    if form == "json":
        return read_openapi()  # where the page's own link to the document leads
    return Response(200, content_type="text/html; charset=utf-8", body=reference.page(document(_address())))


def document(address: str) -> dict[str, Any]:
    """All this as OpenAPI. `address`: where it is reached."""
    return reference.document(app, globals(), address)


# ------------------------------------------------------------------------------------------------------ what they share


def _user(data_center: str | None, own_token: str | None, account: str | None) -> tuple[CallerCredentials, str]:
    """In whose name a calendar is asked for, and in which data center."""
    if token := _own_token(own_token):
        return CallerCredentials(token=token), _home(data_center)
    if account is None:
        raise NoToken(
            "send the user's Cronofy access token as `Cronofy-Authorization: Bearer …`, or name a registered account in"
            " `Cronofy-Account`"
        )
    known = wiring.accounts().read(account)
    if data_center not in (None, known.data_center):
        raise InvalidRequest(
            "the account lives in another data center",
            Field("Cronofy-Data-Center", f"{known.data_center}, or left out"),
        )
    return CallerCredentials(account=account), known.data_center


def _application(data_center: str | None, own_token: str | None) -> tuple[CallerCredentials, str]:
    """In whose name an agent without a calendar event is asked for: whoever has an API key, or the application."""
    home = _home(data_center)
    if token := _own_token(own_token):
        return CallerCredentials(token=token), home
    wiring.client_secrets().api_key(
        home
    )  # raises NoSecret while there is nobody yet to whom an agent would be promised
    return CallerCredentials(), home


def _own_token(given: str | None) -> str:
    """`Authorization` may be taken by AWS's own signature."""
    scheme, _, token = (given or app.current_event.headers.get("authorization", "")).partition(" ")
    is_token = scheme.lower() == "bearer" and re.fullmatch(r"[!-~]{1,4096}", token.strip())
    return token.strip() if is_token else ""


def _home(data_center: str | None) -> str:
    home = data_center or wiring.settings().default_data_center
    if home not in HOSTS:
        raise InvalidRequest("unknown data center", Field("Cronofy-Data-Center", f"one of {', '.join(HOSTS)}"))
    return home


def _calendar_events(calendar_id: str) -> str:
    return f"/v1/calendars/{quote(calendar_id, safe='')}/events"


def _text() -> str:
    """The caller's own text: what is sent on is this, not what we understood of it."""
    return app.current_event.decoded_body or ""


def _address() -> str:
    """Where Cronofy and callers reach this API."""
    context = app.current_event.request_context
    stage = "" if context.stage == "$default" else f"/{context.stage}"
    return wiring.settings().public_url or f"https://{context.domain_name}{stage}"


def _links(agent: str) -> Links:
    return Links(self=f"{_address()}/v1/meeting_agents/{agent}")


def _subscribed(agent: str, text: str) -> Any:
    """The caller's text with our subscription, whose address names the attempt from the second on."""
    base = f"{_address()}/webhooks/cronofy/"

    def body_for(attempt: int) -> str:
        return with_subscription(text, base + agent + (f"?attempt={attempt}" if attempt > 1 else ""), base)

    return body_for


def _record(agent: str) -> Record | None:
    lines = wiring.journal().read(agent, datetime.now(UTC))
    return fold(line.entry for line in lines) if lines else None


def _caller() -> str:
    """Who signed in, as far as the authoriser says."""
    authorizer = app.current_event.request_context.authorizer
    if authorizer is None:
        return ""
    return (authorizer.iam and authorizer.iam.user_arn) or (authorizer.jwt_claim or {}).get("sub") or ""


def _is_live(record: Record | None) -> bool:
    return record is not None and record.state not in ENDS


def _unknown(agent: str) -> NotFound:
    return NotFound(f"no agent {agent} is known here; its journal may have expired")


def _ask(asked: ProvisioningRequest) -> Response[Answered]:
    logger.append_keys(agent_id=asked.agent_id)
    began = time.monotonic()
    told = wiring.provisioning().submit(asked)
    metrics.add_metric("TimeToAnswer", MetricUnit.Milliseconds, (time.monotonic() - began) * 1000)
    return _told(told, AgentSummary.of(asked.agent_id, told.record, _links(asked.agent_id)))


def _told(told: ProvisioningResult, agent: AgentSummary) -> Response[Answered]:
    """Cronofy's answer as itself, with our part; 202 for what is asked again by itself. Raises `NotDone`."""
    metrics.add_metric(
        f"Cronofy{told.response.outcome.value.title()}" if told.response else "CronofySilent", MetricUnit.Count, 1
    )
    is_trouble = told.response is None or told.response.outcome is Outcome.RETRYABLE
    metrics.add_metric("CronofyErrors", MetricUnit.Count, int(is_trouble))
    if told.response and told.response.outcome is Outcome.ACCEPTED:
        return _accepted(told.response, agent)
    if agent.retry_at:
        return Response(202, content_type="application/json", body=Answered(agent=agent))
    raise NotDone(agent, told.response, told.error)


def _pass_on(
    call: CronofyRequest, authority: CallerCredentials, agent: str, record: Record | None
) -> Response[Answered]:
    """What concerns no agent that is still followed is Cronofy's business alone."""
    answer = wiring.provisioning().forward(call, authority)
    summary = AgentSummary.of(agent, record, _links(agent)) if record else None
    if answer.outcome is not Outcome.ACCEPTED:
        raise NotDone(summary, answer, None)
    return _accepted(answer, summary)


def _accepted(answer: CronofyResponse, agent: AgentSummary | None) -> Response[Answered]:
    theirs = answer.content if isinstance(answer.content, dict) else {}
    status = answer.status if answer.status in (200, 202) else 202
    return Response(status, content_type="application/json", body=Answered(**theirs | {"agent": agent}))


def _presigned(record: Record, url: str) -> str:
    """Where Cronofy says that a resource is, for a while. Raises `NotDone`."""
    home = (record.identity.data_center if record.identity else "") or wiring.settings().default_data_center
    secrets = wiring.client_secrets()
    answer = wiring.cronofy().resolve(url, home, secrets.api_key(home))
    if answer.status == 401:
        answer = wiring.cronofy().resolve(url, home, secrets.api_key(home, secrets.api_key(home)))
    content = answer.content if isinstance(answer.content, dict) else {}
    resource = content.get("resource")
    address = (resource.get("download_url") if isinstance(resource, dict) else None) or answer.location
    if 200 <= answer.status < 400 and isinstance(address, str) and re.fullmatch(r"https?://[^\s\x00-\x1f]+", address):
        return address
    if 400 <= answer.status < 500:
        raise NotDone(None, answer, None)
    raise Unreachable(f"Cronofy answered {answer.status}, without an address of the resource")


def _shown(account: Account) -> AccountView:
    return AccountView.model_validate(account)
