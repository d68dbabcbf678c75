"""A second, independent AWS: roto, a server in Rust that shares no line with the embedded one."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Self

import boto3

from tests.sandbox.child_server import start_server
from tests.sandbox.embedded_aws import REGION, EmbeddedAws


class SecondAws(EmbeddedAws):
    """A context manager: a running AWS at `url`, empty at first and gone afterwards. It has one account only."""

    def __enter__(self) -> Self:
        """Start the server and return when it answers; RuntimeError with its log if it does not."""
        self._folder = Path(tempfile.mkdtemp(prefix="second-aws-"))
        self.log = self._folder / "server.log"
        server = Path(sys.executable).with_name("roto-server")
        try:
            self._process, port = start_server(
                lambda port: [str(server), "--port", str(port), "--ephemeral"],
                lambda port: socket.create_connection(("127.0.0.1", port), 0.2).close(),
                self.log,
                cwd=self._folder,
                env=os.environ | {"TMPDIR": str(self._folder)},
            )
        except RuntimeError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def session(self, account: str = "123456789012", region: str = REGION) -> boto3.Session:
        """Return a session; the account does not matter here."""
        return super().session(account, region)
