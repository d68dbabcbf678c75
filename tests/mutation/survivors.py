"""The survivors of the last full run, and the reason why each may survive."""

import json
import tomllib
from pathlib import Path
from typing import Any

FOUND = Path(__file__).with_name("found.json")
REASONS: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("survivors.toml").read_text(encoding="utf-8")
)
"""Reasons, by module and mutant."""


def found() -> dict[str, Any]:
    """`date`, and by module `mutants` (how many) and `survivors` (their names)."""
    results: dict[str, Any] = json.loads(FOUND.read_text(encoding="utf-8"))
    return results
