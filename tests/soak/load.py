"""A steady load of requests and notifications, while Cronofy, AWS and the functions themselves fail now and then."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from meeting_agents.aws.keys import is_probe
from tests.runtime.platform import HOWS, Fault, Platform
from tests.runtime.stories import CALENDAR, EVENTS, PATIENCE, Scene, notification, store_secrets
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import StandIn, sign
from tests.soak.proxy import FAULTS, Proxy

NEWS = (
    "conferencing_assigned",
    "meeting_agent_activated",
    "meeting_agent_complete",
    "meeting_agent_failed",
    "unheard_of",
)
ENOUGH = 40
"""How often whoever called tries again, before that counts as giving up."""


@dataclass
class Load:
    """What was asked and reported, and accepted."""

    scene: Scene
    proxy: Proxy
    chance: random.Random
    agents: dict[str, str] = field(default_factory=dict)
    """By id: the calendar event's."""
    kept: set[tuple[str, str]] = field(default_factory=set)
    """Agent and digest of each notification that was answered 200."""
    statuses: Counter[str] = field(default_factory=Counter)
    announced: set[str] = field(default_factory=set)
    worth: set[str] = field(default_factory=set)
    """Announcements that are worth an alert."""
    alerts: list[str] = field(default_factory=list)

    def step(self) -> None:
        """One thing happens, and perhaps a fault."""
        self._fault()
        match self.chance.choices(("request", "notification", "settle", "clock"), (4, 8, 2, 1))[0]:
            case "request":
                self._request()
            case "notification" if self.agents:
                self._notify()
            case "clock":
                self.scene.platform.tick("sweep")
            case _:
                self.settle()

    def settle(self) -> None:
        """What waits is delivered, and what was published is read."""
        self.scene.platform.settle()
        for told in self.scene.platform.announcements():
            if not is_probe(told["subject"]):
                self.announced.add(told["id"])
                if told["data"]["alert"]:
                    self.worth.add(told["id"])
        self.alerts += self.scene.platform.alerts()

    def heal(self) -> None:
        """Nothing fails any more, and enough time passes for whatever was left to be done."""
        self.proxy.misbehave([])
        self.scene.platform.fault = None
        self.scene.cronofy.faults.clear()
        for _ in range(4):
            self.settle()
            self.scene.platform.age(1000)
            self.scene.platform.tick("sweep")
        self.settle()

    def _fault(self) -> None:
        platform = self.scene.platform
        if self.chance.random() < 0.15:
            function = self.chance.choice(sorted(platform.functions))
            at = platform.next_invocation(function)
            platform.fault = Fault(function, at, self.chance.randrange(8), self.chance.choice(HOWS))
        if self.chance.random() < 0.1:
            how = self.chance.choice(
                ({"status": 503}, {"close": "unanswered"}, {"close": "unread"}, {"truncate": True})
            )
            self.scene.cronofy.faults.add("POST", "/v1/calendars", times=self.chance.choice((1, 2)), **how)

    def _request(self) -> None:
        event_id = f"soak-{len(self.agents)}"
        headers = self.chance.choice((self.scene.own_token, {"cronofy-account": "soak"}))
        event = self.scene.event(event_id)
        answer = self.scene.platform.request("POST", EVENTS, event, headers)
        self.statuses[f"request {answer['statusCode']}"] += 1
        if answer["statusCode"] < 300:
            self.agents[json.loads(answer["body"])["agent"]["id"]] = event_id

    def _notify(self) -> None:
        agent = self.chance.choice(list(self.agents))
        body = notification(self.agents[agent], self.chance.choice(NEWS), round=self.chance.randrange(2))
        secrets = self.scene.cronofy.applications["us"].client_secrets
        header = {"cronofy-hmac-sha256": sign(body.encode(), secrets)}
        answer = self.scene.platform.request("POST", f"/webhooks/cronofy/{agent}", body, header)
        self.statuses[f"notification {answer['statusCode']}"] += 1
        if answer["statusCode"] == 200:
            self.kept.add((agent, sha256(body.encode()).hexdigest()))


@contextmanager
def load(seed: int) -> Iterator[Load]:
    """A stage with the proxy in front of AWS."""
    built = deployment.build()
    # The proxy has another address than the one that was signed for, so signatures cannot be checked here.
    with EmbeddedAws(enforces_policies=False) as aws, StandIn() as cronofy, Proxy(aws.url, aws.log.parent) as proxy:
        cronofy.behaviour.enforce_limits = False
        stack = deployment.deploy(aws, built, {"CronofyUrl": f"{cronofy.url}/{{host}}"})
        store_secrets(stack, cronofy)
        token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
        with Platform(aws, stack, built, PATIENCE | {"AWS_ENDPOINT_URL": proxy.url}) as platform:
            platform.repeats = ENOUGH
            scene = Scene(platform, cronofy, token)
            scene.register("soak")
            yield Load(scene, proxy, random.Random(seed))


def soak(seconds: float, rate: float, seed: int) -> dict[str, Any]:
    """Steps at this rate for so long, then calm. What is left undone, lost or doubled must be 0."""
    with load(seed) as under:
        under.proxy.misbehave(FAULTS)
        began = time.monotonic()
        steps = 0
        while time.monotonic() < began + seconds:
            under.step()
            steps += 1
            time.sleep(max(0.0, began + steps / rate - time.monotonic()))
        fired = under.proxy.fired()
        under.heal()
        return _found(under, steps, len(fired))


def _found(under: Load, steps: int, fired: int) -> dict[str, Any]:
    items = [item for item in under.scene.platform.items() if not is_probe(item["pk"]["S"])]
    entries = {
        (item["pk"]["S"], item["sk"]["S"].removeprefix("entry#")) for item in items if "entry#" in item["sk"]["S"]
    }
    records = {item["pk"]["S"]: item for item in items if item["sk"]["S"] == "record"}
    counted = {
        agent: sum(int(count["N"]) for count in record["verdicts"]["M"].values()) for agent, record in records.items()
    }
    written = Counter(agent for agent, _ in entries)
    alerts = "\n".join(under.alerts)
    at_cronofy = {meeting.key[-1] for meeting in under.scene.cronofy.meetings}
    return {
        "steps": steps,
        "agents": len(under.agents),
        "notifications_kept": len(under.kept),
        "statuses": dict(under.statuses),
        "aws_faults": fired,
        "invocations": len(under.scene.platform.invocations),
        "killed_or_failed": sum(bool(run.error) for run in under.scene.platform.invocations),
        "lost": len({(agent, digest) for agent, digest in under.kept if (agent, digest) not in entries}),
        "not_announced": len({f"{agent}.{key}" for agent, key in entries} - under.announced),
        "without_verdict": sum(abs(counted.get(agent, 0) - number) for agent, number in written.items()),
        "not_alerted": len({told for told in under.worth if told not in alerts}),
        "not_at_cronofy": len({event for event in under.agents.values() if event not in at_cronofy}),
    }
