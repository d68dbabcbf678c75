"""`make secret` as a person at a terminal uses it: what is typed is not shown, and what was stored before stays."""

import json
from collections.abc import Iterator

import pytest

from meeting_agents.cronofy.client_secrets import ClientSecrets
from operate_stack import Stack
from tests import terminal
from tests.sandbox.embedded_aws import EmbeddedAws

ACCOUNT = "000000000008"


@pytest.fixture
def stack(aws: EmbeddedAws) -> Iterator[Stack]:
    """A stack of which only the secret is needed."""
    session = aws.session(ACCOUNT)
    template = {
        "Resources": {"CronofySecret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "{}"}}},
        "Outputs": {"CronofySecretArn": {"Value": {"Ref": "CronofySecret"}}},
    }
    session.client("cloudformation").create_stack(StackName="secrets", TemplateBody=json.dumps(template))
    yield Stack("secrets", session)
    session.client("cloudformation").delete_stack(StackName="secrets")


def typed(aws: EmbeddedAws, *answers: str, data_center: str = "de") -> tuple[int, str]:
    """Run the command in a terminal, and answer its questions. Return its exit status, and what was on the screen."""
    return terminal.typed(aws, ACCOUNT, "secrets", ["secret", "--data-center", data_center], *answers)


def stored(stack: Stack) -> ClientSecrets:
    """Return the secrets as the functions read them."""
    return ClientSecrets(stack.session.client("secretsmanager"), stack.outputs["CronofySecretArn"])


def test_a_secret_is_stored_and_not_shown(aws: EmbeddedAws, stack: Stack) -> None:
    status, screen = typed(aws, "client-1", "CRN_first")
    assert (status, "CRN_first" in screen) == (0, False)
    assert "Stored for de." in screen
    secrets = stored(stack)
    assert (secrets.client_id("de"), secrets.api_key("de")) == ("client-1", "CRN_first")


def test_a_second_secret_keeps_the_first_and_other_data_centers(aws: EmbeddedAws, stack: Stack) -> None:
    """The client id is taken over by a mere return. A third secret replaces the oldest, the same one adds nothing."""
    typed(aws, "client-us", "CRN_us", data_center="us")
    screen = ""
    for secret in ("CRN_first", "CRN_second", "CRN_third", "CRN_third"):
        status, screen = typed(aws, "client-1" if secret == "CRN_first" else "", secret)
        assert status == 0, screen
    assert "[client-1]" in screen
    secrets = stored(stack)
    assert (secrets.client_id("us"), secrets.client_id("de")) == ("client-us", "client-1")
    values = [secret.value for secret in secrets.secrets() if secret.data_center == "de"]
    assert values == ["CRN_third", "CRN_second"]


@pytest.mark.parametrize("text", ["CRN_1", "[]", '{"de": "CRN_1"}'])
def test_what_was_stored_in_another_shape_stays(aws: EmbeddedAws, stack: Stack, text: str) -> None:
    """It may be the only copy; the message does not show it."""
    secrets, arn = stack.session.client("secretsmanager"), stack.outputs["CronofySecretArn"]
    secrets.put_secret_value(SecretId=arn, SecretString=text)
    status, screen = typed(aws)
    assert (status, "CRN_1" in screen) == (2, False)
    assert screen.startswith("operate: nothing was stored: what is in the secret is not JSON as OPERATIONS.md shows it")
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == text


@pytest.mark.parametrize("answers", [("client-1", ""), ("", "CRN_1"), ("client-1", "two words"), ("client-1", "CRN_ä")])
def test_what_can_be_no_credential_is_refused(aws: EmbeddedAws, stack: Stack, answers: tuple[str, str]) -> None:
    status, screen = typed(aws, *answers)
    assert status == 2
    assert "nothing was stored" in screen
    arn = stack.outputs["CronofySecretArn"]
    assert stack.session.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"] == "{}"
