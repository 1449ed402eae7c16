"""Headers and frame tables of stored objects, on a tier with files and one without."""

import hashlib
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from adapters.storage.local import LocalBlobStore
from repository.instances.stored import StoredInstances
from repository.tiers.ports import ObjectMissing


class Remote:
    """A tier that offers no local path."""

    def __init__(self, blobs):
        self._blobs = blobs
        self.reads = []

    def path(self, key):
        return None

    def size(self, key):
        return self._blobs.size(key)

    def read(self, key, offset=0, length=None):
        self.reads.append((offset, length))
        return self._blobs.read(key, offset, length)


@pytest.fixture
def blobs(tmp_path):
    made = LocalBlobStore(tmp_path)
    yield made
    made.close()


def keep(blobs, octets):
    incoming = blobs.incoming()
    incoming.write(octets)
    incoming.seal()
    return incoming.keep()


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "SC_rgb_rle_2frame.dcm", "rtplan.dcm", "image_dfl.dcm"]
)
def test_both_tiers_tell_the_same(blobs, name):
    octets = Path(get_testdata_file(name)).read_bytes()
    key = keep(blobs, octets)
    remote = Remote(blobs)
    here, there = StoredInstances(blobs), StoredInstances(remote)
    assert here.header(key).sop_uid == there.header(key).sop_uid
    assert here.frames(key) == there.frames(key)
    assert remote.reads[0][1] <= 16 << 10
    before = len(remote.reads)
    there.header(key)
    if len(here.header(key).dataset.buffer) <= 64 << 10:
        assert len(remote.reads) == before  # remembered


def test_an_object_that_is_not_there_is_missing(blobs):
    for source in (StoredInstances(blobs), StoredInstances(Remote(blobs))):
        with pytest.raises(ObjectMissing):
            source.header(hashlib.sha256(b"").hexdigest())
