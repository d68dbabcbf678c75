"""The client secrets of the Cronofy applications, from one secret in Secrets Manager.

Its value is JSON with one member for each data center in use:

    {"us": {"client_id": "…", "client_secrets": ["CRN_current", "CRN_previous"]}}

A client secret has three uses at Cronofy: OAuth client secret, API key, and key of the callbacks' signatures.
https://docs.cronofy.com/developers/api/authentication/
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.cronofy.signature import Secret
from meeting_agents.errors import MissingSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

SLOTS = ("current", "previous")
CACHE_SECONDS = 3600.0
"""Seconds for which the secrets are used without being read again, each of which is paid for.

A new secret need not wait so long: a signature that matches none, or a key that Cronofy refuses, causes a reload.
"""
RELOAD_INTERVAL_SECONDS = 60.0
"""Seconds at least between two reads, however many unknown signatures or failures there are."""


class ClientSecrets:
    """The client secrets, read when first needed and cached for an hour.

    Cached secrets stay in use while Secrets Manager is down, so that its outage loses no notification.
    """

    def __init__(
        self, client: "SecretsManagerClient", secret_arn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._clock = clock
        self.stored_at: datetime | None = None
        """The time at which the cached secret was stored: with two client secrets, the start of their rotation."""
        self._secrets: tuple[Secret, ...] = ()
        self._client_ids: dict[str, str] = {}
        self._problem = "it was never read"
        self._loaded_at: float | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """Return the client secrets of all data centers. Raises `MissingSecret`, with the cause."""
        if self._age() > (CACHE_SECONDS if self._secrets else RELOAD_INTERVAL_SECONDS):
            self._load()
        if not self._secrets:
            raise MissingSecret(f"the secret of the output CronofySecretArn cannot be used: {self._problem}")
        return self._secrets

    def reload(self) -> bool:
        """Read the secret again, after a signature matched none; False if it was read less than a minute ago."""
        if self._age() <= RELOAD_INTERVAL_SECONDS:
            return False
        self._load()
        return True

    def api_key(self, data_center: str, refused: str = "") -> str:
        """Return the application's API key of a data center.

        `refused`: the key that Cronofy has just answered with 401; while secrets rotate, another may be accepted, and
        without another the same is returned. Raises `MissingSecret` for a data center without client secrets.
        """
        if refused:
            self.reload()
        keys = [secret.value for secret in self.secrets() if secret.data_center == data_center]
        if not keys:
            raise MissingSecret(f"the Cronofy secret has no client_secrets for the data center {data_center}")
        return next((key for key in keys if key != refused), refused)

    def client_id(self, data_center: str) -> str:
        """Return the application's id in a data center. Raises `MissingSecret` if it is not stored."""
        self.secrets()
        if client_id := self._client_ids.get(data_center, ""):
            return client_id
        raise MissingSecret(f"the Cronofy secret has no client_id for the data center {data_center}")

    def _age(self) -> float:
        return float("inf") if self._loaded_at is None else self._clock() - self._loaded_at

    def _load(self) -> None:
        self._loaded_at = self._clock()
        try:
            response = self._client.get_secret_value(SecretId=self._secret_arn)
            value = json.loads(response["SecretString"])
            secrets = tuple(_secrets(value))
            client_ids = {
                data_center: str(application.get("client_id", "")) for data_center, application in value.items()
            }
        except ClientError as error:
            self._problem = f"Secrets Manager answered {error.response.get('Error', {}).get('Code', 'an error')}"
        except BotoCoreError:
            self._problem = "Secrets Manager did not answer"
        except (ValueError, KeyError, TypeError, AttributeError):
            # not the parser's own message, which quotes the value
            self._problem = 'its value is not JSON like {"us": {"client_id": "…", "client_secrets": ["…"]}}'
        else:
            self._secrets = secrets or self._secrets
            self.stored_at = response.get("CreatedDate")
            self._client_ids = client_ids or self._client_ids
            self._problem = "it holds no client_secrets for any data center"


def _secrets(value: dict[str, Any]) -> Iterator[Secret]:
    for data_center, application in value.items():
        client_secrets = application["client_secrets"]
        if not (isinstance(client_secrets, list) and all(isinstance(value, str) for value in client_secrets)):
            raise TypeError  # each character of a string would become a secret
        for slot, client_secret in zip(SLOTS, client_secrets, strict=False):
            if client_secret:
                yield Secret(data_center, slot, client_secret)
