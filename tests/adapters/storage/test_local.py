"""The local tier's own promises: flush order, leftovers, full disks, several processes."""

import errno
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapters.storage import local
from adapters.storage.local import LocalBlobStore
from repository.tiers.ports import ObjectMissing, StorageUnavailable

DATA = b"pixel" * 40_000
KEY = hashlib.sha256(DATA).hexdigest()


def sealed(store, data=DATA):
    incoming = store.incoming()
    incoming.write(data)
    incoming.seal()
    return incoming


def files(root):
    return sorted(
        p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != ".lock"
    )


@pytest.fixture
def store(tmp_path):
    made = LocalBlobStore(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("one_flush", [False, True])
def test_file_and_folders_are_flushed_before_keep_returns(tmp_path, monkeypatch, one_flush):
    store = LocalBlobStore(tmp_path, one_flush=one_flush)
    flushed = []
    real = os.fsync
    monkeypatch.setattr(
        local.os, "fsync", lambda fd: (flushed.append(os.fstat(fd).st_ino), real(fd))
    )
    sealed(store).keep()
    place = tmp_path / "objects" / KEY[:2]
    names = [place / KEY] if one_flush else [place / KEY, place]
    assert flushed == [p.stat().st_ino for p in names]
    assert place.joinpath(KEY).exists()
    store.close()


def test_a_folder_that_is_missing_is_made_again_and_flushed(tmp_path, monkeypatch):
    LocalBlobStore(tmp_path).close()
    folder = tmp_path / "objects" / KEY[:2]
    folder.rmdir()  # as a backup without empty folders would have it
    LocalBlobStore(tmp_path).close()
    assert folder.is_dir()
    store = LocalBlobStore(tmp_path, one_flush=False)
    folder.rmdir()
    flushed = []
    real = os.fsync
    monkeypatch.setattr(
        local.os, "fsync", lambda fd: (flushed.append(os.fstat(fd).st_ino), real(fd))
    )
    sealed(store).keep()
    assert (tmp_path / "objects").stat().st_ino in flushed
    assert store.read(KEY) == DATA
    store.close()


def test_a_store_of_two_levels_stays_one(tmp_path, monkeypatch):
    place = tmp_path / "objects" / KEY[:2] / KEY[2:4] / KEY
    place.parent.mkdir(parents=True)
    place.write_bytes(DATA)
    store = LocalBlobStore(tmp_path, one_flush=False)
    assert store.read(KEY) == DATA
    other = b"other octets"
    key = hashlib.sha256(other).hexdigest()
    flushed = []
    real = os.fsync
    monkeypatch.setattr(
        local.os, "fsync", lambda fd: (flushed.append(os.fstat(fd).st_ino), real(fd))
    )
    sealed(store, other).keep()
    place = tmp_path / "objects" / key[:2] / key[2:4] / key
    assert place.read_bytes() == other
    folders = [place.parent, place.parent.parent, tmp_path / "objects"]
    assert {p.stat().st_ino for p in folders} <= set(flushed)
    store.close()


def test_an_existing_name_is_replaced_only_by_durable_octets(store, tmp_path, monkeypatch):
    place = tmp_path / "objects" / KEY[:2] / KEY
    place.write_bytes(b"torn by a power cut")
    order = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(local.os, "fsync", lambda fd: (order.append("fsync"), real_fsync(fd)))
    monkeypatch.setattr(
        local.os, "replace", lambda a, b: (order.append("replace"), real_replace(a, b))
    )
    sealed(store).keep()
    assert order[:2] == ["fsync", "replace"]
    assert place.read_bytes() == DATA


def test_without_hard_links_octets_are_flushed_then_renamed(store, monkeypatch):
    def no_links(_source, target):
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(local.os, "link", no_links)
    assert sealed(store).keep() == KEY
    assert store.read(KEY) == DATA


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_failing_write_leaves_nothing(store, tmp_path, monkeypatch, code):
    incoming = store.incoming()
    real = os.write

    def fails(fd, chunk):
        real(fd, bytes(chunk[:10]))
        raise OSError(code, "planted")

    monkeypatch.setattr(local.os, "write", fails)
    with pytest.raises(StorageUnavailable):
        incoming.write(DATA)
    assert files(tmp_path) == []


def test_a_failing_flush_leaves_nothing(store, tmp_path, monkeypatch):
    incoming = sealed(store)

    def fails(fd):
        raise OSError(errno.EIO, "planted")

    monkeypatch.setattr(local.os, "fsync", fails)
    with pytest.raises(StorageUnavailable):
        incoming.keep()
    assert files(tmp_path) == []


def test_octets_that_were_taken_away_are_told(store, tmp_path):
    incoming = sealed(store)
    for path in (tmp_path / "incoming").rglob("[0-9]*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(StorageUnavailable):
        incoming.keep()


def test_a_failing_flush_does_not_take_what_was_acknowledged(store, monkeypatch):
    sealed(store).keep()
    again = sealed(store)

    def fails(fd):
        raise OSError(errno.EIO, "planted")

    monkeypatch.setattr(local.os, "fsync", fails)
    with pytest.raises(StorageUnavailable):
        again.keep()
    assert store.read(KEY) == DATA


def test_a_short_write_is_continued(store, monkeypatch):
    real = os.write
    monkeypatch.setattr(local.os, "write", lambda fd, chunk: real(fd, memoryview(chunk)[:777]))
    incoming = sealed(store, DATA[:50_000])
    assert store.read(incoming.keep()) == DATA[:50_000]


def test_a_store_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageUnavailable):
        LocalBlobStore(tmp_path / "file")


def test_quarantine_after_keep_leaves_the_good_name(store):
    incoming = sealed(store)
    incoming.keep()
    incoming.quarantine()
    incoming.discard()
    assert store.read(KEY) == DATA
    assert store.quarantined(KEY).read_bytes() == DATA


def test_quarantined_octets_can_be_found(store):
    incoming = sealed(store)
    incoming.quarantine()
    assert store.quarantined(KEY).read_bytes() == DATA
    with pytest.raises(ObjectMissing):
        store.quarantined("../" + KEY)


def test_leftovers_of_dead_processes_are_cleared_and_living_ones_are_not(tmp_path):
    living = LocalBlobStore(tmp_path)
    in_flight = living.incoming()
    in_flight.write(DATA)
    script = (
        "import os, pathlib, sys\n"
        "from adapters.storage.local import LocalBlobStore\n"
        "store = LocalBlobStore(pathlib.Path(sys.argv[1]))\n"
        "incoming = store.incoming(); incoming.write(b'half'); os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(files(tmp_path)) == 2
    other = LocalBlobStore(tmp_path)
    assert len(files(tmp_path)) == 1
    in_flight.seal()
    assert living.read(in_flight.keep()) == DATA
    other.close()
    living.close()
    assert [f for f in files(tmp_path) if not f.startswith("objects/")] == []


def test_many_threads_keep_the_same_and_other_octets(store):
    problems = []

    def work(number):
        try:
            for turn in range(5):
                store.read(sealed(store).keep())
                sealed(store, DATA + bytes([number, turn])).keep()
        except OSError as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.read(KEY) == DATA
