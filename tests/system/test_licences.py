"""The layer's packages have licences that allow shipping, and are pinned."""

import re

from tests.licences import ALLOWED, REQUIREMENTS, licences


def test_every_package_of_the_layer_has_a_licence_that_lets_it_be_passed_on() -> None:
    """The licences come from the packages' own metadata."""
    assert not {package: found for package, found in licences().items() if not found or not found <= ALLOWED}


def test_every_package_of_the_layer_is_pinned_with_hashes() -> None:
    """Hashes ensure that the installed packages are those that were reviewed."""
    blocks = re.split(r"^(?=\S)", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pinned = [block for block in blocks if "==" in block]
    assert len(pinned) == len(licences())
    assert all("--hash=sha256:" in block for block in pinned)
