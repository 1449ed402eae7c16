"""The contract of `BlobStore`, written once and run for every engine.

Design A5: nothing is visible before `keep`, keys are content hashes, failures leave nothing.
A new engine adds itself to `store`.
"""

import hashlib

import pytest

from adapters.storage.local import LocalBlobStore
from repository.tiers.ports import ObjectMissing

DATA = bytes(range(256)) * 5000
KEY = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["local"])
def store(request, tmp_path):
    made = {"local": lambda: LocalBlobStore(tmp_path / "tier")}[request.param]()
    yield made
    made.close()


def put(store, data=DATA, **options):
    incoming = store.incoming(**options)
    for start in range(0, len(data), 70_001):
        incoming.write(memoryview(data)[start : start + 70_001])
    incoming.seal()
    key = incoming.keep()
    incoming.discard()
    return key


def test_keeps_octets_under_their_hash(store):
    assert put(store) == KEY
    assert store.size(KEY) == len(DATA)
    assert store.read(KEY) == DATA


def test_reads_a_range(store):
    put(store)
    assert store.read(KEY, 1000, 500) == DATA[1000:1500]
    assert store.read(KEY, len(DATA) - 3) == DATA[-3:]
    assert store.read(KEY, len(DATA) - 3, 100) == DATA[-3:]
    assert store.read(KEY, len(DATA) + 10) == b""


def test_yields_chunks(store):
    put(store)
    chunks = list(store.chunks(KEY, chunk_size=100_000))
    assert b"".join(chunks) == DATA
    assert len(chunks) == 13


def test_takes_empty_objects(store):
    key = put(store, b"")
    assert key == hashlib.sha256(b"").hexdigest()
    assert store.read(key) == b""


def test_tells_sha1_when_asked(store):
    incoming = store.incoming(with_sha1=True)
    incoming.write(DATA)
    incoming.seal()
    assert incoming.sha1 == hashlib.sha1(DATA).hexdigest()
    assert incoming.sha256 == KEY
    assert incoming.size == len(DATA)
    incoming.discard()


def test_what_comes_in_can_be_read_back(store):
    incoming = store.incoming()
    incoming.write(DATA[:3000])
    assert incoming.read(1000, 10) == DATA[1000:1010]
    assert incoming.read(2990, 100) == DATA[2990:3000]
    assert incoming.read(5000, 10) == b""
    incoming.discard()


def test_nothing_is_visible_before_keep(store):
    incoming = store.incoming()
    incoming.write(DATA)
    incoming.seal()
    with pytest.raises(ObjectMissing):
        store.size(KEY)
    incoming.discard()
    with pytest.raises(ObjectMissing):
        store.read(KEY)


def test_keeping_twice_is_harmless(store):
    put(store)
    put(store)
    assert store.read(KEY) == DATA


def test_discard_after_keep_changes_nothing(store):
    incoming = store.incoming()
    incoming.write(DATA)
    incoming.seal()
    incoming.keep()
    incoming.discard()
    incoming.discard()
    assert store.read(KEY) == DATA


def test_quarantined_octets_are_not_among_the_good_ones(store):
    incoming = store.incoming()
    incoming.write(DATA)
    incoming.seal()
    assert incoming.quarantine() == KEY
    incoming.discard()
    with pytest.raises(ObjectMissing):
        store.read(KEY)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "a" * 63, "G" * 64, KEY.upper(), "a" * 65])
def test_a_key_that_is_no_hash_names_nothing(store, key):
    for ask in (store.size, store.read, store.chunks, store.path):
        with pytest.raises(ObjectMissing):
            ask(key)


def test_local_path_holds_the_octets(store):
    put(store)
    path = store.path(KEY)
    assert path is None or path.read_bytes() == DATA
