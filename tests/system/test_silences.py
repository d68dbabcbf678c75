"""The story of a silence and of quiet hours on the sandbox: what callers, people and pagers see of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.component.test_labels import failed
from tests.sandbox.stage import Stage, wait_until

SILENCES = "/v1/silences"


@pytest.fixture
def team() -> str:
    """The name of a team that no other test has."""
    return f"team-{uuid4().hex[:8]}"


def put(stage: Stage, name: str, seconds: float = 3600, **body: Any) -> dict[str, Any]:
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    answer = stage.api.put(f"{SILENCES}/{name}", json={"until": until.isoformat(), "why": "We move to Zoom"} | body)
    assert answer.status_code == 200, answer.text
    silence: dict[str, Any] = answer.json()
    return silence


def alerts(stage: Stage, *agent_ids: str) -> list[dict[str, Any]]:
    """The messages that are about any of these agents."""
    about = [
        (message, {agent["agent_id"] for agent in message.get("agents", ())}) for message in stage.alerts.messages()
    ]
    return [message for message, agents in about if agents & {*agent_ids}]


def kinds(stage: Stage, agent_id: str) -> list[str]:
    return [entry["kind"] for entry in stage.read(agent_id)["timeline"]]


def is_held(stage: Stage, agent_id: str) -> bool | None:
    return "silenced" in kinds(stage, agent_id) or None


def incidents(stage: Stage, team: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = stage.api.get("/v1/incidents", params={"label": f"team:{team}"}).json()["incidents"]
    return rows


def test_a_silence_over_failing_meetings_is_seen_and_sends_nothing_and_at_its_end_one_message(
    stage: Stage, team: str
) -> None:
    silence = put(stage, team, label=[f"team:{team}"])
    assert (silence["status"], silence["label"], silence["why"]) == ("active", [f"team:{team}"], "We move to Zoom")
    agents = [failed(stage, team) for _ in range(3)]
    loud = failed(stage, f"{team}-other")
    assert all(wait_until(partial(is_held, stage, agent)) for agent in agents)
    assert wait_until(lambda: alerts(stage, loud) or None)
    assert alerts(stage, *agents) == []
    assert {kind for agent in agents for kind in kinds(stage, agent)} == {"requested", "accepted", "failed", "silenced"}
    rows = incidents(stage, team)
    assert {row["agent"]["id"] for row in rows} == {*agents}
    expected = {"name": team, "until": silence["until"], "why": "We move to Zoom"}
    assert [row["silenced"] for row in rows] == [expected] * 3
    assert {row["last_alert"] for row in rows} == {None}
    assert stage.read(agents[0])["incidents"][0]["silenced"] == expected
    held = next(entry for entry in stage.read(agents[0])["timeline"] if entry["kind"] == "silenced")
    assert held["reason"]["values"]["silence"] == team
    assert f" by {team}: failed firing" in held["reason"]["text"]
    assert wait_until(lambda: any(m["type"] == "meeting_agents.silenced" for m in stage.lifecycle.messages()) or None)

    assert stage.api.delete(f"{SILENCES}/{team}").status_code == 204
    assert wait_until(
        lambda: len({a["agent_id"] for m in alerts(stage, *agents) for a in m["agents"]} & {*agents}) == 3 or None
    )
    assert len(alerts(stage, *agents)) <= 2  # one, unless the queue hands over the three in parts
    assert wait_until(lambda: all(kinds(stage, agent)[-1] == "alerted" for agent in agents) or None)
    assert [row["silenced"] for row in incidents(stage, team)] == [None] * 3


def test_a_silence_ends_by_itself(stage: Stage, team: str) -> None:
    put(stage, team, label=[f"team:{team}"])
    agent = failed(stage, team)
    assert wait_until(lambda: is_held(stage, agent))
    silence = put(stage, team, 10, label=[f"team:{team}"])
    assert wait_until(lambda: alerts(stage, agent) or None)
    assert len(alerts(stage, agent)) == 1
    [alerted] = [entry for entry in stage.read(agent)["timeline"] if entry["kind"] == "alerted"]
    assert datetime.fromisoformat(alerted["at"]) >= datetime.fromisoformat(silence["until"])
    gone = wait_until(lambda: stage.api.get(f"{SILENCES}/{team}").status_code == 404 or None)
    assert gone


def test_a_silence_is_read_replaced_listed_and_deleted(stage: Stage, team: str) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=80)
    body: dict[str, Any] = {
        "from": start.isoformat(),
        "account": ["acc_1"],
        "data_center": ["de", "us"],
        "type": ["failed"],
        "agent": ["ma_1"],
        "label": ["Team:a", "team:b", "region:emea"],
    }
    silence = put(stage, team, 81 * 86_400, **body)
    assert {name: silence[name] for name in ("status", "account", "data_center", "type", "agent", "label")} == {
        "status": "planned",
        "account": ["acc_1"],
        "data_center": ["de", "us"],
        "type": ["failed"],
        "agent": ["ma_1"],
        "label": ["region:emea", "team:a", "team:b"],
    }
    assert datetime.fromisoformat(silence["from"]) == start
    assert stage.api.get(f"{SILENCES}/{team}").json() == silence
    listed = {one["name"]: one for one in stage.api.get(SILENCES).json()["silences"]}
    assert listed[team] == silence
    replaced = put(stage, team, agent=["ma_2"])
    assert (replaced["status"], replaced["agent"], replaced["account"]) == ("active", ["ma_2"], [])
    assert stage.api.delete(f"{SILENCES}/{team}").status_code == 204
    assert stage.api.delete(f"{SILENCES}/{team}").status_code == 404
    assert stage.api.get(f"{SILENCES}/{team}").status_code == 404
    assert team not in {one["name"] for one in stage.api.get(SILENCES).json()["silences"]}


LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
WRONG: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"everything"}),
    ({"everything": True, "agent": ["ma_1"]}, {"everything"}),
    ({"agent": ["ma_1"], "until": "2020-01-01T00:00:00Z"}, {"until"}),
    ({"agent": ["ma_1"], "until": (datetime.now(UTC) + timedelta(days=31)).isoformat()}, {"until"}),
    ({"agent": ["ma_1"], "until": "2099-01-01T00:00:00"}, {"until"}),
    ({"agent": ["ma_1"], "from": "2099-01-01T00:00:00Z", "until": "2099-01-02T00:00:00Z"}, {"from"}),
    ({"agent": ["ma_1"], "why": "  "}, {"why"}),
    ({"agent": ["ma_1"], "why": "x" * 501}, {"why"}),
    ({"agent": ["ma 1"]}, {"agent[0]"}),
    ({"type": ["fail"]}, {"type[0]"}),
    ({"data_center": ["xx"]}, {"data_center[0]"}),
    ({"label": ["team"]}, {"label"}),
    ({"account": [f"a{number}" for number in range(51)]}, {"account"}),
    ({"agent": ["ma_1"], "till": LATER}, {"till"}),
]


@pytest.mark.parametrize(("changes", "wrong"), WRONG)
def test_a_wrong_silence_is_refused_and_says_what_is_wrong(
    stage: Stage, changes: dict[str, Any], wrong: set[str]
) -> None:
    answer = stage.api.put(f"{SILENCES}/wrong", json={"until": LATER, "why": "x"} | changes)
    assert answer.status_code == 422, answer.text
    assert set(answer.json()["errors"]) == wrong
    assert stage.api.get(f"{SILENCES}/wrong").status_code == 404


@pytest.mark.parametrize("name", ["Move", "-a", "a_b", "x" * 65, "quiet%20hours"])
def test_a_wrong_name_is_refused(stage: Stage, name: str) -> None:
    answer = stage.api.put(f"{SILENCES}/{name}", json={"until": LATER, "why": "x", "agent": ["ma_1"]})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["name"]


@contextmanager
def quiet_hours(stage: Stage, start: datetime, end: datetime) -> Iterator[None]:
    """Deploy the functions anew with quiet hours, as an update with another parameter does; then as before."""
    functions = stage.stack.session.client("lambda")
    names = [stage.stack.functions[name] for name in ("alert", "sweep", "provision")]
    before = {name: functions.get_function_configuration(FunctionName=name)["Environment"] for name in names}
    hours = {"QUIET_HOURS": f"{start:%H:%M}-{end:%H:%M}", "QUIET_HOURS_SEVERITY": "all"}
    try:
        for name, environment in before.items():
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": environment["Variables"] | hours}
            )
        yield
    finally:
        for name, environment in before.items():
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": environment["Variables"]}
            )


def test_in_quiet_hours_alerts_wait_for_their_end(stage: Stage, team: str) -> None:
    """Those that began an hour ago. They end when the parameter changes: the sweep looks at what was held back."""
    now = datetime.now(UTC)
    with quiet_hours(stage, now - timedelta(hours=1), now + timedelta(hours=2)):
        agents = [failed(stage, team) for _ in range(2)]
        assert all(wait_until(partial(is_held, stage, agent)) for agent in agents)
        assert alerts(stage, *agents) == []
        assert {row["silenced"]["name"] for row in incidents(stage, team)} == {"quiet hours"}
    with quiet_hours(stage, now + timedelta(hours=3), now + timedelta(hours=4)):
        found = wait_until(
            lambda: {a["agent_id"] for m in alerts(stage, *agents) for a in m["agents"]} >= {*agents} or None
        )
        assert found, json.dumps([stage.read(agent)["timeline"] for agent in agents])
    assert len(alerts(stage, *agents)) <= 2
