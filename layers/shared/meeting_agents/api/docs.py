"""The API's description: its OpenAPI document, and the page that shows it.

Powertools' models of OpenAPI are imported inside the functions: they take a fifth of a cold start and are seldom used.
"""

import json
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents import VERSION
from meeting_agents.api import accounts, calendar_events, incidents, meeting_agents, silences
from meeting_agents.api.context import public_url
from meeting_agents.api.problems import STATUSES

router = APIGatewayHttpRouter()

ABOUT = """Cronofy's meeting-agent API with a memory: the same paths and bodies, with lists, timelines and retries.

Requests are signed for IAM (AWS Signature Version 4, service `execute-api`), or carry a token of the deployment's JWT
issuer. Credentials for Cronofy have headers of their own. Every response has the header `X-Correlation-Id`.
"""


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


def document(app: ApiGatewayResolver, address: str) -> dict[str, Any]:
    """Return the app's OpenAPI document, from its routes, their docstrings and models. `address`: the API's URL."""
    from aws_lambda_powertools.event_handler.openapi.models import Server

    routes = vars(calendar_events) | vars(meeting_agents) | vars(incidents) | vars(silences) | vars(accounts)
    text = app.get_openapi_json_schema(
        title="Meeting agents", version=VERSION, description=ABOUT, servers=[Server(url=address)]
    )
    content: dict[str, Any] = json.loads(text)
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):  # the library's own errors
        del content["components"]["schemas"][name]
    for operations in content["paths"].values():
        for operation in operations.values():
            name = operation["operationId"].partition("_v1_")[0]
            summary, _, description = (getdoc(routes[name]) or "").partition("\n\n")
            operation |= {"operationId": name, "summary": summary, "description": description}
            responses = operation["responses"]
            for empty in ("204", "302"):
                responses.get(empty, {}).pop("content", None)
            responses["500"] = responses["503"] | {"description": STATUSES[500]}
            if limited := responses.get("429"):
                limited["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return content


def _document() -> dict[str, Any]:
    return document(cast("ApiGatewayResolver", router.api_resolver), public_url())


def render_html(content: dict[str, Any]) -> str:
    """Return an OpenAPI document as a web page, which loads nothing from other sites."""
    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    folder = Path(swagger_ui.__file__).parent
    script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
    )
    text = json.dumps(content, ensure_ascii=False).replace("</", "<\\/")
    return swagger_ui.generate_swagger_html(text, script, style, swagger_base_url="", oauth2_config=None)
