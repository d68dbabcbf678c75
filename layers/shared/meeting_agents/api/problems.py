"""Problem details (RFC 9457) for requests that fail, and the statuses that a route may answer."""

import json
from collections.abc import Callable
from http import HTTPStatus
from traceback import extract_tb
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.views import AgentSummary, Problem
from meeting_agents.cronofy.messages import CronofyResponse
from meeting_agents.errors import FieldError, InvalidRequest, MeetingAgentsError, RateLimited, Unreachable

logger = Logger()
router = APIGatewayHttpRouter()
"""What the API includes to answer so."""

STATUSES = {
    401: "no token for Cronofy, or one that it does not accept",
    402: "Cronofy: the plan lacks the feature",
    403: "Cronofy: the scope is missing; or the account must be authorised again",
    404: "there is no such thing here; or Cronofy knows no such calendar",
    409: "the same request is being answered at this moment",
    413: "the body is too large",
    422: "fields are wrong or missing, here or for Cronofy: see `errors`",
    423: "Cronofy has locked the account for the moment",
    429: "Cronofy's limits are used up for the moment: see the header Retry-After",
    500: "something unforeseen",
    502: "Cronofy could not be reached, or answered what it should not",
    503: "something that we need does not answer, or is not set up",
    504: "Cronofy did not answer in time; it may have acted all the same",
}
"""What each status means to a caller."""
WHAT_TO_DO = {
    400: "Cronofy could not read the request; compare it with its documentation.",
    401: "Cronofy does not accept the token: refresh it and send the request again.",
    402: "The application's Cronofy plan lacks the feature; ask Cronofy, or switch it on in the developer dashboard.",
    403: "The account has not granted the scope: a person must authorise the application again.",
    404: "Cronofy knows no such calendar for this account; check the calendar id and the data center.",
    422: "Cronofy found the fields in `errors` wrong; correct them.",
    423: "Cronofy has locked the account for the moment; send the request again later.",
    429: "Cronofy had too many requests from this application; send the request again later.",
}
"""What a caller can do about Cronofy's answer: https://docs.cronofy.com/developers/api/errors/."""
PATTERNS = {
    "cronofy-authorization": "`Bearer <token>`",
    "cronofy-account": "the name of a registered account: letters, digits and . _ @ + -",
    "idempotency-key": "1 to 255 visible ASCII characters",
    "uri": "an http(s) address",
    "join_url": "an http(s) address",
    "image_url": "an https address",
    "event_id": "an id without control characters",
    "scheduling_key": "an id without control characters",
}
"""In words what the pattern of a field asks for."""


def answers(status: int, description: str, model: Any, *problems: int) -> dict[int, Any]:
    """What a route may answer, for the OpenAPI document."""
    good = {"description": description} | ({"content": {"application/json": {"model": model}}} if model else {})
    return {status: good} | {
        code: {"description": STATUSES[code], "content": {"application/problem+json": {"model": Problem}}}
        for code in (*problems, 422, 500, 503)
    }


CRONOFYS = (401, 402, 403, 404, 413, 423, 429, 502, 504)
"""Statuses of a route that asks Cronofy, besides those that every route has."""


class RequestFailed(Exception):
    """A request that Cronofy did not accept; `agent`: the one that it concerns, if its journal has the request."""

    def __init__(
        self, agent: AgentSummary | None, answer: CronofyResponse | None, error: MeetingAgentsError | None
    ) -> None:
        super().__init__(f"Cronofy answered {answer.status}" if answer else str(error))
        self.agent = agent
        self.answer = answer
        self.error = error


def refuse_unknown_parameters(
    app: APIGatewayHttpResolver, answer: Callable[[APIGatewayHttpResolver], Response[Any]]
) -> Response[Any]:
    """Whoever misspells a filter would be shown everything, or a `dry_run`, do what was only to be tried."""
    if wrong := _unknown_parameters():
        raise InvalidRequest("the request has unknown query parameters: see `errors`", *wrong)
    return answer(app)


router.use(middlewares=[refuse_unknown_parameters])


def _unknown_parameters() -> tuple[FieldError, ...]:
    """What the route does not take. AWS's own signature may stand among them."""
    known = [parameter.alias for parameter in router.context["_route"].dependant.query_params]
    given = router.current_event.query_string_parameters
    unknown = [name for name in given if name not in known and not name.lower().startswith("x-amz-")]
    expected = f"known are {', '.join(known)}" if known else "the request has none"
    return tuple(FieldError(name, f"no such parameter; {expected}") for name in unknown)


type _Handler = Callable[[Any], Response[Any]]
_answering: Callable[[type[Exception]], Callable[[_Handler], _Handler]] = router.exception_handler


def _problem(status: int, code: str, detail: str, *, retry_after: float | None = None, **more: Any) -> Response[Any]:
    """An error as RFC 9457 has it; `code` is stable, `detail` is for people."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    content |= {name: value for name, value in more.items() if value}
    headers = {"Retry-After": str(int(retry_after))} if retry_after is not None else {}
    body = json.dumps(content, ensure_ascii=False)
    return Response(status, content_type="application/problem+json", body=body, headers=headers)


@_answering(RequestFailed)
def _request_failed(refused: RequestFailed) -> Response[Any]:
    """Cronofy's refusal as itself, its status and its errors, and what to do; or why it did not answer."""
    agent = refused.agent.model_dump(mode="json") if refused.agent else None
    answer, error = refused.answer, refused.error
    if answer is None:
        error = error or Unreachable("Cronofy did not answer")
        logger.warning("Cronofy did not answer", code=error.code)
        return _problem(error.status, error.code, error.detail, agent=agent)
    logger.warning("Cronofy did not accept", status=answer.status)
    return _problem(
        answer.status if answer.status in STATUSES and answer.status < 500 else HTTPStatus.BAD_GATEWAY.value,
        f"cronofy_{answer.status}",
        WHAT_TO_DO.get(answer.status, "Cronofy could not take the request; send it again later."),
        errors=answer.content.get("errors") if isinstance(answer.content, dict) else None,
        agent=agent,
        retry_after=answer.retry_after,
    )


@_answering(MeetingAgentsError)
def _foreseen(error: MeetingAgentsError) -> Response[Any]:
    logger.warning("request not done", code=error.code, reason=error.detail)
    fields = [{"field": wrong.field, "expected": wrong.expected} for wrong in error.fields]
    retry_after = error.retry_after if isinstance(error, RateLimited) else None
    return _problem(error.status, error.code, error.detail, errors=fields, retry_after=retry_after)


@_answering(RequestValidationError)
def _invalid(error: RequestValidationError) -> Response[Any]:
    fields = [{"field": _place(wrong["loc"]), "expected": _expected(wrong)} for wrong in error.errors()]
    fields += [{"field": wrong.field, "expected": wrong.expected} for wrong in _unknown_parameters()]
    return _problem(422, InvalidRequest.code, "the request has wrong or missing fields: see `errors`", errors=fields)


@_answering(UnicodeDecodeError)
def _unreadable(_: UnicodeDecodeError) -> Response[Any]:
    fields = [{"field": "body", "expected": "JSON in UTF-8"}]
    return _problem(422, InvalidRequest.code, "the body is not text", errors=fields)


@_answering(NotFoundError)
def _no_route(_: NotFoundError) -> Response[Any]:
    return _problem(
        404, "route_not_found", f"there is no {router.current_event.http_method} {router.current_event.path}"
    )


@_answering(Exception)
def _unforeseen(error: Exception) -> Response[Any]:
    # Where it happened, never the error's own words: they may quote what must not be logged.
    place = extract_tb(error.__traceback__)[-1]
    logger.error("unforeseen error", kind=type(error).__name__, line=str(place))
    return _problem(500, "internal_error", "something unforeseen went wrong here; the log has it")


def _expected(wrong: dict[str, Any]) -> str:
    """What the library found wrong with a field, in our words."""
    said: str = wrong["msg"]
    match wrong["type"]:
        case "missing":
            return "a value; it is required"
        case "string_pattern_mismatch":
            return PATTERNS.get(str(wrong["loc"][-1]).lower(), said)
        case _:
            return said.removeprefix("Value error, ")


def _place(location: tuple[str | int, ...]) -> str:
    """`("body", "subscriptions", 0, "uri")` as `subscriptions[0].uri`."""
    parts = location[1:] if len(location) > 1 and location[0] in ("body", "path", "query", "header") else location
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
