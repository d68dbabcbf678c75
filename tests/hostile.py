"""Hostile bodies: those of `tests/corpus`, as they are and damaged, and generated ones.

Each file of the corpus is a body byte by byte; one that once broke something becomes another file.
"""

import json
from pathlib import Path

from hypothesis import strategies as st

_FOLDER = Path(__file__).with_name("corpus")
CORPUS = [path.read_bytes() for path in sorted(_FOLDER.iterdir())]
_VALID = [json.loads((_FOLDER / name).read_bytes()) for name in ("calendar_event.json", "agent.json")]

jsons = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A body of the corpus with one part replaced by a part of another."""
    body, other = draw(st.sampled_from(CORPUS)), draw(st.sampled_from(CORPUS))
    start, stop = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    begin, end = sorted(draw(st.tuples(*[st.integers(0, min(len(other), 200))] * 2)))
    return body[:start] + other[begin:end] + body[stop:]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A valid body of the corpus with some fields replaced."""
    valid = draw(st.sampled_from(_VALID))
    return json.dumps(valid | draw(st.dictionaries(st.sampled_from([*valid]), jsons, max_size=3))).encode()


bodies = st.sampled_from(CORPUS) | damaged() | requests() | st.binary(max_size=200)
