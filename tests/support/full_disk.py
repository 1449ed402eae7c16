"""A disk that is full, read only or broken: by planted errors, or a small file system of its own.

errno(3) ENOSPC, EROFS, EIO. Called by tests of storage under faults.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from adapters.storage import local

STEPS: Final = ("open", "write", "fsync", "link", "replace", "rename", "makedirs")
"""The calls of `adapters.storage.local` that change the disk."""


class BrokenDisk:
    """Stands for the module `os` in the local tier; the nth changing call fails.

    A context manager. `lasting`: every later one fails too, until the disk is repaired.
    """

    def __init__(self, code: int, nth: int, *, lasting: bool) -> None:
        self.code, self.nth, self.lasting = code, nth, lasting
        self.calls = 0
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        local.os = self  # type: ignore[assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        local.os = os

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in STEPS:
            return real

        def perhaps(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & (os.O_CREAT | os.O_WRONLY):
                return real(*arguments, **options)
            self.calls += 1
            if self.calls == self.nth or (self.lasting and self.calls > self.nth):
                self.failed.append(name)
                if name == "write" and self.code != 30:
                    real(arguments[0], bytes(arguments[1])[:7])
                raise OSError(self.code, "planted")
            return real(*arguments, **options)

        return perhaps


class SmallDisk:
    """A file system in memory, which a balloon fills."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._balloon = folder / "balloon"

    def fill(self, *, leave: int = 0) -> None:
        """Leave no more than so many octets."""
        for _ in range(20):
            free = shutil.disk_usage(self.folder).free
            with self._balloon.open("ab") as balloon, suppress(OSError):  # others write meanwhile
                os.posix_fallocate(balloon.fileno(), 0, max(balloon.tell() + free - leave, 1))
                return
        raise AssertionError("the disk does not fill up")

    def make_room(self) -> None:
        """Let the air out."""
        self._balloon.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, octets: int) -> Generator[SmallDisk]:
    """Mount a file system in memory, or skip visibly where that is not allowed."""
    place = folder / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={octets}", "pianku-test", place],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield SmallDisk(place)
    finally:
        subprocess.run(["umount", "-l", place], check=True)
