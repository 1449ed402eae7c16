"""What STOW-RS answers: which instances are stored, which failed and why, and the status of it all.

Implements PS3.18 10.5.3 and I.2 (Store Instances Response Module). Called by `stow_rs.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.dicomweb import encode
from adapters.dicomweb.faults import failure_reason, status_of
from adapters.http.refusals import UnsupportedMedia
from kernel.refusals import Forbidden, Refusal, TooMuch, Unavailable
from repository.instances.header import InstanceHeader


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one part."""

    header: InstanceHeader | None
    refusal: Refusal | None
    warning: int = 0
    """Warning Reason (0008,1196) of an instance that was stored."""


def response_status(results: Sequence[Result]) -> int:
    """Return 200, 202, or the status of a request of which nothing was stored (10.5.3.1)."""
    refusals = [result.refusal for result in results]
    failed = [refusal for refusal in refusals if refusal is not None]
    if not failed:
        return 202 if any(result.warning for result in results) else 200
    if len(failed) < len(refusals):
        return 202
    for kind in (Unavailable, TooMuch, UnsupportedMedia, Forbidden):
        if all(isinstance(refusal, kind) for refusal in failed):
            return status_of(failed[0])
    return 409


def response(results: Iterable[Result], base: str) -> dict[str, Any]:
    """Return the Store Instances Response Module (PS3.18 table I.2-1)."""
    stored, failed, others = [], [], []
    studies: dict[str, None] = {}
    for result in results:
        header, refusal = result.header, result.refusal
        if header is None:
            assert refusal is not None
            others.append(encode.sequence_item([("00081197", "US", [failure_reason(refusal)])]))
            continue
        named = [("00081150", "UI", [header.sop_class_uid]), ("00081155", "UI", [header.sop_uid])]
        if refusal is not None:
            failed.append(
                encode.sequence_item([*named, ("00081197", "US", [failure_reason(refusal)])])
            )
            continue
        studies[header.study_uid] = None
        url = (
            f"{base}/studies/{header.study_uid}/series/{header.series_uid}"
            f"/instances/{header.sop_uid}"
        )
        told_more = [("00081196", "US", [result.warning])] if result.warning else []
        stored.append(encode.sequence_item([*named, ("00081190", "UR", [url]), *told_more]))
    told: dict[str, Any] = {}
    if len(studies) == 1:
        told["00081190"] = {"vr": "UR", "Value": [f"{base}/studies/{next(iter(studies))}"]}
    for tag, items in (("00081198", failed), ("00081199", stored), ("0008119A", others)):
        if items:
            told[tag] = {"vr": "SQ", "Value": items}
    return told
