"""Writes the items that this version stores: on the sandbox, an agent is brought into every state."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from meeting_agents import VERSION
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import State
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until
from tests.stored import dump

FAR, HOUR = datetime(2099, 4, 29, 15, 30, tzinfo=UTC), timedelta(hours=1)
KEPT = ("ma_", "silences", "group#", "triggers#")
"""Begin the partition keys of what outlives a minute."""
REFUSED = {"errors": {"summary": [{"key": "errors.invalid", "description": "invalid"}]}}


def main() -> None:
    """Request an agent for each state, let Cronofy and time do their part, and write what is in the table."""
    with Stage() as stage:
        path = f"/v1/calendars/{CALENDAR}/events"
        refresh_token = stage.cronofy.grant(HOME, calendars=(CALENDAR,)).refresh_token
        stage.api.put("/v1/accounts/ada", json={"data_center": HOME, "refresh_token": refresh_token})
        before: dict[State, Callable[[], object]] = {
            State.REQUESTED: lambda: stage.cronofy.faults.add("POST", path, status=503, times=100),
            State.REJECTED: lambda: stage.cronofy.faults.add("POST", path, status=422, body=REFUSED),
        }
        after: dict[State, Callable[[], object]] = {
            State.REQUESTED: stage.cronofy.faults.clear,
            State.SCHEDULED: lambda: stage.cronofy.assign_conferencing(State.SCHEDULED),
            State.ACTIVATED: lambda: stage.cronofy.activate(State.ACTIVATED),
            State.COMPLETE: lambda: stage.cronofy.complete(State.COMPLETE),
            State.FAILED: lambda: stage.cronofy.fail(State.FAILED),
            State.CANCELLED: lambda: stage.api.request("DELETE", path, json={"event_id": State.CANCELLED}),
        }
        for state in State:
            before.get(state, lambda: None)()
            start = datetime.now(UTC) if state is State.OVERDUE else FAR
            if state is State.REQUESTED:  # waits to be sent again, which only an account's request does
                del stage.api.headers["Cronofy-Authorization"]
                stage.api.headers["Cronofy-Account"] = "ada"
            stage.request(state, f"A meeting whose agent is {state}", start, start + HOUR)
            stage.api.headers["Cronofy-Authorization"] = f"Bearer {stage.grant.access_token}"
            stage.api.headers.pop("Cronofy-Account", None)
            after.get(state, lambda: None)()
        stage.api.put("/v1/silences/move", json={"everything": True, "until": "2099-01-01T00:00:00Z", "why": "We move"})
        agents = {state: agent_id(HOME, CALENDAR, state) for state in State}
        reached = wait_until(
            lambda: all(stage.read(agent).get("state") == state for state, agent in agents.items()) or None, within=60
        )
        if not reached:
            raise SystemExit(
                f"not reached: { {state: stage.read(agent).get('state') for state, agent in agents.items()} }"
            )
        table = stage.stack.session.client("dynamodb").get_paginator("scan")
        pages = table.paginate(TableName=stage.stack.outputs["AgentsTableName"])
        items = [item for page in pages for item in page["Items"] if item["pk"]["S"].startswith(KEPT)]
        dump(sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"])), VERSION)


if __name__ == "__main__":
    main()
