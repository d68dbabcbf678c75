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


def refusal(header: str | None, body: bytes = BODY, *secrets: Secret) -> str:
    with pytest.raises(InvalidSignature) as refused:
        verify(header, body, secrets or [FIRST, SECOND])
    assert refused.value.status == 401
    return refused.value.reason


@pytest.mark.parametrize(
    ("secrets", "header"), [([FIRST], FIRST_VALUE), ([SECOND], SECOND_VALUE), ([FIRST, SECOND], BOTH)]
)
def test_signing_and_verifying_agree_with_the_published_vectors(secrets: list[Secret], header: str) -> None:
    assert sign(BODY, [secret.value for secret in secrets]) == header
    assert verify(header, BODY, secrets) == tuple(secrets)


@pytest.mark.parametrize(
    ("header", "held", "signers"),
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
def test_any_value_is_accepted_with_any_secret_held_and_the_secrets_that_signed_are_named(
    header: str, held: list[Secret], signers: list[Secret]
) -> None:
    """While secrets rotate, Cronofy signs with both, and either side may be ahead of the other."""
    assert verify(header, BODY, held) == tuple(signers)


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
def test_what_stands_beside_a_matching_value_does_no_harm(header: str) -> None:
    assert verify(header, BODY, [FIRST]) == (FIRST,)


@pytest.mark.parametrize("header", [None, ""])
def test_a_header_that_is_not_there_is_missing(header: str | None) -> None:
    assert refusal(header) == "missing"


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
    assert refusal(header) == "malformed"


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
def test_a_value_that_was_not_made_with_a_secret_held_is_unknown(header: str) -> None:
    assert refusal(header) == "unknown"


def test_only_the_standard_alphabet_matches() -> None:
    """The second vector has a slash, which the other alphabet writes otherwise."""
    value = urlsafe_b64encode(hmac.digest(SECOND.value.encode(), BODY, "sha256")).decode()
    assert value != SECOND_VALUE
    assert refusal(value) == "unknown"


def test_the_last_character_of_a_value_counts_though_base64_would_ignore_its_lowest_bits() -> None:
    """`K0=` and `K1=` decode to the same bytes; accepting both would accept what Cronofy never sent."""
    assert FIRST_VALUE.endswith("K0=")
    assert refusal(FIRST_VALUE.replace("K0=", "K1=")) == "unknown"


def test_a_header_of_two_values_is_more_than_one_digest_to_compare() -> None:
    """Comparing the whole header works until secrets rotate."""
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
def test_the_exact_bytes_are_verified_and_not_what_they_mean(body: bytes) -> None:
    """JSON that is read and written again is the same to a reader, and other bytes."""
    written_again = json.dumps(json.loads(body), separators=(",", ":")).encode()
    assert verify(sign(body, [FIRST.value]), body, [FIRST]) == (FIRST,)
    assert refusal(sign(body, [FIRST.value]), written_again) == "unknown"


@given(st.binary(max_size=200), st.integers(0))
def test_one_changed_bit_of_any_body_is_refused(body: bytes, bit: int) -> None:
    header = sign(body, [FIRST.value])
    assert verify(header, body, [FIRST]) == (FIRST,)
    changed = bytearray(body or b"\0")
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8
    assert refusal(header, bytes(changed), FIRST) == "unknown"


@given(st.text(st.characters(), max_size=200), st.binary(max_size=20))
def test_no_header_does_more_than_be_refused(header: str, body: bytes) -> None:
    assert refusal(header, body) in ("missing", "malformed", "unknown")


@pytest.mark.parametrize("header", [None, "", FIRST_VALUE, BOTH, sign(BODY, [""])])
def test_without_a_secret_nothing_is_accepted(header: str | None) -> None:
    """Not even what is signed with an empty one."""
    with pytest.raises(MissingSecret):
        verify(header, BODY, [])


def test_a_secret_is_never_shown() -> None:
    assert FIRST.value not in repr(FIRST)


def test_values_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value with each secret, wherever a match is: the time taken tells nothing."""
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert verify(f"{BOTH},{FORGED}", BODY, [FIRST, SECOND]) == (FIRST, SECOND)
    offered, expected = (FIRST_VALUE, SECOND_VALUE, FORGED), (FIRST_VALUE, SECOND_VALUE)
    assert sorted(compared) == sorted((value.encode(), made.encode()) for value in offered for made in expected)
