"""The text of a secret in Secrets Manager, read when it is first needed and kept for a while."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from meeting_agents.errors import MissingSecret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CACHE_SECONDS = 60.0
"""Seconds for which the text is used without being read again."""


class SecretText:
    """A secret. The text that was read last stays in use while Secrets Manager is down."""

    def __init__(
        self, client: "SecretsManagerClient", secret_arn: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._clock = clock
        self._text: str | None = None
        self._read_at = 0.0

    def read(self, *, anew: bool = False) -> str:
        """Return the text; `anew`: as it is stored now. Raises `MissingSecret`, with the cause."""
        if not anew and self._text is not None and self._clock() - self._read_at < CACHE_SECONDS:
            return self._text
        try:
            self._text = self._client.get_secret_value(SecretId=self._secret_arn)["SecretString"]
            self._read_at = self._clock()
        except (ClientError, BotoCoreError) as error:
            if self._text is None:
                raise MissingSecret(f"Secrets Manager did not give the secret {self._secret_arn}; try again") from error
        return self._text
