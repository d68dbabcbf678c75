"""A deployed stack as an operator's commands use it: its outputs, its table, its API; and what the commands print.

The operator's own AWS credentials sign each request.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, NoCredentialsError

from meeting_agents.aws.keys import ENTRY_PREFIX

WIDTH = 96
"""The characters of a line of output."""
BACKUP_DAYS = 35
"""Days for which DynamoDB can restore a table to a point in time, and keeps a last backup of one that is deleted.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""
TIMEOUT = 40
"""Seconds: longer than API Gateway waits for a function."""


class OperatorError(Exception):
    """A command cannot run, or the API refused it; the message says what to do."""


@dataclass
class Stack:
    """A deployed stack, read with the operator's session."""

    name: str
    session: boto3.Session

    @cached_property
    def description(self) -> Any:
        """The stack as CloudFormation describes it."""
        (stack,) = self.session.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return stack

    @property
    def status(self) -> str:
        """The status of the stack now; empty, if there is none."""
        try:
            (found,) = self.session.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return ""
            raise
        return str(found["StackStatus"])

    @property
    def outputs(self) -> dict[str, str]:
        return {output["OutputKey"]: output["OutputValue"] for output in self.description.get("Outputs", [])}

    @property
    def parameters(self) -> dict[str, str]:
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.description.get("Parameters", [])}

    @cached_property
    def resources(self) -> dict[str, str]:
        """Physical ids by logical id."""
        pages = (
            self.session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        )
        summaries = [summary for page in pages for summary in page["StackResourceSummaries"]]
        return {summary["LogicalResourceId"]: summary.get("PhysicalResourceId", "") for summary in summaries}

    def scan(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Iterate over the items of the agents table. Reads all of them, so the cost grows with the table."""
        return self._items("scan", options)

    def query(self, **options: Any) -> Iterator[dict[str, Any]]:
        """Iterate over the items of the agents table that a query finds."""
        return self._items("query", options)

    def _items(self, operation: Any, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        paginator = self.session.client("dynamodb").get_paginator(operation)
        pages = paginator.paginate(TableName=self.outputs["AgentsTableName"], **options)
        return (item for page in pages for item in page["Items"])

    def entries(self, start: str, end: str) -> Iterator[dict[str, Any]]:
        """Iterate over the keys of the entries from `start` until before `end`."""
        return self.scan(
            FilterExpression="begins_with(sk, :entry) AND #at >= :start AND #at < :end",
            ExpressionAttributeNames={"#at": "at"},
            ExpressionAttributeValues={":entry": {"S": ENTRY_PREFIX}, ":start": {"S": start}, ":end": {"S": end}},
            ProjectionExpression="pk, sk",
        )

    def request(self, client: httpx.Client, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """Send a request to the API, signed for its IAM authoriser. A list in `query` is a repeated parameter."""
        parameters = {name.rstrip("_"): value for name, value in query.items() if value not in (None, "", [])}
        url = str(
            httpx.URL(self.outputs["ApiUrl"] + path, params=parameters) if parameters else self.outputs["ApiUrl"] + path
        )
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        request = AWSRequest(method, url, data=content, headers=headers)
        credentials = self.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self.session.region_name).add_auth(request)
        return client.request(method, url, content=content, headers=dict(request.headers.items()))

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Return the JSON of a response of the API. Raises `OperatorError` with the API's own words."""
        with httpx.Client(timeout=TIMEOUT) as client:
            response = self.request(client, method, path, body, **query)
        if response.is_success:
            return response.json() if response.content else None
        raise OperatorError(problem_of(response))


def problem_of(response: httpx.Response) -> str:
    """Return what the API says about a request that failed."""
    try:
        problem = response.json()
        detail = problem.get("detail") or problem["message"]  # API Gateway's own errors have a message
        fields = problem.get("errors")
        wrong = [f"{field}: {error['description']}" for field, errors in (fields or {}).items() for error in errors]
        return "; ".join([f"{response.status_code}: {detail}", *wrong])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{response.status_code}: {response.text[:200]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like a wrong one as a question, or the known names."""
    names = sorted(known)
    by_lower = {each.lower(): each for each in names}
    found = get_close_matches(name.lower(), by_lower, 1, 0.7)
    return f"did you mean {by_lower[found[0]]}?" if found else f"known are {', '.join(names)}"


def confirm(question: str, *, is_given: bool) -> None:
    """Ask before what cannot be undone. Raises `OperatorError` unless the answer is yes. `is_given`: by YES=1."""
    if is_given:
        return
    if not sys.stdin.isatty():
        raise OperatorError("nothing was done, because no one can be asked here: YES=1 says yes")
    if input(f"{question} Type yes: ").strip().lower() != "yes":
        raise OperatorError("nothing was done")


# --------------------------------------------------------------------------------------------------------------- output


def show_progress(text: str) -> None:
    """Show how far a command is, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{text}", end="", file=sys.stderr, flush=True)  # noqa: T201 - a command prints


def clear_progress() -> None:
    """Remove the line that `show_progress` has written."""
    show_progress(" " * 70 + "\r")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 entry`, `2 entries`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def finish(remarks: Iterable[str], count: str) -> None:
    """Print remarks, and the count with which a command ends."""
    clear_progress()
    for line in remarks:
        print(line, file=sys.stderr)  # noqa: T201 - a command prints
    print(count)  # noqa: T201 - a command prints
