"""The sandbox's terminal output: aligned, in 60 to 100 columns, in colour on a terminal that shows it."""

import os
import re
import shutil
import textwrap
import time
from collections.abc import Sequence
from typing import TextIO

NARROW, WIDE = 60, 100
_TIME, _ACTOR, _TEXT = 8, 10, 32  # the columns of a step; its outcome has the rest
_MIN_CELL = 20  # the columns without which the last cell of a row stands below it
_STEP_LENGTH = 76  # the columns of a numbered step in an e-mail
_INDENT = re.compile(r"[A-Z][A-Za-z ]{1,11}  +(?=\S)| *(?:- |\d+\. )?")
"""The part of an e-mail's line below which the rest of the line is not written."""

_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"
_MEANINGS = {
    **dict.fromkeys(("complete", "resolved", "✓"), _GREEN),
    **dict.fromkeys(("failed", "rejected", "critical", "401", "not announced", "received no alert", "✗"), _RED),
    **dict.fromkeys(
        ("overdue", "never_activated", "warning", "stale", "duplicate", "conflicting", "mismatched"), _YELLOW
    ),
    **dict.fromkeys(("cancelled",), _DIM),
    **dict.fromkeys(("scheduled", "activated"), _CYAN),
}
_WORDS = re.compile(r"(?<![\w-])(" + "|".join(map(re.escape, _MEANINGS)) + r")(?![\w-])")


class Screen:
    """A page that grows downwards. Its last line shows what is expected next, until that happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_live = out.isatty() and os.environ.get("TERM") != "dumb"
        self._is_coloured = self._is_live and not os.environ.get("NO_COLOR")
        columns = shutil.get_terminal_size((WIDE, 24)).columns if self._is_live else WIDE
        self.width = max(NARROW, min(WIDE, columns))
        self._began = time.monotonic()

    def title(self, text: str, note: str) -> None:
        self.line()
        self.line(self._styled(text, _BOLD))
        self.note(note)

    def scene(self, text: str, note: str = "") -> None:
        """Begin a new part of the page."""
        self.line()
        self.line(self._styled(text, _BOLD))
        if note:
            self.note(note)

    def awaiting(self, actor: str, text: str) -> None:
        """Show the current activity, on a terminal only."""
        if self._is_live:
            room = self.width - _TIME - _ACTOR - 3  # a line that wraps could not be erased
            self._out.write(f"\r\x1b[2K{self._head(actor)}{self._styled(f'{text[:room]} …', _DIM)}")
            self._out.flush()

    def step(self, actor: str, text: str, outcome: str = "") -> None:
        """Print the time, the actor, the action and its outcome: beside it, or below where there is no room."""
        left = _TIME + _ACTOR
        room = self.width - left
        lines = [f"{text:<{_TEXT}}  {outcome}"] if outcome else _wrapped(text, room)
        if outcome and len(lines[0]) > room:
            lines = [*_wrapped(text, room), *(f"  {line}" for line in _wrapped(outcome, room - 2))]
        for number, line in enumerate(lines):
            self.line((" " * left if number else self._head(actor)) + self._coloured(line))

    def table(self, rows: Sequence[Sequence[str]], indent: int = 2) -> None:
        """Print rows with aligned columns, if there are any; the last one is wrapped, below the others if it must."""
        if not rows:
            return
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        left = indent + sum(widths[:-1]) + 2 * len(widths[:-1])
        is_below = self.width - left < min(_MIN_CELL, widths[-1])
        for row in rows:
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)][:-1]
            head = " " * indent + "".join(self._coloured(cell) + "  " for cell in cells)
            start = indent + 4 if is_below else left
            lines = [self._coloured(text) for text in _wrapped(row[-1], self.width - start)]
            if is_below:
                lines = ["", *filter(None, lines)]
            for number, text in enumerate(lines):
                self.line(((" " * start if number else head) + text).rstrip())

    def email(self, receiver: str, subject: str, text: str) -> None:
        """Print an e-mail as its reader sees it."""
        bar = self._styled("│", _DIM)
        room = self.width - 4
        self.line()
        for name, value in (("To", receiver), ("Subject", subject)):
            first, *rest = _wrapped(value, room - 12)
            self.line(f"  {bar} {self._styled(f'{name + ":":<12}', _DIM)}{self._coloured(first)}")
            for line in rest:
                self.line(f"  {bar} {' ' * 12}{self._coloured(line)}")
        for paragraph in ["", *re.sub(r"\n {5}(?=\S)", " ", text).splitlines()]:
            hanging = " " * len((_INDENT.match(paragraph) or [""])[0])
            length = min(room, _STEP_LENGTH) if paragraph.startswith(" ") else room
            for line in _wrapped(paragraph, length, hanging):
                self.line(f"  {bar} {line}".rstrip())

    def line(self, text: str = "") -> None:
        """Print a line as it is."""
        if self._is_live:
            self._out.write("\r\x1b[2K")
        self._out.write(text + "\n")
        self._out.flush()

    def note(self, text: str, hanging: str = "") -> None:
        """Print a remark, dimmed."""
        for line in _wrapped(text, self.width, hanging):
            self.line(self._styled(line, _DIM))

    def verdict(self, text: str, *, is_good: bool) -> None:
        """Print the overall result."""
        self.line()
        self.line(self._styled(text, _GREEN if is_good else _RED, _BOLD))

    def _head(self, actor: str) -> str:
        seconds = f"{time.monotonic() - self._began:.1f} s"
        return f"{self._styled(f'{seconds:>{_TIME - 2}}', _DIM)}  {actor:<{_ACTOR}}"

    def _coloured(self, text: str) -> str:
        """The text with its states and severities in their colours."""
        return _WORDS.sub(lambda word: self._styled(word[0], _MEANINGS[word[0]]), text) if self._is_coloured else text

    def _styled(self, text: str, *styles: str) -> str:
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m" if self._is_coloured and text else text


def _wrapped(text: str, width: int, hanging: str = "") -> list[str]:
    """The lines of a paragraph, at least one; no word is broken, because a broken address cannot be copied."""
    lines = textwrap.wrap(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return lines or [""]
