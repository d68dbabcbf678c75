"""`make secret`: the credentials of a Cronofy application are typed, not shown, and stored in the stack's secret."""

import json
import sys
from getpass import getpass
from typing import Any

from operate_stack import OperatorError, Stack


def store_secret(stack: Stack, data_center: str) -> None:
    """Ask for the client id and the client secret of a data center, and store them beside those of the others.

    A second client secret is put before the first, which stays for callbacks that are still signed with it; a third
    replaces the oldest. Raises `OperatorError` for input that cannot be a credential.
    """
    secrets, arn = stack.session.client("secretsmanager"), stack.outputs["CronofySecretArn"]
    stored = _applications(secrets.get_secret_value(SecretId=arn)["SecretString"])
    application = stored.get(data_center, {})
    known = application.get("client_id", "")
    client_id = _answer_to(f"Client id of the application in {data_center}{f' [{known}]' if known else ''}: ") or known
    client_secret = getpass("Client secret (is not shown): ").strip()
    for name, value in (("client id", client_id), ("client secret", client_secret)):
        if not (value and value.isascii() and value.isprintable() and " " not in value):
            raise OperatorError(
                f"nothing was stored: the {name} is empty or has spaces; copy it from Cronofy's dashboard"
            )
    earlier = [secret for secret in application.get("client_secrets", []) if secret != client_secret]
    client_secrets = [client_secret, *earlier][:2]
    stored[data_center] = {"client_id": client_id, "client_secrets": client_secrets}
    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(stored))
    rotating = "; the one before still verifies callbacks" if len(client_secrets) > 1 else ""
    print(f"Stored for {data_center}{rotating}. The functions use it within five minutes.")  # noqa: T201


def _applications(text: str) -> dict[str, dict[str, Any]]:
    """Return what is stored, by data center; `OperatorError` if it is not as `make secret` stores it."""
    try:
        stored = json.loads(text)
    except ValueError:
        stored = None
    if not (isinstance(stored, dict) and all(isinstance(application, dict) for application in stored.values())):
        raise OperatorError(
            "nothing was stored: what is in the secret is not JSON as OPERATIONS.md shows it; "
            "store {} with `aws secretsmanager put-secret-value`, and run this again for each data center"
        )
    return stored


def _answer_to(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip()
