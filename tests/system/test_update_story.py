"""A stack with agents in every state is updated and rolled back while callbacks come in: none is lost, none refused."""

import hashlib
import json
import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from meeting_agents.cronofy.signature import HEADER, sign
from meeting_agents.domain.model import State
from tests.callback import example
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stage import TopicQueue, wait_until
from tests.stored import VERSIONS, load
from tests.system.test_updates import KEPT

SECRET = "CRN_of_the_update"
SENDERS = 3
STEPS = ("meeting_agent_activated", "meeting_agent_complete")
MEETING = {"start": "2099-04-29T15:30:00Z", "end": "2099-04-29T16:30:00Z", "tzid": "Europe/Berlin"}
ENTRY = "entry#"


class Callbacks:
    """Cronofy, which reports something of each agent again and again, each time in other words."""

    def __init__(self, stack: deployment.Stack, agents: dict[str, str]) -> None:
        """`agents`: the id of the calendar event of each."""
        self._stack, self._agents = stack, agents
        self._stopped = threading.Event()
        self.sent: defaultdict[str, set[str]] = defaultdict(set)
        """The keys of the entries that each agent must have."""
        self.answers: Counter[str] = Counter()

    @contextmanager
    def coming_in(self) -> Iterator[None]:
        """Let them come in, from several senders, until the end of the block."""
        self._stopped.clear()
        senders = [threading.Thread(target=self._send, args=(number,)) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        try:
            yield
        finally:
            self._stopped.set()
            for sender in senders:
                sender.join()

    def wait_for_more(self) -> None:
        """Wait until each agent had one more, at least."""
        enough = self.answers.total() + SENDERS * len(self._agents)
        assert wait_until(lambda: self.answers.total() >= enough or None, within=120)

    def _send(self, sender: int) -> None:
        number = 0
        with httpx.Client(base_url=self._stack.api_url, timeout=60, trust_env=False) as client:
            while not self._stopped.is_set():
                for agent, event_id in self._agents.items():
                    number += 1
                    step = STEPS[number // len(self._agents) % len(STEPS)]
                    notification = {"type": "event_subscription", "interactions": [{"type": step}]}
                    event = {"event_id": event_id, **MEETING}
                    unique = f"{sender}.{number}"
                    body = json.dumps(example(notification=notification, event=event, number=unique)).encode()
                    headers = {HEADER: sign(body, [SECRET]), "Content-Type": "application/json"}
                    try:
                        answer = client.post(f"/webhooks/cronofy/{agent}", content=body, headers=headers)
                        self.answers[str(answer.status_code)] += 1
                    except httpx.HTTPError as error:
                        self.answers[type(error).__name__] += 1
                    self.sent[agent].add(hashlib.sha256(body).hexdigest())


def changed(built: Path, into: Path) -> Path:
    """Return a build of which each function, and the layer, has other code and other words."""
    shutil.copytree(built, into, ignore=shutil.ignore_patterns("lock"))
    for app in into.glob("*Function/app.py"):
        app.write_text(app.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    package = into / "SharedLayer" / "python" / "meeting_agents" / "__init__.py"
    package.write_text(package.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    return into


@pytest.mark.parametrize("version", VERSIONS)
def test_an_update_and_a_rollback_lose_nothing(aws: EmbeddedAws, tmp_path: Path, version: str) -> None:
    """The table has what the version before left, with an agent in every state."""
    name = f"update-{version.replace('.', '-')}"
    parameters = {"AlertGroupWait": "1", "CronofyUrl": "http://127.0.0.1:9/{host}"}
    built = deployment.build()
    stack = deployment.deploy(aws, built, parameters, name=name)
    session = stack.session
    session.client("events").disable_rule(Name=stack.resources["SweepFunctionEveryMinute"])  # the meetings may be over
    secret = json.dumps({"us": {"client_id": "id", "client_secrets": [SECRET]}})
    session.client("secretsmanager").put_secret_value(SecretId=stack.outputs["CronofySecretArn"], SecretString=secret)
    announced = TopicQueue(stack, "LifecycleTopic")
    items = load(version)
    for item in items:
        session.client("dynamodb").put_item(TableName=stack.outputs["AgentsTableName"], Item=item)

    records = [item for item in items if item["sk"]["S"] == "record"]
    agents = {record["pk"]["S"]: record["state"]["S"] for record in records}
    assert sorted(agents.values()) == sorted(State)
    before = {agent: read(stack, agent) for agent in agents}
    assert {agent: one["state"] for agent, one in before.items()} == agents
    stored = Counter(item["pk"]["S"] for item in items if item["sk"]["S"].startswith(ENTRY))
    assert stored <= Counter({agent: len(one["timeline"]) for agent, one in before.items()})  # alerts come meanwhile

    day = MEETING["start"][:10]
    listed = {record["pk"]["S"] for record in records if record["listed"]["S"].startswith(day)}
    assert listed_on(stack, day) == listed

    ids = {key: stack.resources[key] for key in KEPT if key in stack.resources}
    code = codes(stack)
    callbacks = Callbacks(stack, {record["pk"]["S"]: record["event_id"]["S"] for record in records})
    other = changed(built, tmp_path / "built")
    with callbacks.coming_in():
        callbacks.wait_for_more()
        for build in (other, built):
            stack = deployment.deploy(aws, build, parameters, name=name)
            assert {key: stack.resources[key] for key in ids} == ids
            assert not codes(stack).items() & code.items()
            code = codes(stack)
            callbacks.wait_for_more()

    assert callbacks.answers.keys() == {"200"}, callbacks.answers
    for agent, keys in callbacks.sent.items():
        timeline = read(stack, agent)["timeline"]
        assert keys <= {entry["key"] for entry in timeline}
        assert timeline[: len(before[agent]["timeline"])] == before[agent]["timeline"]
    assert listed_on(stack, day) >= listed
    expected = {key for keys in callbacks.sent.values() for key in keys}
    assert wait_until(lambda: expected <= {announced_key(each) for each in announced.messages()} or None, within=120)
    queues = session.client("sqs")
    for queue, url in stack.resources.items():
        if queue.endswith("DeadLetterQueue"):
            assert "Messages" not in queues.receive_message(QueueUrl=url), queue
    stack.delete()


def read(stack: deployment.Stack, agent: str) -> Any:
    return httpx.get(f"{stack.api_url}/v1/meeting_agents/{agent}", timeout=60, trust_env=False).json()


def listed_on(stack: deployment.Stack, day: str) -> set[str]:
    """The agents with a meeting on a day, each of which is listed once."""
    query = {"from": f"{day}T00:00:00Z", "to": f"{day}T23:59:59Z"}
    page = httpx.get(f"{stack.api_url}/v1/meeting_agents", params=query, timeout=60, trust_env=False).json()
    ids = [row["id"] for row in page["agents"]]
    assert len(set(ids)) == len(ids)
    return set(ids)


def codes(stack: deployment.Stack) -> dict[str, str]:
    """The digest of each function's code."""
    client = stack.session.client("lambda")
    return {
        name: client.get_function_configuration(FunctionName=id_)["CodeSha256"] for name, id_ in stack.functions.items()
    }


def announced_key(message: dict[str, Any]) -> str:
    """The key of the entry that an announcement is for."""
    return str(message["id"]).partition(".")[2]
