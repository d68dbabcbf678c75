"""The client secrets of the Cronofy applications, from one secret in Secrets Manager.

Its value is JSON, one member for each data center in use:

    {"us": {"client_id": "…", "client_secrets": ["CRN_current", "CRN_previous"]}}

One value plays three parts at Cronofy: OAuth client secret, API key, and key of the callbacks' signatures.
https://docs.cronofy.com/developers/api/authentication/
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.errors import NoSecret
from meeting_agents.signature import Secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SLOTS = ("current", "previous")
FRESH = 300.0
"""Seconds for which a secret that was read is used without asking again."""
PATIENCE = 60.0
"""Seconds at least between two readings, however many unknown signatures or failures there are."""


class Credentials:
    """The secrets, read when first needed and kept for five minutes.

    What was read stays good while Secrets Manager is down: an outage of it is no reason to lose a notification.
    """

    def __init__(
        self, client: "SecretsManagerClient", secret_arn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._clock = clock
        self._secrets: tuple[Secret, ...] = ()
        self._problem = "it was never read"
        self._read_at: float | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """Every client secret held, of all data centers. Raises `NoSecret`, saying what is missing."""
        if self._age() > (FRESH if self._secrets else PATIENCE):
            self._read()
        if not self._secrets:
            raise NoSecret(f"the Cronofy secret cannot be used: {self._problem}")
        return self._secrets

    def reread(self) -> bool:
        """Read again, because a signature matched none; False if that was done a moment ago."""
        if self._age() <= PATIENCE:
            return False
        self._read()
        return True

    def api_key(self, data_center: str) -> str:
        """The key for the endpoints that take the application's own. Raises `NoSecret` for a data center without one."""
        for secret in self.secrets():
            if secret.data_center == data_center:
                return secret.value
        raise NoSecret(f"the Cronofy secret has no client_secrets for the data center {data_center}")

    def _age(self) -> float:
        return float("inf") if self._read_at is None else self._clock() - self._read_at

    def _read(self) -> None:
        self._read_at = self._clock()
        try:
            text = self._client.get_secret_value(SecretId=self._secret_arn)["SecretString"]
            secrets = tuple(_secrets(json.loads(text)))
        except ClientError as error:
            self._problem = f"Secrets Manager answered {error.response.get('Error', {}).get('Code', 'an error')}"
        except BotoCoreError:
            self._problem = "Secrets Manager did not answer"
        except (ValueError, KeyError, TypeError, AttributeError):
            # never the parser's own words: they quote what they could not read
            self._problem = 'its value is not JSON like {"us": {"client_id": "…", "client_secrets": ["…"]}}'
        else:
            self._secrets = secrets or self._secrets
            self._problem = "it holds no client_secrets for any data center"


def _secrets(value: dict[str, Any]) -> list[Secret]:
    return [
        Secret(data_center, slot, client_secret)
        for data_center, application in value.items()
        for slot, client_secret in zip(SLOTS, application["client_secrets"], strict=False)
        if client_secret
    ]
