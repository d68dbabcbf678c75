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
from tests.runtime.platform import FAULT_TYPES, Fault, Platform
from tests.runtime.stories import CALENDAR, EVENTS, NO_GRACE, Scene, notification, store_secrets
from tests.sandbox import deployment
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.receivers import Receivers
from tests.sandbox.stand_in import StandIn, sign
from tests.soak.proxy import FAULTS, Proxy

INTERACTIONS = (
    "conferencing_assigned",
    "meeting_agent_activated",
    "meeting_agent_complete",
    "meeting_agent_failed",
    "unheard_of",
)
MAX_ATTEMPTS = 40
"""Attempts of a caller before it gives up."""


@dataclass
class Load:
    """The requests and notifications that were accepted, and the announcements and alerts that followed."""

    scene: Scene
    proxy: Proxy
    chance: random.Random
    agents: dict[str, str] = field(default_factory=dict)
    """The id of its calendar event, by agent."""
    kept: set[tuple[str, str]] = field(default_factory=set)
    """Agent and digest of each notification that was answered 200."""
    statuses: Counter[str] = field(default_factory=Counter)
    announced: set[str] = field(default_factory=set)
    """Announcements that need an alert."""
    alerts: list[str] = field(default_factory=list)

    def step(self) -> None:
        """Make one request, notification or sweep, perhaps with a fault."""
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
        """Deliver all that waits, and read all that was published."""
        self.scene.platform.settle()
        for announcement in self.scene.platform.announcements():
            if not is_probe(announcement["subject"]):
                self.announced.add(announcement["id"])
        self.alerts += self.scene.platform.alerts()

    def heal(self) -> None:
        """End all faults, and let enough time pass for all that is left to do."""
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
            platform.fault = Fault(function, at, self.chance.randrange(8), self.chance.choice(FAULT_TYPES))
        if self.chance.random() < 0.1:
            fault = self.chance.choice(
                ({"status": 503}, {"close": "unanswered"}, {"close": "unread"}, {"truncate": True})
            )
            self.scene.cronofy.faults.add("POST", "/v1/calendars", times=self.chance.choice((1, 2)), **fault)

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
        body = notification(self.agents[agent], self.chance.choice(INTERACTIONS), round=self.chance.randrange(2))
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
    with (
        EmbeddedAws(enforces_policies=False) as aws,
        StandIn() as cronofy,
        Receivers() as receivers,
        Proxy(aws.url, aws.log.parent) as proxy,
    ):
        cronofy.behaviour.enforce_limits = False
        addresses = {"CronofyUrl": f"{cronofy.url}/{{host}}", "ChannelsUrl": f"{receivers.url}/{{host}}"}
        stack = deployment.deploy(aws, built, {**addresses, "Channels": "on"})
        store_secrets(stack, cronofy)
        receivers.store(stack, "pager")
        token = cronofy.grant("us", calendars=(CALENDAR,)).access_token
        with Platform(aws, stack, built, NO_GRACE | {"AWS_ENDPOINT_URL": proxy.url}) as platform:
            platform.repeats = MAX_ATTEMPTS
            scene = Scene(platform, cronofy, token, receivers)
            scene.register("soak")
            yield Load(scene, proxy, random.Random(seed))


def soak(seconds: float, rate: float, seed: int) -> dict[str, Any]:
    """Run steps at this rate for so long, then without faults. The counts of MUST_BE_NONE must be 0."""
    with load(seed) as running:
        running.proxy.misbehave(FAULTS)
        began = time.monotonic()
        steps = 0
        while time.monotonic() < began + seconds:
            running.step()
            steps += 1
            time.sleep(max(0.0, began + steps / rate - time.monotonic()))
        fired = running.proxy.fired()
        running.heal()
        return _found(running, steps, len(fired))


def _found(running: Load, steps: int, fired: int) -> dict[str, Any]:
    items = [item for item in running.scene.platform.items() if not is_probe(item["pk"]["S"])]
    entries = {
        (item["pk"]["S"], item["sk"]["S"].removeprefix("entry#")) for item in items if "entry#" in item["sk"]["S"]
    }
    records = {item["pk"]["S"]: item for item in items if item["sk"]["S"] == "record"}
    counted = {
        agent: sum(int(count["N"]) for count in record["verdicts"]["M"].values()) for agent, record in records.items()
    }
    written = Counter(agent for agent, _ in entries)
    alerts = [json.loads(text) for text in running.alerts]
    of_groups = [alert for alert in alerts if "group" in alert]
    in_groups = {agent["agent_id"] for alert in of_groups for agent in alert["agents"]}
    in_groups |= {agent for alert in of_groups for agents in alert["omitted"].values() for agent in agents}
    last_alerts = {
        agent["dedup_key"]: alert["status"] for alert in alerts if "group" not in alert for agent in alert["agents"]
    }
    open_incidents = {
        f"{agent}/{record['attempt']['N']}/{record['incident']['S']}"
        for agent, record in records.items()
        if "incident" in record
    }
    at_cronofy = {meeting.key[-1] for meeting in running.scene.cronofy.meetings}
    return {
        "steps": steps,
        "agents": len(running.agents),
        "notifications_kept": len(running.kept),
        "statuses": dict(running.statuses),
        "aws_faults": fired,
        "invocations": len(running.scene.platform.invocations),
        "killed_or_failed": sum(bool(run.error) for run in running.scene.platform.invocations),
        "lost": len({(agent, digest) for agent, digest in running.kept if (agent, digest) not in entries}),
        "not_announced": len({f"{agent}.{key}" for agent, key in entries} - running.announced),
        "without_verdict": sum(abs(counted.get(agent, 0) - number) for agent, number in written.items()),
        "not_alerted": sum(
            last_alerts.get(key) != "firing" and key.partition("/")[0] not in in_groups for key in open_incidents
        ),
        "not_at_cronofy": len({event for event in running.agents.values() if event not in at_cronofy}),
    }
