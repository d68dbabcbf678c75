"""What the last full run let live, and why each of them may."""

import json
import tomllib
from pathlib import Path
from typing import Any

FOUND = Path(__file__).with_name("found.json")
REASONS: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8")
)
"""By module, by mutant."""


def found() -> dict[str, Any]:
    """`date`, and by module `mutants` (how many) and `survivors` (their names)."""
    read: dict[str, Any] = json.loads(FOUND.read_text(encoding="utf-8"))
    return read
