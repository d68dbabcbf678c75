"""Signatures: Cronofy's published vectors, two secrets at once, and every malformed header."""

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.cronofy.signature import Secret, sign, verify
from meeting_agents.errors import InvalidSignature, MissingSecret

# https://docs.cronofy.com/developers/push-notifications/authentication/
BODY = b'{"example":"well-known"}'
FIRST = Secret("us", "current", "CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID")
SECOND = Secret("us", "previous", "CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr")
OTHER = Secret("de", "current", "an older secret, without the prefix")
FIRST_VALUE = "5DxentQi5YSXODEzTVv06sRwJ3pULIz1KrYv20qxEK0="
SECOND_VALUE = "BmQmWVuZ70ILWjr1CAt5oC7YOolgnku4WZtlrKfx/6k="
BOTH = f"{FIRST_VALUE},{SECOND_VALUE}"
FORGED = b64encode(sha256(b"forged").digest()).decode()


def rejection(header: str | None, body: bytes = BODY, *secrets: Secret) -> str:
    with pytest.raises(InvalidSignature) as raised:
        verify(header, body, secrets or [FIRST, SECOND])
    assert raised.value.status == 401
    return raised.value.reason


@pytest.mark.parametrize(
    ("secrets", "header"), [([FIRST], FIRST_VALUE), ([SECOND], SECOND_VALUE), ([FIRST, SECOND], BOTH)]
)
def test_signing_and_verifying_agree_with_the_published_vectors(secrets: list[Secret], header: str) -> None:
    assert sign(BODY, [secret.value for secret in secrets]) == header
    assert verify(header, BODY, secrets) == tuple(secrets)


@pytest.mark.parametrize(
    ("header", "stored", "signers"),
    [
        (BOTH, [FIRST], [FIRST]),
        (BOTH, [SECOND], [SECOND]),
        (FIRST_VALUE, [SECOND, FIRST], [FIRST]),
        (SECOND_VALUE, [FIRST, SECOND], [SECOND]),
        (BOTH, [FIRST, SECOND], [FIRST, SECOND]),
        (BOTH, [SECOND, FIRST], [SECOND, FIRST]),
        (SECOND_VALUE, [OTHER, FIRST, SECOND], [SECOND]),
    ],
)
def test_any_value_matches_any_stored_secret_and_the_signers_are_returned(
    header: str, stored: list[Secret], signers: list[Secret]
) -> None:
    """During a rotation Cronofy signs with both secrets, and either side may change first."""
    assert verify(header, BODY, stored) == tuple(signers)


@pytest.mark.parametrize(
    "header",
    [
        f" {FIRST_VALUE}",
        f"{FIRST_VALUE}\t ",
        f"{FORGED}, {FIRST_VALUE}",
        f"{FORGED} ,\t{FIRST_VALUE} , ",
        f",{FIRST_VALUE}",
        f"{FIRST_VALUE},",
        f"not base64,{FIRST_VALUE}",
        f"{FIRST_VALUE},{'A' * 5000}",
        f"{FIRST_VALUE},ü\ud800",
        ",".join([FORGED] * 2000 + [FIRST_VALUE]),
    ],
)
def test_other_values_beside_a_matching_one_are_ignored(header: str) -> None:
    assert verify(header, BODY, [FIRST]) == (FIRST,)


@pytest.mark.parametrize("header", [None, ""])
def test_an_absent_or_empty_header_is_missing(header: str | None) -> None:
    assert rejection(header) == "missing"


DIGEST = hmac.digest(FIRST.value.encode(), BODY, "sha256")


@pytest.mark.parametrize(
    "header",
    [
        FIRST_VALUE.rstrip("="),
        f"{FIRST_VALUE}=",
        DIGEST.hex(),
        f"sha256={FIRST_VALUE}",
        f"{FIRST_VALUE};{SECOND_VALUE}",
        f"{FIRST_VALUE} {SECOND_VALUE}",
        FIRST_VALUE[:20] + "," + FIRST_VALUE[20:],
        f'"{FIRST_VALUE}"',
        FIRST_VALUE[:-1],
        " ",
        ",",
        ",,,",
        "\n" + FIRST_VALUE,
        "\x00",
        "é",
        "\ud800",
        DIGEST.decode("latin-1"),
    ],
)
def test_a_header_without_any_value_of_the_right_length_is_malformed(header: str) -> None:
    assert rejection(header) == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        FORGED,
        f"{FORGED},{FORGED}",
        FIRST_VALUE.lower(),
        FIRST_VALUE.swapcase(),
        "=" * 44,
        FIRST_VALUE[:-2] + "==",
        "é" * 22,
        "\ud800" * 44,
        FIRST_VALUE[:-2] + "1=",
        f"{FIRST_VALUE[:-1]},{FORGED}",
    ],
)
def test_a_value_of_no_stored_secret_is_unknown(header: str) -> None:
    assert rejection(header) == "unknown"


def test_only_the_standard_alphabet_matches() -> None:
    """The second vector has a slash, which the URL-safe alphabet replaces."""
    value = urlsafe_b64encode(hmac.digest(SECOND.value.encode(), BODY, "sha256")).decode()
    assert value != SECOND_VALUE
    assert rejection(value) == "unknown"


def test_every_bit_of_the_last_character_counts() -> None:
    """`K0=` and `K1=` decode to the same bytes, and Cronofy sends only the first."""
    assert FIRST_VALUE.endswith("K0=")
    assert rejection(FIRST_VALUE.replace("K0=", "K1=")) == "unknown"


def test_each_value_of_the_header_is_compared_by_itself() -> None:
    """Comparing the whole header fails as soon as secrets rotate."""
    assert BOTH not in (FIRST_VALUE, SECOND_VALUE)
    assert verify(BOTH, BODY, [FIRST]) == (FIRST,)
    assert verify(BOTH, BODY, [SECOND]) == (SECOND,)


@pytest.mark.parametrize(
    "body",
    [
        b'{"example": "well-known"}',
        b'{"example":"well-known"}\n',
        b'{"example":"well\\u002dknown"}',
        b'\xef\xbb\xbf{"example":"well-known"}',
        b'{"example":"a","example":"well-known"}',
        b'{"n":1.0,"a":[ 1 ],"\xc3\xbc":1e2}',
    ],
)
def test_the_exact_bytes_are_verified_and_not_their_json(body: bytes) -> None:
    """JSON that is parsed and serialised again has other bytes."""
    serialised = json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert verify(sign(body, [FIRST.value]), body, [FIRST]) == (FIRST,)
    assert rejection(sign(body, [FIRST.value]), serialised) == "unknown"


@given(st.binary(max_size=200), st.integers(0))
def test_one_changed_bit_of_any_body_is_rejected(body: bytes, bit: int) -> None:
    header = sign(body, [FIRST.value])
    assert verify(header, body, [FIRST]) == (FIRST,)
    changed = bytearray(body or b"\0")
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    assert rejection(header, bytes(changed), FIRST) == "unknown"


@given(st.text(st.characters(), max_size=200), st.binary(max_size=20))
def test_any_other_header_is_rejected(header: str, body: bytes) -> None:
    assert rejection(header, body) in ("missing", "malformed", "unknown")


@pytest.mark.parametrize("header", [None, "", FIRST_VALUE, BOTH, sign(BODY, [""])])
def test_without_a_secret_nothing_is_accepted(header: str | None) -> None:
    """A signature with an empty secret is rejected too."""
    with pytest.raises(MissingSecret):
        verify(header, BODY, [])


def test_a_secret_is_never_shown() -> None:
    assert FIRST.value not in repr(FIRST)


def test_values_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value is compared with each secret, even after a match, so that the duration reveals nothing."""
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert verify(f"{BOTH},{FORGED}", BODY, [FIRST, SECOND]) == (FIRST, SECOND)
    offered, expected = (FIRST_VALUE, SECOND_VALUE, FORGED), (FIRST_VALUE, SECOND_VALUE)
    assert sorted(compared) == sorted((value.encode(), made.encode()) for value in offered for made in expected)
