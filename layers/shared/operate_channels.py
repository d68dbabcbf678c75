"""`make channel-test`: a test incident through the deployed function to one channel, and what the channel answered.

Also the doctor's check of the channels: the stored secret, and those that take nothing.
"""

import json
from datetime import UTC, datetime

from botocore.config import Config

from meeting_agents.alerting.text import format_duration
from meeting_agents.aws.keys import group
from meeting_agents.channels.channel import Outcome
from meeting_agents.channels.stored import Stored, read_channels
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType
from operate_stack import OperatorError, Stack, finish

WORDS = {
    Outcome.TAKEN: "taken",
    Outcome.LATER: "not taken now",
    Outcome.REFUSED: "refused",
    Outcome.OFF: "refused, and nothing else will be taken",
}


def test_channel(stack: Stack, name: str) -> int:
    """Send trigger, acknowledge and resolve of a test incident to a channel. Return the number that it did not take."""
    function = stack.resources.get("ForwardFunction")
    if function is None:
        raise OperatorError('the stack has no channels: make deploy PARAMETERS="Channels=on"')
    client = stack.session.client("lambda", config=Config(read_timeout=70, retries={"total_max_attempts": 1}))
    response = client.invoke(FunctionName=function, Payload=json.dumps({"test": name}).encode())
    result = json.loads(response["Payload"].read() or b"{}")
    if response.get("FunctionError"):
        raise OperatorError(f"{result.get('errorMessage', 'the function failed')}; see the log of ForwardFunction")
    if result["problem"]:
        raise OperatorError(f"channel {name}: {result['problem']}")
    for answer in result["answers"]:
        problem = f": {answer['problem']}" if answer["problem"] else ""
        print(f"{answer['action']:<12} {WORDS[Outcome(answer['outcome'])]}{problem}")  # noqa: T201 - a command prints
    failed: int = sum(answer["outcome"] != Outcome.TAKEN for answer in result["answers"])
    verdict = f"did not take the {result['answers'][-1]['action']}" if failed else "took all of it: look there, too"
    finish([], f"channel {name} ({result['kind']}) {verdict}")
    return failed


def stored_channels(stack: Stack) -> Stored:
    """Return the channels as they are stored. Raises `MissingSecret`."""
    client = stack.session.client("secretsmanager")
    return read_channels(client.get_secret_value(SecretId=stack.outputs["ChannelsSecretArn"])["SecretString"])


def failing(stack: Stack, name: str) -> str:
    """Return since when a channel takes nothing, and why; empty if it does."""
    key = group(Group(IncidentType.CHANNEL_FAILING, name).key)
    client = stack.session.client("dynamodb")
    item = client.get_item(TableName=stack.outputs["AgentsTableName"], Key=key).get("Item", {})
    if "failing_since" not in item:
        return ""
    since = datetime.now(UTC) - datetime.fromisoformat(item["failing_since"]["S"])
    return f"takes nothing for {format_duration(since)}: {item['problem']['S']}"
