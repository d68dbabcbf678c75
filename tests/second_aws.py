"""A second, independent AWS: roto, a server in Rust that shares no line with the embedded one."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3

from tests.sandbox.embedded_aws import REGION, EmbeddedAws


class SecondAws(EmbeddedAws):
    """A context manager: a running AWS at `url`, empty at first and gone afterwards. It has one account only."""

    def __enter__(self) -> Self:
        """Start the server and return when it answers; RuntimeError with its log if it does not."""
        self._folder = Path(tempfile.mkdtemp(prefix="second-aws-"))
        self.log = self._folder / "server.log"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        server = Path(sys.executable).with_name("roto-server")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(server), "--port", str(port), "--ephemeral"],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=os.environ | {"TMPDIR": str(self._folder)},
            )
        until = time.monotonic() + 30
        while time.monotonic() < until and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return self
        failure = RuntimeError(f"the second AWS did not start:\n{self.log_tail()}")
        self.__exit__()
        raise failure

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def session(self, account: str = "123456789012") -> boto3.Session:
        """Return a session; the account does not matter here."""
        return super().session(account)


__all__ = ["REGION", "SecondAws"]
