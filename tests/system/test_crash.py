"""The crash matrix in short; `make crash` does all of it."""

from pathlib import Path

import pytest

from tests.crash.matrix import Cell, cells, table
from tests.runtime.platform import FAULT_TYPES, in_order, newest_first
from tests.runtime.stories import STORIES, Scene

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def done(scene: Scene) -> list[Cell]:
    """Each function with each fault, and each kind of call with one of them; the newest entry comes first as well."""
    scene.platform.order = newest_first
    try:
        return list(cells(scene, STORIES, sample=True))
    finally:
        scene.platform.order = in_order


def test_nothing_is_lost_or_doubled_when_an_outside_call_fails_or_the_process_dies(done: list[Cell]) -> None:
    """The same records, announcements and requests to Cronofy, and no alert missing."""
    wrong = [cell for cell in done if cell.wrong]
    assert not wrong, "\n".join(str(cell) for cell in wrong)


def test_every_function_is_in_the_matrix_with_every_fault(done: list[Cell]) -> None:
    """A new function needs a story in which it is called."""
    folders = {path.parent.name for path in ROOT.glob("functions/*/app.py")}
    assert {(cell.fault.function, cell.fault.how) for cell in done} >= {
        (name, how) for name in folders for how in FAULT_TYPES
    }


def test_the_table_counts_every_cell(done: list[Cell]) -> None:
    """The table that `make crash` prints is complete."""
    counted = [part.strip() for line in table(done).splitlines()[2:] for part in line.split("|")[3:-1]]
    assert sum(int(part.split(" of ")[1]) for part in counted) == len(done)
