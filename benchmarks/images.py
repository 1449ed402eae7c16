"""Files to send: 500 CT slices of 512x512x16 bit with fresh UIDs for every run, made quickly.

A server that has seen a SOP Instance UID does less the second time, so no run repeats one.
Called by `benchmarks.store`, `benchmarks.retrieve` and `benchmarks.query`.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.support import ct

_SURNAMES: Final = (
    "Wang Li Zhao Qian Sun Zhou Wu Zheng Feng Chen Chu Wei Jiang Shen Han Yang Zhu Qin"
)


@dataclass(frozen=True)
class Image:
    """One Part 10 file in memory."""

    study_uid: str
    series_uid: str
    sop_uid: str
    part10: bytes


class Press:
    """Prints series: the slices are drawn once, then only the UIDs are changed in the bytes."""

    def __init__(self, count: int = 500, size: int = 512) -> None:
        self._series = ct.Series(patient_id="BENCH-1", patient_name="Bench^Phantom")
        self._plates: list[tuple[str, bytes]] = []
        for dataset in ct.slices(self._series, count, size=size):
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            self._plates.append((str(dataset.SOPInstanceUID), buffer.getvalue()))

    def series(self) -> Iterator[Image]:
        """Give the slices of a new study."""
        study, series = ct.new_uid(), ct.new_uid()
        for old, plate in self._plates:
            new = ct.new_uid()
            # All UIDs of `ct.new_uid` have one length, so that the bytes can be swapped.
            head = plate[:2048].replace(old.encode(), new.encode())
            head = head.replace(self._series.study_uid.encode(), study.encode())
            head = head.replace(self._series.series_uid.encode(), series.encode())
            yield Image(study, series, new, head + plate[2048:])

    def write(self, folder: Path, parts: int = 1) -> list[Path]:
        """Write a new study's files, dealt to `parts` folders; returns the folders."""
        return deal(self.series(), folder, parts)


def deal(images: Iterable[Image], folder: Path, parts: int) -> list[Path]:
    """Write images as files, dealt to `parts` folders; returns the folders."""
    folders = [folder / f"part{number}" for number in range(parts)]
    for each in folders:
        each.mkdir(parents=True)
    for number, image in enumerate(images):
        (folders[number % parts] / f"{number:05d}.dcm").write_bytes(image.part10)
    return folders


def write_many_studies(folder: Path, count: int) -> None:
    """Write `count` studies of one small image each: other patients, names, dates."""
    folder.mkdir(parents=True, exist_ok=True)
    chance, surnames = random.Random(11), _SURNAMES.split()
    base = ct.Series()
    for number in range(count):
        surname = surnames[number % len(surnames)]
        series = replace(
            base,
            patient_id=f"Q{number:06d}",
            patient_name=f"{surname}^{chance.choice('ABCDEFGH')}{number}",
            accession=f"ACC{number:07d}",
            study_date=f"2026{chance.randint(1, 12):02d}{chance.randint(1, 28):02d}",
            study_uid=ct.new_uid(),
            series_uid=ct.new_uid(),
        )
        dataset = next(iter(ct.slices(series, 1, size=32)))
        dataset.save_as(folder / f"{number:05d}.dcm", enforce_file_format=True)
