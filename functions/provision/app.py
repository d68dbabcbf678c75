"""The API that callers see: Cronofy's own paths and bodies, and what Cronofy lacks."""

import json
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents import wiring
from meeting_agents.cronofy import Answer, Call, Outcome
from meeting_agents.errors import Field, InvalidRequest, MeetingAgentsError, NotFound, Refusal
from meeting_agents.lifecycle import ENDS, deadline, fold
from meeting_agents.payloads import (
    AgentSummary,
    AgentView,
    Answered,
    CalendarEventRequest,
    Links,
    agent_id,
    strict_json,
    with_subscription,
)
from meeting_agents.provisioning import Asked, timeline
from meeting_agents.vendor import HOSTS

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver(enable_validation=True, json_body_deserializer=strict_json)

CalendarId = Annotated[str, Path(min_length=1, max_length=1024, description="Cronofy's id of the calendar")]
AgentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,128}$", description="our id of the agent: ma_…")]
DataCenter = Annotated[
    str | None,
    Header(alias="Cronofy-Data-Center", description=f"where the account lives: {', '.join(HOSTS)}"),
]

WHAT_TO_DO = {
    400: "Cronofy could not read the request; compare it with its documentation.",
    401: "Cronofy does not accept the access token: refresh it and send the request again.",
    402: "The application's Cronofy plan lacks the feature; ask Cronofy, or switch it on in the developer dashboard.",
    403: "The account has not granted the scope: a person must authorise the application again.",
    404: "Cronofy knows no such calendar for this account; check the calendar id and the data center.",
    422: "Cronofy found the fields in `errors` wrong; correct them.",
    423: "Cronofy has locked the account for the moment; send the request again later.",
    429: "Cronofy had too many requests from this application; send the request again later.",
}
"""What a caller can do about Cronofy's answer: https://docs.cronofy.com/developers/api/errors/."""


class NoToken(Refusal):
    """The request carries no access token for Cronofy."""

    status = 401
    code = "no_token"


class CronofySaidNo(Exception):
    """Cronofy answered, and did not accept."""

    def __init__(self, answer: Answer, agent: AgentSummary | None) -> None:
        super().__init__(f"Cronofy answered {answer.status}")
        self.answer = answer
        self.agent = agent


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Every route but the webhook's."""
    return app.resolve(event, context)


# --------------------------------------------------------------------------------------------------------------- routes


@app.post("/v1/calendars/<calendar_id>/events")
def upsert_calendar_event(
    calendar_id: CalendarId, body: Annotated[CalendarEventRequest, Body()], data_center: DataCenter = None
) -> Response[Answered]:
    """Create or change a calendar event, with its meeting agent. https://docs.cronofy.com/developers/api/events/upsert-event/"""
    token, home = _token(), _home(data_center)
    text = app.current_event.decoded_body or ""
    path = f"/v1/calendars/{quote(calendar_id, safe='')}/events"
    agent = agent_id(home, calendar_id, body.event_id)
    if body.meeting_agent is None and not _is_followed(agent):
        answer = wiring.cronofy().send(Call("POST", path, home, text), token)
        return _answer(answer, None)

    def sent(attempt: int) -> str:
        base = f"{_address()}/webhooks/cronofy/"
        return with_subscription(text, base + agent + (f"?attempt={attempt}" if attempt > 1 else ""), base)

    asked = Asked(agent, body.request(home, calendar_id, "", text), "POST", path, sent)
    told = wiring.provisioning().ask(asked, token)
    return _answer(
        told.answer,
        AgentSummary(id=agent, state=told.record.state, attempt=told.record.current.number, links=_links(agent)),
    )


@app.get("/v1/meeting_agents/<agent>")
def read_agent(agent: AgentId) -> AgentView:
    """The record of an agent, its attempts and its timeline."""
    lines = wiring.journal().read(agent, datetime.now(UTC))
    if not lines:
        raise NotFound(f"no agent {agent} is known here; its journal may have expired")
    told = timeline(lines)
    return AgentView.of(agent, told, deadline(told[-1].after, wiring.journal().graces), _links(agent))


# ------------------------------------------------------------------------------------------------------- what they share


def _token() -> str:
    """The caller's access token for Cronofy. `Authorization` may be taken by AWS's own signature."""
    headers = app.current_event.headers
    for name in ("cronofy-authorization", "authorization"):
        scheme, _, token = headers.get(name, "").partition(" ")
        if scheme.lower() == "bearer" and re.fullmatch(r"[!-~]{1,4096}", token.strip()):
            return token.strip()
    raise NoToken("send the user's Cronofy access token as `Cronofy-Authorization: Bearer …`")


def _home(data_center: str | None) -> str:
    home = data_center or wiring.settings().default_data_center
    if home not in HOSTS:
        raise InvalidRequest("unknown data center", Field("Cronofy-Data-Center", f"one of {', '.join(HOSTS)}"))
    return home


def _address() -> str:
    """Where Cronofy and callers reach this API."""
    context = app.current_event.request_context
    stage = "" if context.stage == "$default" else f"/{context.stage}"
    return wiring.settings().public_url or f"https://{context.domain_name}{stage}"


def _links(agent: str) -> Links:
    return Links(self=f"{_address()}/v1/meeting_agents/{agent}")


def _is_followed(agent: str) -> bool:
    """Whether there is an agent that an event's change concerns, though the change says nothing of it."""
    lines = wiring.journal().read(agent, datetime.now(UTC))
    return bool(lines) and fold(line.entry for line in lines).state not in ENDS


def _answer(answer: Answer, agent: AgentSummary | None) -> Response[Answered]:
    """Cronofy's answer as itself, with our part. Raises `CronofySaidNo`."""
    metrics.add_metric(f"Cronofy{answer.outcome.value.title()}", MetricUnit.Count, 1)
    if answer.outcome is not Outcome.ACCEPTED:
        raise CronofySaidNo(answer, agent)
    theirs = answer.content if isinstance(answer.content, dict) else {}
    return Response(answer.status, content_type="application/json", body=Answered(**theirs | {"agent": agent}))


# --------------------------------------------------------------------------------------------------------------- errors


def _problem(
    status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Response[Any]:
    """An error as RFC 9457 has it; `code` is stable, `detail` is for people."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    content |= {name: value for name, value in more.items() if value}
    body = json.dumps(content, ensure_ascii=False)
    return Response(status, content_type="application/problem+json", body=body, headers=dict(headers or {}))


@app.exception_handler(CronofySaidNo)
def _refused(error: CronofySaidNo) -> Response[Any]:
    """Cronofy's refusal as itself: its status, its errors, and what to do."""
    answer = error.answer
    return _problem(
        answer.status if 400 <= answer.status < 600 else HTTPStatus.BAD_GATEWAY.value,
        f"cronofy_{answer.status}",
        WHAT_TO_DO.get(answer.status, "Cronofy could not take the request; send it again later."),
        errors=answer.content.get("errors") if isinstance(answer.content, dict) else None,
        agent=error.agent.model_dump(mode="json") if error.agent else None,
        headers={"Retry-After": str(int(answer.retry_after))} if answer.retry_after is not None else None,
    )


@app.exception_handler(MeetingAgentsError)
def _foreseen(error: MeetingAgentsError) -> Response[Any]:
    logger.warning("request not done", code=error.code, reason=error.detail)
    fields = [{"field": wrong.field, "expected": wrong.expected} for wrong in error.fields]
    return _problem(error.status, error.code, error.detail, errors=fields)


@app.exception_handler(RequestValidationError)
def _invalid(error: RequestValidationError) -> Response[Any]:
    fields = [{"field": _place(wrong["loc"]), "expected": wrong["msg"]} for wrong in error.errors()]
    return _problem(422, InvalidRequest.code, "the request has wrong or missing fields: see `errors`", errors=fields)


@app.not_found
def _no_route(error: NotFoundError) -> Response[Any]:
    return _problem(404, "no_route", f"there is no {app.current_event.http_method} {app.current_event.path}")


def _place(location: tuple[str | int, ...]) -> str:
    """`("body", "subscriptions", 0, "uri")` as `subscriptions[0].uri`."""
    parts = location[1:] if len(location) > 1 and location[0] in ("body", "path", "query", "header") else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")


@app.exception_handler(Exception)
def _unforeseen(error: Exception) -> Response[Any]:
    logger.error("unforeseen error", kind=type(error).__name__, exc_info=error)
    return _problem(500, "internal_error", "something unforeseen went wrong here; the log has it")
