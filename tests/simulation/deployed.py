"""The product of this process as it is deployed, on a simulated stack: the template's tables and parameters."""

import json
import logging
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import httpx
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from meeting_agents import wiring
from tests.sandbox.deployment import source_template
from tests.simulation.stack import ACCOUNT, INDEX_DELAY, SECRET, Stack
from tests.simulation.virtual_time import virtual_time
from tests.wire import forget


@cache
def _environment() -> dict[str, str]:
    """Return the variables of the template with its defaults, and the names of what is deployed."""
    template = source_template()
    defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items() if "Default" in one}
    described = [template["Globals"]["Function"]] + [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    variables = {
        name: defaults.get(str(value["Ref"]), "")
        for function in described
        for name, value in function.get("Environment", {}).get("Variables", {}).items()
        if isinstance(value, dict) and "Ref" in value
    }
    return variables | {
        "AGENTS_TABLE": "AgentsTable",
        "ACCOUNTS_TABLE": "AccountsTable",
        "TOKENS_KEY_ARN": "key",
        "CRONOFY_SECRET_ARN": "cronofy",
        "LIFECYCLE_TOPIC_ARN": "lifecycle",
        "ALERTS_TOPIC_ARN": "alerts",
        "ALERT_QUEUE_URL": "alerts",
        "DEAD_LETTER_QUEUE_URL": "track",
        "API_URL": "https://api",
        "PUBLIC_URL": "https://api.example.com",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_METRICS_NAMESPACE": "meeting-agents",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "simulation",
    }


@contextmanager
def deployed(stack: Stack, chance: random.Random, parameters: Mapping[str, str]) -> Iterator[None]:
    """Let the product of this process be the stack. `parameters`: environment variables that differ."""
    template = source_template()
    for name in ("AgentsTable", "AccountsTable"):
        properties = template["Resources"][name]["Properties"]
        names = ("KeySchema", "GlobalSecondaryIndexes")
        stack.session.dynamodb.create_table(name, **{key: properties[key] for key in names if key in properties})
    for index in stack.session.dynamodb.tables["AgentsTable"].indexes.values():
        index.delay = lambda change: stack.scheduler.after(INDEX_DELAY, change)
    indexes = stack.session.dynamodb.tables["AgentsTable"].indexes
    indexes["due"].on_change = stack.plan_sweep
    indexes["open"].on_change = lambda _: stack.plan_sweep(stack.first_due())
    stack.session.sqs.functions["alerts"] = stack.queue
    applications = {"us": {"client_id": "id", "client_secrets": [SECRET]}}
    stack.session.client("secretsmanager").create_secret("cronofy", json.dumps(applications))
    stack.session.dynamodb.observe = stack.observe
    stack.session.sns.published = stack.published
    stack.session.before, stack.session.after = stack.before, stack.after
    stack.scheduler.on_switch = stack.switch
    make_client = httpx.Client

    def client(**_: Any) -> httpx.Client:
        return make_client(transport=httpx.MockTransport(stack.send), follow_redirects=False)

    forget()
    logging.disable(logging.CRITICAL)
    with (
        patch.dict(os.environ, {**_environment(), **parameters}, clear=True),
        patch.object(wiring, "_session", lambda: stack.session),
        patch.object(httpx, "Client", client),
        patch.object(AmazonCloudWatchEMFProvider, "add_metric", lambda *_, **__: None),
        virtual_time(stack.scheduler, chance),
    ):
        yield
    logging.disable(logging.NOTSET)
    forget()
