"""Which file systems are trusted with one flush: only those that are known to keep the promise."""

import os

import pytest

from adapters.storage.journal import names_follow_files


def mounts(tmp_path, kind, device="/dev/sdx1", number=None):
    told = tmp_path.stat().st_dev if number is None else number
    file = tmp_path / "mountinfo"
    file.write_text(
        "21 1 0:99 / /proc rw - proc proc rw\n"
        f"22 1 {os.major(told)}:{os.minor(told)} / / rw,relatime shared:1 - {kind} {device} rw\n"
    )
    return file


@pytest.mark.parametrize(
    ("kind", "journal", "trusted"),
    [
        ("xfs", "", True),
        ("ext4", "sdx1-8", True),
        ("ext4", "sdy1-8", False),
        ("ext4", "", False),
        ("nfs4", "", False),
        ("cifs", "", False),
        ("btrfs", "", False),
        ("overlay", "", False),
        ("tmpfs", "", False),
    ],
)
def test_kinds(tmp_path, kind, journal, trusted):
    journals = tmp_path / "jbd2"
    journals.mkdir()
    if journal:
        (journals / journal).mkdir()
    assert names_follow_files(tmp_path, mounts=mounts(tmp_path, kind), journals=journals) is trusted


def test_what_is_not_listed_is_not_trusted(tmp_path):
    assert not names_follow_files(
        tmp_path, mounts=mounts(tmp_path, "xfs", number=os.makedev(250, 250))
    )
    assert not names_follow_files(tmp_path, mounts=tmp_path / "absent")
    assert not names_follow_files(
        tmp_path, mounts=mounts(tmp_path, "ext4"), journals=tmp_path / "absent"
    )
    (tmp_path / "odd").write_text("nonsense\n\n1 2 3\n")
    assert not names_follow_files(tmp_path, mounts=tmp_path / "odd")
