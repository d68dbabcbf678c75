"""The API's reference: its OpenAPI document, and the page that shows it."""

import json
from collections.abc import Mapping
from inspect import getdoc
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi import swagger_ui
from aws_lambda_powertools.event_handler.openapi.models import Server

from meeting_agents.problems import STATUSES
from meeting_agents.views import Problem

ABOUT = """Cronofy's meeting-agent API with a memory: the same paths and bodies, and lists, timelines and retries.

Requests are signed for IAM (AWS Signature Version 4, service `execute-api`), or carry a token of the deployment's JWT
issuer. Cronofy's own credentials go into headers of their own. Every answer has the header `X-Correlation-Id`.
"""


def answers(status: int, description: str, model: Any, *problems: int) -> dict[int, Any]:
    """What a route may answer, for the OpenAPI document."""
    good = {"description": description} | ({"content": {"application/json": {"model": model}}} if model else {})
    return {status: good} | {
        code: {"description": STATUSES[code], "content": {"application/problem+json": {"model": Problem}}}
        for code in (*problems, 422, 500, 503)
    }


CRONOFYS = (401, 402, 403, 404, 413, 423, 429, 502, 504)
"""Statuses of a route that asks Cronofy, besides those that every route has."""


def document(app: APIGatewayHttpResolver, routes: Mapping[str, object], address: str) -> dict[str, Any]:
    """All this as OpenAPI, made from the routes and models. `routes`: by name; their docstrings describe them."""
    made = app.get_openapi_json_schema(
        title="Meeting agents", version="1.0.0", description=ABOUT, servers=[Server(url=address)]
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


def page(described: dict[str, Any]) -> str:
    """The document as a page for people, which loads nothing from elsewhere."""
    folder = Path(swagger_ui.__file__).parent
    script, style = (
        (folder / name).read_text(encoding="utf-8") for name in ("swagger-ui-bundle.min.js", "swagger-ui.min.css")
    )
    text = json.dumps(described, ensure_ascii=False).replace("</", "<\\/")
    return swagger_ui.generate_swagger_html(text, script, style, swagger_base_url="", oauth2_config=None)
