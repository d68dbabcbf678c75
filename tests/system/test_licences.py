"""What is shipped may be shipped, and is what was locked."""

import re

from tests.licences import ALLOWED, REQUIREMENTS, licences


def test_every_package_of_the_layer_has_a_licence_that_lets_it_be_passed_on() -> None:
    """Read from the packages themselves."""
    assert not {package: found for package, found in licences().items() if not found or not found <= ALLOWED}


def test_every_package_of_the_layer_is_pinned_with_hashes() -> None:
    """What is installed is what was looked at."""
    blocks = re.split(r"^(?=\S)", REQUIREMENTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    pinned = [block for block in blocks if "==" in block]
    assert len(pinned) == len(licences())
    assert all("--hash=sha256:" in block for block in pinned)
