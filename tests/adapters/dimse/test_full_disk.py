"""A full, read-only or broken disk under both doors: refused in the protocol's words, then well."""

import errno

import pytest

from kernel.ledger.verify import verify
from tests.adapters.dimse.test_c_store import dataset_of
from tests.support.archive import instance, octets
from tests.support.bad_input import target
from tests.support.damaged_files import Damaged
from tests.support.dimse import CT, EXPLICIT
from tests.support.full_disk import BrokenDisk, small_disk

OUT_OF_RESOURCES = 0xA700
MOST_STEPS = 40


def image(number, **attributes):
    ds = instance(number, study="DISK", **attributes)
    file = octets(ds)
    return Damaged("image", file, dataset_of(file), CT, str(ds.SOPInstanceUID), EXPLICIT)


@pytest.fixture(scope="module")
def archive_(tmp_path_factory):
    with target(tmp_path_factory.mktemp("disk")) as found:
        yield found


def at_each_step(code, *, lasting, act):
    """Let the nth step fail, for every n, until there is none left; returns which failed."""
    failed = []
    for nth in range(1, MOST_STEPS):
        with BrokenDisk(code, nth, lasting=lasting) as disk:
            act(nth, disk)
        if not disk.failed:
            return failed
        failed += disk.failed[:1]
    pytest.fail("there is no end of steps")


@pytest.mark.parametrize(
    ("code", "lasting"), [(errno.ENOSPC, False), (errno.EROFS, True), (errno.EIO, False)]
)
def test_c_store_at_each_step(archive_, code, lasting):
    tried = []

    def act(nth, disk):
        one = image(1000 * code + 2 * nth + lasting, size=24)
        (word,) = archive_.send([one])
        assert word in {0, OUT_OF_RESOURCES}
        assert word or not disk.failed, f"{disk.failed} was passed over"
        tried.append((one, word))

    failed = at_each_step(code, lasting=lasting, act=act)
    assert {"open", "write", "fsync", "link"} <= set(failed)
    archive_.check([one.sop_uid for one, word in tried if word])
    # With room again the same images are taken.
    assert archive_.send([one for one, _ in tried]) == [0] * len(tried)
    archive_.check()


@pytest.mark.parametrize(("code", "lasting"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_stow_at_each_step(archive_, code, lasting):
    tried = []

    def act(nth, disk):
        one = image(500_000 + 1000 * code + 2 * nth + lasting, size=24)
        answer = archive_.post_file(one)
        assert answer.status_code in ({503, 507} if disk.failed else {200})
        assert not disk.failed or "retry-after" in answer.headers
        tried.append((one, answer.status_code))

    at_each_step(code, lasting=lasting, act=act)
    archive_.check([one.sop_uid for one, status in tried if status != 200])
    for one, _ in tried:
        assert archive_.post_file(one).status_code == 200
        archive_.acknowledged[one.sop_uid] = one.data
    archive_.check()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_the_quarantine_at_each_step(archive_, code):
    one = image(900_000 + code)
    assert archive_.send([one]) == [0]
    other = image(900_000 + code, StudyID="other")

    def act(_nth, disk):
        (word,) = archive_.refused(other)
        assert word in ({OUT_OF_RESOURCES} if disk.failed else {0x0111})

    assert at_each_step(code, lasting=False, act=act)
    archive_.check()


@pytest.mark.parametrize(("nth", "where"), [(6, "0008119A"), (14, "00081198")])
def test_one_of_many_fails_alone(archive_, nth, where):
    """The third is written, the second or so is kept: who has no header yet is an other failure."""
    files = [image(950_000 + 10 * nth + n) for n in range(6)]
    body = b"".join(
        b"--b\r\nContent-Type: application/dicom\r\n\r\n" + one.octets + b"\r\n" for one in files
    )
    with BrokenDisk(errno.ENOSPC, nth, lasting=False) as disk:
        answer = archive_.post(
            body + b"--b--\r\n", 'multipart/related; type="application/dicom"; boundary=b'
        )
    assert disk.failed
    assert answer.status_code == 202
    told = answer.json()
    kept = {item["00081155"]["Value"][0] for item in told["00081199"]["Value"]}
    assert len(kept) == 5
    (failed,) = told[where]["Value"]
    assert failed["00081197"]["Value"] == [OUT_OF_RESOURCES]
    archive_.check({one.sop_uid for one in files} - kept)


@pytest.mark.parametrize("leave", [0, 300 << 10])
def test_a_disk_that_is_really_full(tmp_path, leave):
    with small_disk(tmp_path, 48 << 20) as disk, target(disk.folder) as found:
        assert found.send([image(n) for n in range(3)]) == [0] * 3
        disk.fill(leave=leave)
        words = found.send([image(n, size=128) for n in range(100, 140)])
        assert OUT_OF_RESOURCES in words
        assert set(words) <= {0, OUT_OF_RESOURCES}
        answers = [found.post_file(image(n, size=128)).status_code for n in range(200, 210)]
        assert set(answers) <= {200, 503, 507}
        assert set(answers) & {503, 507}
        disk.make_room()

        assert verify(found.imaging.house.facts.recorder).ok
        assert found.send([image(n, size=128) for n in range(100, 140)]) == [0] * 40
        assert found.post_file(image(200, size=128)).status_code == 200
        found.check()
