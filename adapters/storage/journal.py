"""Does flushing a file make its new name durable too, or must the folders be flushed apart?

POSIX promises nothing of names. ext4 with its journal and XFS do (design A5: durable before it is
told of): link(2) changes inode and folder in one transaction, transactions become durable in
order, and fsync(2) makes the inode's last one durable. Asked once by `local.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")
_JOURNALS: Final = Path("/proc/fs/jbd2")


def names_follow_files(folder: Path, *, mounts: Path = _MOUNTS, journals: Path = _JOURNALS) -> bool:
    """Tell whether fsync of a file in `folder` covers its new name and new folders above it.

    Says no whenever it cannot be sure: a flush too many costs time, one too few costs images.
    """
    kind, device = _mounted(folder, mounts)
    if kind == "xfs":
        return True
    if kind != "ext4":
        return False
    # An ext4 may be made without a journal; the kernel lists those that have one.
    try:
        return any(entry.startswith(f"{Path(device).name}-") for entry in os.listdir(journals))  # noqa: PTH208 - names only
    except OSError:
        return False


def _mounted(folder: Path, mounts: Path) -> tuple[str, str]:
    """Return kind and device of the file system that holds `folder` (proc(5), mountinfo)."""
    number = folder.stat().st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", ""
    for line in lines:
        fields, _, source = line.partition(" - ")
        if fields.split()[2:3] == [wanted]:
            told = source.split()
            return (told[0], told[1]) if len(told) > 1 else ("", "")
    return "", ""
