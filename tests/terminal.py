"""A command of `operate.py` in a terminal, with a person who answers its questions."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time

from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import REGION, EmbeddedAws

AGAIN_SECONDS = 10.0
"""Longer than a command takes to end, also on a busy machine."""

STOPPABLE = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""Runs a command that Ctrl-C stops: a run of the tests in the background ignores it, and so would its children."""


def typed(aws: EmbeddedAws, account: str, stack: str, arguments: list[str], *answers: str | None) -> tuple[int, str]:
    """Run the command and answer its questions; None: by Ctrl-C. Return its exit status, and the text on the screen."""
    terminal, inside = pty.openpty()
    environment = os.environ | {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
    }
    command = [
        sys.executable,
        "-c",
        STOPPABLE,
        sys.executable,
        "layers/shared/operate.py",
        "--stack",
        stack,
        *arguments,
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=inside, stdout=inside, stderr=inside, start_new_session=True
    ) as process:
        os.close(inside)
        screen, waiting = "", list(answers)
        with os.fdopen(terminal, "rb+", buffering=0) as opened:
            while True:
                try:
                    screen += opened.read(1024).decode()
                except OSError:  # the command has ended
                    break
                if waiting and screen.endswith(": "):
                    answer = waiting.pop(0)
                    if answer is None:
                        threading.Thread(target=interrupt, args=(process,), daemon=True).start()
                    else:
                        opened.write(f"{answer}\n".encode())
                    screen += "\n"
    return process.returncode, screen


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C until the command ends: one that comes between a question and its reading is not noticed."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(AGAIN_SECONDS)
