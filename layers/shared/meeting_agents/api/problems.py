"""Problem details (RFC 9457) for requests that fail, and the statuses with which a route may respond."""

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

from meeting_agents.api.context import collaborators
from meeting_agents.api.views import AgentSummary, Problem
from meeting_agents.api.wrong_fields import as_errors, wrong_field
from meeting_agents.cronofy.messages import CronofyResponse, Outcome
from meeting_agents.cronofy.payloads import HOSTS
from meeting_agents.errors import FieldError, InvalidRequest, MeetingAgentsError, RateLimited, Unreachable

logger = Logger(child=True)  # its lines have the fields of the function's own logger
router = APIGatewayHttpRouter()
"""The error handlers, and the check of query parameters, of every route."""

STATUSES = {
    400: "Cronofy could not read the request",
    401: "no token for Cronofy, or one that it does not accept",
    402: "Cronofy: the plan lacks the feature",
    403: "the caller is bound to other accounts or labels; Cronofy: the scope is missing; or the account must be"
    " authorised again: see `code`",
    404: "not found here; or Cronofy knows no such calendar",
    409: "the agent, or the request, is in a state in which this cannot be done: see `code`",
    413: "the body is too large",
    422: "fields are wrong or missing, here or for Cronofy: see `errors`",
    423: "Cronofy has locked the account for the moment",
    429: "Cronofy's rate limits are used up: see the header Retry-After",
    500: "an unexpected error",
    502: "Cronofy could not be reached, or its response makes no sense",
    503: "a service that is needed does not answer, or is not set up",
    504: "Cronofy did not answer in time; the request may have taken effect",
}
"""The meaning of each status for a caller."""
TITLES: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}
NEXT_STEPS = {
    400: "Cronofy refused the request; compare it with its documentation.",
    401: "Cronofy does not accept the token: refresh it and send the request again.",
    402: "The application's Cronofy plan lacks the feature; ask Cronofy, or switch it on in the developer dashboard.",
    403: "The account has not granted the scope: its user must authorise the application again.",
    404: "Cronofy knows no such calendar for this account; check the calendar id and the data center.",
    422: "Cronofy found the fields in `errors` wrong; correct them.",
    423: "Cronofy has locked the account for the moment; send the request again later.",
    429: "Cronofy had too many requests from this application; send the request again later.",
}
"""The next step for a caller after a response of Cronofy's: https://docs.cronofy.com/developers/api/errors/."""
LATER = "Cronofy is not ready for the request; send it again later."


def responses(status: int, description: str, model: Any, *problems: int) -> dict[int, Any]:
    """Return the responses of a route for the OpenAPI document: one that succeeds, and the statuses of its problems."""
    success = {"description": description} | ({"content": {"application/json": {"model": model}}} if model else {})
    return {status: success} | {
        code: {"description": STATUSES[code], "content": {"application/problem+json": {"model": Problem}}}
        for code in sorted({*problems, 403, 422, 500, 503})
    }


CRONOFYS = (400, 401, 402, 403, 404, 409, 413, 423, 429, 502, 504)
"""The statuses of a route that sends a request to Cronofy, besides those of every route."""


class RequestFailed(Exception):
    """A request that Cronofy did not accept. `agent`: the agent it concerns, if the request is in its journal."""

    def __init__(
        self, agent: AgentSummary | None, response: CronofyResponse | None, error: MeetingAgentsError | None
    ) -> None:
        super().__init__(f"Cronofy answered {response.status}" if response else str(error))
        self.agent = agent
        self.response = response
        self.error = error


def refuse_unknown_parameters(
    app: APIGatewayHttpResolver, call_next: Callable[[APIGatewayHttpResolver], Response[Any]]
) -> Response[Any]:
    """Refuse unknown query parameters: a misspelt filter would list everything, a misspelt `dry_run` would act."""
    if unknown := _unknown_parameters():
        raise InvalidRequest("the request has unknown query parameters: see `errors`", *unknown)
    return call_next(app)


router.use(middlewares=[refuse_unknown_parameters])


def _unknown_parameters() -> tuple[FieldError, ...]:
    """Return an error for each query parameter that the route does not take. AWS's signature may be among them."""
    known = [parameter.alias for parameter in router.context["_route"].dependant.query_params]
    names = router.current_event.query_string_parameters
    unknown = [name for name in names if name not in known and not name.lower().startswith("x-amz-")]
    expected = f"known are {', '.join(known)}" if known else "the request has none"
    return tuple(FieldError(name, f"no such parameter; {expected}") for name in unknown)


type _Handler = Callable[[Any], Response[Any]]
_handles: Callable[[type[Exception]], Callable[[_Handler], _Handler]] = router.exception_handler


def _problem(
    status: int, code: str, detail: str, *, retry_after: float | None = None, location: str = "", **extensions: Any
) -> Response[Any]:
    """Return problem details; `code` is stable, `detail` is for people. Empty extensions are left out."""
    content = {
        "type": "about:blank",
        "title": TITLES.get(status, "Refused by Cronofy"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    content |= {name: value for name, value in extensions.items() if value}
    headers = {"Retry-After": str(int(retry_after))} if retry_after is not None else {}
    headers |= {"Location": location} if location else {}
    body = json.dumps(content, ensure_ascii=False)
    return Response(status, content_type="application/problem+json", body=body, headers=headers)


@_handles(RequestFailed)
def _request_failed(failure: RequestFailed) -> Response[Any]:
    """Respond with Cronofy's own status and errors and the next step, or with the cause of its silence."""
    agent = failure.agent.model_dump(mode="json") if failure.agent else None
    location = failure.agent.links.self if failure.agent else ""
    response, error = failure.response, failure.error
    if response is None:
        error = error or Unreachable("Cronofy did not answer")
        logger.warning("Cronofy did not answer", code=error.code)
        return _problem(error.status, error.code, error.detail, agent=agent, location=location)
    logger.warning("Cronofy did not accept the request", status=response.status)
    other = NEXT_STEPS[400] if response.outcome is Outcome.REJECTED else LATER
    return _problem(
        response.status if 400 <= response.status < 500 else HTTPStatus.BAD_GATEWAY.value,
        f"cronofy_{response.status}",
        NEXT_STEPS.get(response.status, other),
        errors=response.content.get("errors") if isinstance(response.content, dict) else None,
        agent=agent,
        location=location,
        retry_after=response.retry_after,
    )


@_handles(MeetingAgentsError)
def _expected_error(error: MeetingAgentsError) -> Response[Any]:
    logger.warning("request failed", code=error.code, reason=error.detail)
    retry_after = error.retry_after if isinstance(error, RateLimited) else None
    return _problem(error.status, error.code, error.detail, errors=as_errors(error.fields), retry_after=retry_after)


@_handles(RequestValidationError)
def _invalid_request(error: RequestValidationError) -> Response[Any]:
    errors = as_errors([*map(wrong_field, error.errors()), *_unknown_parameters()])
    return _problem(422, InvalidRequest.code, "the request has wrong or missing fields: see `errors`", errors=errors)


@_handles(UnicodeDecodeError)
def _invalid_utf8(_: UnicodeDecodeError) -> Response[Any]:
    errors = as_errors([FieldError("body", "JSON in UTF-8")])
    return _problem(422, InvalidRequest.code, "the body is not text", errors=errors)


@_handles(NotFoundError)
def _route_not_found(_: NotFoundError) -> Response[Any]:
    request = router.current_event
    host = HOSTS.get(request.headers.get("cronofy-data-center", "")) or HOSTS[collaborators().default_data_center()]
    method, path = request.http_method, request.path
    if path.startswith("/oauth/"):
        detail = f"tokens are Cronofy's: send this to https://{host}{path} itself. Nothing of it was kept here"
        return _problem(421, "send_to_cronofy", detail)
    detail = f"there is no {method} {path} here; what concerns no meeting agent goes to https://{host}"
    return _problem(404, "route_not_found", detail)


@_handles(Exception)
def _unexpected_error(error: Exception) -> Response[Any]:
    # The line of code, not the error's message, which may quote what must not be logged.
    line = extract_tb(error.__traceback__)[-1]
    logger.error("unexpected error", kind=type(error).__name__, line=str(line))
    return _problem(500, "internal_error", "an unexpected error; the log has the details")
