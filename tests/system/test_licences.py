"""The layer's packages have licences that allow shipping, and are pinned."""

import json
import re
from pathlib import Path

from tests.licences import ALLOWED, REQUIREMENTS, licences

NODE_LOCK = Path(__file__).parents[1] / "requirements" / "package-lock.json"
USABLE = ALLOWED | {"ISC", "0BSD"}
"""Of the packages of npm, which are for the tests alone and are not passed on."""


def test_every_package_of_the_layer_has_a_licence_that_lets_it_be_passed_on() -> None:
    """The licences come from the packages' own metadata."""
    assert not {package: found for package, found in licences().items() if not found or not found <= ALLOWED}


def test_every_package_of_the_layer_is_pinned_with_hashes() -> None:
    """Hashes ensure that the installed packages are those that were reviewed."""
    blocks = re.split(r"^(?=\S)", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pinned = [block for block in blocks if "==" in block]
    assert len(pinned) == len(licences())
    assert all("--hash=sha256:" in block for block in pinned)


def test_every_package_of_npm_is_usable_and_is_pinned_with_a_hash() -> None:
    """They serve the tests: Cronofy's SDK, and the browser with all that is in it."""
    packages = {name: package for name, package in json.loads(NODE_LOCK.read_text())["packages"].items() if name}
    assert {"node_modules/@sparticuz/chromium", "node_modules/puppeteer-core"} <= packages.keys()
    assert {
        name: package.get("license") for name, package in packages.items() if package.get("license") not in USABLE
    } == {}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
