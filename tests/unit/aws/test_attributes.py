"""Attribute values: packed as boto3 packs them, and read as they were."""

import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.aws.attributes import pack, unpack, unpack_item

_SCALARS = st.text() | st.booleans() | st.integers(-(10**30), 10**30)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(_VALUES)
def test_a_value_is_packed_as_boto3_packs_it(value: Any) -> None:
    assert pack(value) == TypeSerializer().serialize(value)


@given(_VALUES)
def test_a_packed_value_is_read_as_it_was(value: Any) -> None:
    packed = pack(value)
    assert unpack(packed) == value == TypeDeserializer().deserialize(packed)
    assert type(unpack(packed)) is type(value)


def test_bytes_stay_bytes() -> None:
    assert unpack_item({"raw": pack(b"\x00\xff")}) == {"raw": b"\x00\xff"}


def test_a_type_that_is_not_stored_is_refused() -> None:
    with pytest.raises(TypeError, match="no attribute of a table: datetime"):
        pack(datetime(2026, 1, 1))  # noqa: DTZ001 - it is refused


def test_the_journal_loads_no_boto3() -> None:
    """The project's clients are botocore's: boto3 around them would only cost time at each start."""
    program = "import sys; import meeting_agents.aws.journal; print('boto3' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == "False"
