"""The bytes that are hashed are fixed for ever: a vector, and no two events frame alike.

Design A3 (tamper evidence). Called by pytest.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

import pytest

from kernel.ledger.chain import content_digest, expected_hash, genesis, link
from kernel.ledger.ledger import EventLedger
from tests.kernel.ledger.samples import counted

STREAM = UUID("00112233-4455-6677-8899-aabbccddeeff")


def test_the_genesis_binds_the_name() -> None:
    assert genesis("facts") == hashlib.sha256(b"pianku/ledger/1\nfacts").digest()
    assert genesis("facts") != genesis("access")


def test_the_content_is_framed_by_lengths() -> None:
    framed = (
        b"pianku/event/1\n"
        b"\0\0\0\x04\0\0\0\x02\0\0\0\x05\0\0\0\x10\0\0\0\x03"
        b"t:v1{}{'a'}" + STREAM.bytes + b"\1\2\3"
    )
    assert (
        content_digest("t:v1", "{}", "{'a'}", STREAM, b"\1\2\3") == hashlib.sha256(framed).digest()
    )


@pytest.mark.parametrize(
    "fields", [("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd"), ("abc", "", "d")]
)
def test_moving_a_letter_changes_the_digest(fields: tuple[str, str, str]) -> None:
    others = {("a", "bc", "d"), ("ab", "c", "d"), ("a", "b", "cd"), ("abc", "", "d")} - {fields}
    digest = content_digest(*fields, None, None)
    assert all(digest != content_digest(*other, None, None) for other in others)


def test_the_link_is_120_bytes() -> None:
    before, digest = bytes(range(32)), bytes(range(32, 64))
    framed = (
        b"pianku/link/1\n\0\0" + before + (5).to_bytes(8) + STREAM.bytes
        + (3).to_bytes(8) + (1_700_000_000_000_000).to_bytes(8) + digest
    )  # fmt: skip
    assert len(framed) == 120
    made = link(before, (5, STREAM.bytes, 3, 1_700_000_000_000_000), digest)
    assert made == hashlib.sha256(framed).digest()


def test_both_engines_chain_alike(ledger: EventLedger) -> None:
    ledger.append(counted(STREAM, 1, 2))
    ledger.append(counted(STREAM, 3))
    before = genesis("facts")
    for row in ledger.recorder.rows(0, 10):
        assert row.hash == expected_hash(before, row)
        before = row.hash
    assert ledger.chain_head().hash == before
