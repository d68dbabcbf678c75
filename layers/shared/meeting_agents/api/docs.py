"""The API's description: its OpenAPI document, and the page that shows it.

Powertools' models of OpenAPI are imported inside the functions: they take a fifth of a cold start and are seldom used.
"""

import json
from datetime import UTC, datetime
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents import VERSION
from meeting_agents.api import accounts, calendar_events, examples, incidents, meeting_agents, silences
from meeting_agents.api.context import collaborators, public_url
from meeting_agents.api.problems import STATUSES
from meeting_agents.api.wrong_fields import header_name

router = APIGatewayHttpRouter()

ABOUT = """Cronofy's meeting-agent API with a memory: the same paths and bodies, with lists, timelines and retries.

Requests are signed for IAM (AWS Signature Version 4, service `execute-api`), or carry a token of the deployment's JWT
issuer. Credentials for Cronofy have headers of their own. Every response has the header `X-Correlation-Id`.

What concerns no meeting agent goes to Cronofy itself: tokens (`/oauth/token`), user info, calendars, reading events.

A response with `{"message": ...}` and no `code` is API Gateway's, and the request did not come here: 403 `Forbidden`
for a missing or wrong signature, or a role without `execute-api:Invoke`; 429 `Too Many Requests` above its own limit.
"""
TAGS = {
    "Cronofy's API": "Cronofy's own paths and bodies. What is sent on is the caller's own text with our subscription.",
    "Additions": "The memory: what Cronofy cannot be asked.",
    "Incidents": "What is wrong now, or was, and who has it in hand.",
    "Silences": "Spans of time in which no message is sent about some incidents.",
    "Accounts": "Users in whose name requests are sent, and sent again.",
}
SIGNATURE = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "AWS Signature Version 4, service `execute-api`.",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
"""As API Gateway exports it: OpenAPI has no scheme for AWS's signature."""


@router.get("/openapi.json", include_in_schema=False)
def read_openapi() -> Response[str]:
    """Read the API's OpenAPI document."""
    text = json.dumps(_document(), ensure_ascii=False)
    return Response(200, content_type="application/json", body=text)


@router.get("/docs", include_in_schema=False)
def read_docs(form: Annotated[Literal["json"] | None, Query(alias="format")] = None) -> Response[str]:
    """Read the OpenAPI document as a web page, which loads nothing from other sites."""
    if form == "json":
        return read_openapi()  # the target of the page's own link to the document
    page = render_html(_document())
    return Response(200, content_type="text/html; charset=utf-8", body=page)


def document(
    app: ApiGatewayResolver, address: str, data_center: str = "us", now: datetime | None = None
) -> dict[str, Any]:
    """Return the app's OpenAPI document, from its routes, their docstrings and models.

    `address`: the API's URL. The examples are of the `data_center`, and of the day after `now`, by default after today.
    """
    from aws_lambda_powertools.event_handler.openapi.models import Server

    routes = vars(calendar_events) | vars(meeting_agents) | vars(incidents) | vars(silences) | vars(accounts)
    text = app.get_openapi_json_schema(
        title="Meeting agents", version=VERSION, description=ABOUT, servers=[Server(url=address)]
    )
    content: dict[str, Any] = json.loads(text)
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):  # the library's own errors
        del content["components"]["schemas"][name]
    content["security"] = [{"signature": []}]
    content["components"]["securitySchemes"] = {"signature": SIGNATURE}
    content["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
    bodies = examples.bodies(data_center, now or datetime.now(UTC))
    for operations in content["paths"].values():
        for operation in operations.values():
            name = operation["operationId"].partition("_v1_")[0]
            summary, _, description = (getdoc(routes[name]) or "").partition("\n\n")
            operation |= {"operationId": name, "summary": summary, "description": description}
            parameters = examples.parameters(name, data_center)
            if body := operation.get("requestBody"):
                body["content"]["application/json"]["example"] = bodies[name]
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "header":
                    parameter["name"] = header_name(parameter["name"])
                if parameter["in"] != "query" and (example := parameters.get(parameter["name"])):
                    parameter["example"] = example
            responses = operation["responses"]
            for empty in ("204", "302"):
                responses.get(empty, {}).pop("content", None)
            responses["500"] = responses["503"] | {"description": STATUSES[500]}
            if limited := responses.get("429"):
                limited["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return content


def _document() -> dict[str, Any]:
    app = cast("ApiGatewayResolver", router.api_resolver)
    return document(app, public_url(), collaborators().default_data_center())


def render_html(content: dict[str, Any]) -> str:
    """Return an OpenAPI document as a web page, which loads nothing from other sites."""
    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    folder = Path(swagger_ui.__file__).parent
    script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
    )
    text = json.dumps(content, ensure_ascii=False).replace("</", "<\\/")
    return swagger_ui.generate_swagger_html(text, script, style, swagger_base_url="", oauth2_config=None)
