"""What the README says is true: made from the code, found in the tree, or seen in a run."""

import re

import pytest

from tests.readme import BLOCKS, README, written
from tests.sandbox.deployment import ROOT

TEXT = README.read_text(encoding="utf-8")
CODE = re.compile(r"`([^`\n]+)`")


def test_every_part_made_from_the_code_is_as_the_code_is_now() -> None:
    """`make readme` mends it."""
    assert written(TEXT) == TEXT


@pytest.mark.parametrize("name", BLOCKS)
def test_a_part_that_drifts_is_noticed(name: str) -> None:
    """One word more in any of the parts, and the README is not what would be written."""
    changed = TEXT.replace(f"<!-- /{name} -->", f"drifted\n<!-- /{name} -->")

    assert written(changed) != changed


def test_a_missing_part_is_an_error() -> None:
    """A part cannot vanish from the README unnoticed."""
    with pytest.raises(ValueError, match="<!-- parameters -->"):
        written(TEXT.replace("<!-- parameters -->", ""))


def test_every_link_into_the_tree_leads_somewhere() -> None:
    """Relative links name files."""
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in target]

    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_every_make_command_named_exists() -> None:
    """`make something` in the text is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {match for code in CODE.findall(TEXT) for match in re.findall(r"^make ([a-z]+)", code)}
    named |= set(re.findall(r"^make ([a-z]+)", TEXT, re.MULTILINE))

    assert {"run", "test"} <= named
    assert named <= targets


def test_the_tree_shown_is_the_tree() -> None:
    """Each file named in the section on where things are is there."""
    tree = TEXT.split("## Where things are")[1].split("```")[1]
    paths = [line.split()[0] for line in tree.strip().splitlines()]

    assert "template.yaml" in paths
    for path in paths:
        pattern = re.sub(r"<[a-z]+>", "*", path).rstrip("/")
        assert list(ROOT.glob(pattern)) or list((ROOT / "layers/shared").glob(pattern)), path


def test_the_functions_named_are_the_functions() -> None:
    """The list of functions in the section on where things are is the list of folders."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith("functions/<name>/app.py")]

    assert set(line.split(": ")[1].split(", ")) == {path.parent.name for path in ROOT.glob("functions/*/app.py")}
