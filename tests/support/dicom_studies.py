"""Synthetic studies for tests: the demo's generators, under one name tests can rely on.

PS3.10 files are made by `part10`. Called by tests of every room that reads DICOM.
"""

from __future__ import annotations

import io

from pydicom.dataset import Dataset

from server.demo.studies import KINDS, ct_series, generate, sample_exam

__all__ = ["KINDS", "ct_series", "generate", "part10", "sample_exam"]


def part10(ds: Dataset) -> bytes:
    """Return the instance as a PS3.10 file."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
