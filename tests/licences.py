"""The licences of what the layer ships, from each package's own metadata: `python -m tests.licences` lists them."""

import re
from importlib.metadata import metadata
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "layers/shared/requirements.txt"
ALLOWED = frozenset({"MIT", "MIT-0", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "PSF-2.0", "MPL-2.0"})
"""None of them requires more than to be passed on with the package."""
_NAMES = {
    "MIT License": "MIT",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
}
"""SPDX names of the licences of packages without an SPDX expression."""


def licences() -> dict[tuple[str, str], frozenset[str]]:
    """The licences to choose from, by their SPDX names, for each package and version."""
    shipped = re.findall(r"^([\w.-]+)==([\w.]+)", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE)
    return {(name, version): _of(name) for name, version in shipped}


def _of(name: str) -> frozenset[str]:
    fields = metadata(name)
    expression = fields.get("License-Expression") or fields.get("License") or ""
    if expression in ("", "Dual License"):
        words = [
            line.rpartition(" :: ")[2] for line in fields.get_all("Classifier", []) if line.startswith("License ::")
        ]
    else:
        words = re.split(r" (?:OR|AND) ", expression)
    return frozenset(_NAMES.get(word, word) for word in words)


if __name__ == "__main__":
    for (package, release), found in sorted(licences().items()):
        print(f"{package:<24}{release:<14}{' or '.join(sorted(found))}")
