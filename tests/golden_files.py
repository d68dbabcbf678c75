"""Texts that a person has read and found good. `UPDATE_GOLDEN=1` writes them anew; then they are read again."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def compared(name: str, text: str) -> None:
    """Fail if the text is not the file's."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
