"""The API's description: its OpenAPI document, and the page that shows it.

Powertools' models of OpenAPI are imported inside the functions: they are a fifth of a cold start, and few ask for them.
"""

import json
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from aws_lambda_powertools.event_handler import ApiGatewayResolver, Response
from aws_lambda_powertools.event_handler.openapi.params import Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents import VERSION
from meeting_agents.api import accounts, calendar_events, meeting_agents
from meeting_agents.api.context import public_url
from meeting_agents.api.problems import STATUSES

router = APIGatewayHttpRouter()

ABOUT = """Cronofy's meeting-agent API with a memory: the same paths and bodies, and lists, timelines and retries.

Requests are signed for IAM (AWS Signature Version 4, service `execute-api`), or carry a token of the deployment's JWT
issuer. Cronofy's own credentials go into headers of their own. Every answer has the header `X-Correlation-Id`.
"""


@router.get("/openapi.json", include_in_schema=False)
def read_openapi() -> Response[str]:
    """The OpenAPI document of all this."""
    described = json.dumps(_described(), ensure_ascii=False)
    return Response(200, content_type="application/json", body=described)


@router.get("/docs", include_in_schema=False)
def read_docs(form: Annotated[Literal["json"] | None, Query(alias="format")] = None) -> Response[str]:
    """The same as a page for people, which loads nothing from elsewhere."""
    if form == "json":
        return read_openapi()  # where the page's own link to the document leads
    page = render_html(_described())
    return Response(200, content_type="text/html; charset=utf-8", body=page)


def document(app: ApiGatewayResolver, address: str) -> dict[str, Any]:
    """The app's OpenAPI document, made from the routes, their docstrings and models. `address`: where it is reached."""
    from aws_lambda_powertools.event_handler.openapi.models import Server

    routes = vars(calendar_events) | vars(meeting_agents) | vars(accounts)
    made = app.get_openapi_json_schema(
        title="Meeting agents", version=VERSION, description=ABOUT, servers=[Server(url=address)]
    )
    described: dict[str, Any] = json.loads(made)
    for name in ("HTTPValidationError", "ValidationError", "ResponseValidationError"):  # the library's own errors
        del described["components"]["schemas"][name]
    for operations in described["paths"].values():
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
    return described


def _described() -> dict[str, Any]:
    return document(cast("ApiGatewayResolver", router.api_resolver), public_url())


def render_html(described: dict[str, Any]) -> str:
    """The document as a page for people, which loads nothing from elsewhere."""
    from aws_lambda_powertools.event_handler.openapi import swagger_ui

    folder = Path(swagger_ui.__file__).parent
    script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
    )
    text = json.dumps(described, ensure_ascii=False).replace("</", "<\\/")
    return swagger_ui.generate_swagger_html(text, script, style, swagger_base_url="", oauth2_config=None)
