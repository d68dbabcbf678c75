"""The product of this process as it is deployed, on a simulated stack: the template's tables and parameters."""

import json
import logging
import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from unittest.mock import patch

import httpx
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from meeting_agents import wiring
from tests.sandbox.deployment import source_template
from tests.simulation.remembered import remembered
from tests.simulation.requests import Http
from tests.simulation.stack import ACCOUNT, SECRET, Stack
from tests.simulation.virtual_time import virtual_time
from tests.wire import forget


@cache
def parameters() -> dict[str, str]:
    """Return the template's parameters with their defaults; one without a default is empty."""
    return {name: str(one.get("Default", "")) for name, one in source_template()["Parameters"].items()}


def variables(values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the functions that have the values of these parameters."""
    return {name: values[parameter] for name, parameter in _variables().items() if parameter in values}


@cache
def _variables() -> dict[str, str]:
    """Return the parameter of each environment variable that has one."""
    template = source_template()
    described = [template["Globals"]["Function"]] + [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    return {
        name: str(value["Ref"])
        for function in described
        for name, value in function.get("Environment", {}).get("Variables", {}).items()
        if isinstance(value, dict) and value.get("Ref") in parameters()
    }


@cache
def _environment() -> dict[str, str]:
    """Return the variables of the template with its defaults, and the names of what is deployed."""
    return variables(parameters()) | {
        "AGENTS_TABLE": "AgentsTable",
        "ACCOUNTS_TABLE": "AccountsTable",
        "TOKENS_KEY_ARN": "key",
        "CRONOFY_SECRET_ARN": "cronofy",
        "LIFECYCLE_TOPIC_ARN": "lifecycle",
        "ALERTS_TOPIC_ARN": "alerts",
        "ALERT_QUEUE_URL": "alerts",
        "DEAD_LETTER_QUEUE_URL": "track",
        "API_URL": "https://api",
        "STACK_NAME": "meeting-agents",
        "PUBLIC_URL": "https://api.example.com",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_METRICS_NAMESPACE": "meeting-agents",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "simulation",
    }


@contextmanager
def deployed(stack: Stack, chance: random.Random, changes: Mapping[str, str]) -> Iterator[None]:
    """Let the product of this process be the stack. `changes`: environment variables that differ."""
    template = source_template()
    for name in ("AgentsTable", "AccountsTable"):
        properties = template["Resources"][name]["Properties"]
        names = ("KeySchema", "GlobalSecondaryIndexes")
        stack.session.dynamodb.create_table(name, **{key: properties[key] for key in names if key in properties})
    for index in stack.session.dynamodb.tables["AgentsTable"].indexes.values():
        index.delay = stack.change_index
    indexes = stack.session.dynamodb.tables["AgentsTable"].indexes
    indexes["due"].on_change = stack.plan_sweep
    indexes["open"].on_change = lambda _: stack.look_at_groups()
    stack.session.sqs.functions["alerts"] = stack.queue
    applications = {"us": {"client_id": "id", "client_secrets": [SECRET]}}
    stack.session.client("secretsmanager").create_secret("cronofy", json.dumps(applications))
    stack.session.dynamodb.observe = stack.observe
    stack.session.sns.published = stack.published
    stack.session.before, stack.session.after = stack.before, stack.after
    stack.scheduler.on_switch = stack.switch
    forget()
    logging.disable(logging.CRITICAL)
    with (
        patch.dict(os.environ, {**_environment(), **changes}, clear=True),
        patch.object(wiring, "_session", lambda: stack.session),
        patch.object(httpx, "Client", lambda **_: Http(stack.send)),
        patch.object(AmazonCloudWatchEMFProvider, "add_metric", lambda *_, **__: None),
        patch.object(AmazonCloudWatchEMFProvider, "flush_metrics", lambda *_, **__: None),
        patch.object(Logger, "structure_logs", lambda *_, **__: None),
        virtual_time(stack.scheduler, chance),
        remembered(),
    ):
        yield
    logging.disable(logging.NOTSET)
    forget()
