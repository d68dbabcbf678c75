"""Start-up of a server in a child process on a free port of the loopback interface."""

import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 30.0


def start_server(
    command: Callable[[int], Sequence[str]], answers: Callable[[int], object], log: Path, **options: Any
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server and return its process and port when it answers; RuntimeError with the end of its log.

    `command`: its command line for a port. `answers`: raises OSError until the server on a port answers. `options`:
    those of `Popen`.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    with log.open("wb") as file:
        process = subprocess.Popen(command(port), stdout=file, stderr=subprocess.STDOUT, **options)
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            answers(port)
        except OSError:
            time.sleep(0.02)
        else:
            return process, port
    process.kill()
    process.wait()
    raise RuntimeError(f"{command(port)[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
