"""Send studies by C-STORE and by STOW-RS.

Implements the SCU of PS3.4 annex B and the user agent of PS3.18 10.5.
Called by `load`, from several threads at once.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from pydicom.dataset import Dataset
from pynetdicom import AE, build_context
from pynetdicom.association import Association

from kernel.identifiers import stable_uid
from server.demo.doors import DemoTarget, StillOpening, patiently
from server.demo.refusals import DoorRefused

_BREATH_SECONDS: Final = 0.0005
_CALLING_AE: Final = "PIANKU_DEMO"
_WARNINGS: Final = range(0xB000, 0xC000)
_TRANSIENT_REJECTION: Final = 2
_FAILED_SOP_SEQUENCE: Final = "00081198"
_FAILURE_REASON: Final = "00081197"


def c_store(target: DemoTarget, instances: Sequence[Dataset], done: Callable[[], None]) -> None:
    """Send the instances of a study on one association; raises DoorRefused.

    When the association is lost the rest is sent on another one, once.
    """
    host, port, title = target.dimse
    door = f"C-STORE to {title} at {host}:{port}"
    left = list(instances)
    for last in (False, True):
        association = patiently(
            lambda: _associate(target, instances), door=door, seconds=target.patience_seconds
        )
        try:
            while left and _send(association, left[0], door):
                left.pop(0)
                done()
        finally:
            association.release()
        if not left:
            return
        if last:
            raise DoorRefused(door, "an abort", f"instance {left[0].SOPInstanceUID}")


def _associate(target: DemoTarget, instances: Sequence[Dataset]) -> Association:
    host, port, title = target.dimse
    entity = AE(ae_title=_CALLING_AE)
    entity.maximum_pdu_size = 0
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
    wanted = dict.fromkeys(
        (str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID)) for ds in instances
    )
    contexts = [build_context(sop_class, syntax) for sop_class, syntax in wanted]
    association = entity.associate(host, port, contexts=contexts, ae_title=title)
    if association.is_established:
        return association
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        status = f"rejection result {answer.result} source {answer.result_source}"
        if answer.result != _TRANSIENT_REJECTION:
            raise DoorRefused(f"C-STORE to {title} at {host}:{port}", status,
                              f"reason {answer.diagnostic}")  # fmt: skip
        raise StillOpening(status)
    raise StillOpening("nothing")


def _send(association: Association, ds: Dataset, door: str) -> bool:
    """Send one instance; False when the association was lost."""
    named = f"{ds.Modality} instance {ds.SOPInstanceUID}"
    if not association.is_established:
        return False
    _still(association)
    try:
        status = association.send_c_store(ds)
    except (RuntimeError, ValueError) as problem:
        raise DoorRefused(door, "no presentation context", f"{named}: {problem}") from problem
    if "Status" not in status:
        return False
    if status.Status and status.Status not in _WARNINGS:
        comment = str(status.get("ErrorComment", ""))
        raise DoorRefused(door, f"status 0x{status.Status:04X}", f"{named} {comment}".strip())
    return True


def _still(association: Association) -> None:
    """Wait until the association's own thread really waits.

    pynetdicom 3.0 calls it paused a moment too early; on a busy machine that thread then
    takes the C-STORE response off the queue and the sender waits in vain.
    """
    checkpoint: Any = association._reactor_checkpoint  # noqa: SLF001 - there is no public way
    checkpoint.clear()
    while association.is_alive() and not checkpoint._cond._waiters:  # noqa: SLF001
        time.sleep(_BREATH_SECONDS)


def stow(target: DemoTarget, instances: Sequence[Dataset]) -> None:
    """Store the instances of a study in one STOW-RS request; raises DoorRefused."""
    boundary = stable_uid("demo", "boundary")
    body = bytearray()
    for ds in instances:
        body += f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body += part10(ds) + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    reply = target.post(
        "/dicom-web/studies",
        bytes(body),
        {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        },
    )
    failures = _failures(reply.body) if reply.status in {200, 202, 409} else []
    if reply.status not in {200, 202} or failures:
        reasons = ", ".join(f"failure reason 0x{reason:04X}" for reason in sorted(set(failures)))
        raise DoorRefused(f"STOW-RS at {target.http}", f"HTTP {reply.status}", reasons)


def _failures(body: bytes) -> list[int]:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return []
    answer = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(answer, dict):
        return []
    items = answer.get(_FAILED_SOP_SEQUENCE, {}).get("Value", [])
    return [item.get(_FAILURE_REASON, {}).get("Value", [0])[0] for item in items]


def part10(ds: Dataset) -> bytes:
    """Return the instance as a PS3.10 file."""
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
