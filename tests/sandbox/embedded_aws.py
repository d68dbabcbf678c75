"""An AWS of its own for tests and the sandbox: ministack, in a child process that leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Self

import boto3

# A 12-digit access key is the root user of an account of its own to ministack. This account also owns the API of a
# request without a signature, so only its stacks can be called over HTTP without a signature.
ACCOUNT = "000000000001"
REGION: Final = "eu-central-1"

_SERVER = Path(__file__).with_name("embedded_aws_server.py")


class EmbeddedAws:
    """A context manager: a running AWS at `url`, empty at first and gone afterwards; it starts in half a second."""

    url: str
    log: Path

    def __init__(self, *, enforces_policies: bool = True) -> None:
        """`enforces_policies`: functions do only what their roles allow, and topics reach only queues that allow it."""
        self._enforces_policies = enforces_policies

    def __enter__(self) -> Self:
        """Start the server and return when it answers; RuntimeError with the end of its log if it does not."""
        folder = Path(tempfile.mkdtemp(prefix="embedded-aws-"))
        self.log = folder / "server.log"
        with socket.create_server(("127.0.0.1", 0)) as listener, self.log.open("wb") as log:
            port: int = listener.getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
            self._process = subprocess.Popen(
                [sys.executable, str(_SERVER), str(listener.fileno())],
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(folder, port) | {"AUTH": str(self._enforces_policies)} | moved_clock(),
                cwd=folder,
                start_new_session=True,  # a group to end as one; and Ctrl-C in the terminal reaches us alone
            )
        try:
            urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=30).close()
        except OSError as error:
            failure = RuntimeError(f"the embedded AWS did not start: {error}\n{self.log_tail()}")
            self.__exit__()
            raise failure from error
        return self

    def __exit__(self, *_: object) -> None:
        """End the server and its functions at once; nothing it holds is worth saving."""
        assert self._process.stdin
        with suppress(ProcessLookupError):  # a server that ended by itself may have no group left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()  # only now: the server would begin to remove its folder, and we do that
        shutil.rmtree(self.log.parent, ignore_errors=True)

    def session(self, account: str = ACCOUNT, region: str = REGION) -> boto3.Session:
        """Return a session whose clients speak to this AWS as the given 12-digit account, in a region."""
        session = boto3.Session(aws_access_key_id=account, aws_secret_access_key="secret", region_name=region)
        # An argument overrides every environment variable and profile.
        session.client = partial(session.client, endpoint_url=self.url)  # type: ignore[method-assign]
        return session

    def emails(self, topic_arn: str) -> list[dict[str, str]]:
        """Return what a topic sent by e-mail, oldest first: `to`, `subject`, `text`. Filter policies do not count."""
        file = self.log.with_name("emails")
        sent = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
        return [email for email in sent if email.pop("topic") == topic_arn]

    def confirm(self, topic_arn: str, address: str) -> None:
        """Confirm the subscription of an address to a topic, as the link in AWS's e-mail does."""
        lines = self.log.with_name("confirmations").read_text(encoding="utf-8").splitlines()
        emails = [email for email in map(json.loads, lines) if (email["topic"], email["to"]) == (topic_arn, address)]
        account = topic_arn.split(":")[4]
        self.session(account).client("sns").confirm_subscription(TopicArn=topic_arn, Token=emails[-1]["token"])

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of the server's log, which has the output of the functions too."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def moved_clock() -> dict[str, str]:
    """Return the variables that move this process's clock (see `make moments`), for those it starts; mostly none."""
    if "FAKETIME" not in os.environ:
        return {}
    return {name: value for name, value in os.environ.items() if name == "LD_PRELOAD" or "FAKE" in name}


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Return the server's whole environment; the functions inherit it, so nothing of this process may leak into it."""
    return {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "TZ": ":UTC",  # as in Lambda, wherever this machine is
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "127.0.0.1",  # in the addresses it makes up; `localhost` is ::1 first on some machines
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        # Further ports, which nothing here uses; and a Docker daemon, whose containers it would tidy away.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }
