"""What the DIMSE-N services share: data sets in and out, responses, and a request of ours.

PS3.7 10 (DIMSE-N services), E.1 (command elements). Used by `n_action.py`, `n_create.py`,
`n_set.py`, `n_event_report.py` and `instance_availability.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Final

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from adapters.dimse import decode, encode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import IMPLICIT_LITTLE, Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.messages import Interrupted
from adapters.dimse.query import BadIdentifierDataset
from adapters.dimse.upper_layer import Event
from kernel.refusals import Refusal
from repository.instances import elements
from repository.instances.elements import Short, Walker
from repository.instances.part10 import encoding_of

EVENT_REPORT: Final = 0x0100
GET: Final = 0x0110
SET: Final = 0x0120
CREATE: Final = 0x0140
_RESPONSE: Final = 0x8000
_MOST: Final = 16 << 20
"""Octets of a data set; a commitment names an instance in about 150."""


def read_dataset(association: Association, context: Context, command: Command) -> bytes:
    """Return the data set that follows a request, empty when none does."""
    if not decode.has_dataset(command):
        return b""
    parts = bytearray()
    for length in association.messages.fragments(context.id):
        if len(parts) + length > _MOST:
            raise Interrupted(Event.EVT15)
        part = bytearray(length)
        association.wire.copy_into(memoryview(part))
        parts += part
    return bytes(parts)


def walk(octets: bytes, transfer_syntax: str) -> elements.Dataset:
    """Return the elements of a data set; raises BadIdentifierDataset."""
    try:
        return Walker(octets).top_level(0, encoding_of(transfer_syntax))
    except Short:
        raise BadIdentifierDataset("the data set ends in the middle of an element") from None


def write(dataset: Dataset, transfer_syntax: str) -> bytes:
    """Return a data set as it goes over the wire."""
    out = DicomBytesIO()
    out.is_little_endian = True
    out.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    with warnings.catch_warnings():
        # Values are told as they came, also those that break the rules of their VR.
        warnings.simplefilter("ignore")
        write_dataset(out, dataset)
    return out.getvalue()


def respond(
    association: Association,
    context: Context,
    command: Command,
    status: int,
    *,
    comment: str = "",
    instance: str = "",
    more: Mapping[int, int | bytes] | None = None,
    dataset: bytes | None = None,
) -> None:
    """Send the response to a DIMSE-N request (PS3.7 10.3)."""
    told: dict[int, int | str | bytes] = {
        0x0100: _RESPONSE | decode.number(command, 0x0100),
        0x0120: decode.number(command, 0x0110, 0),
        0x0800: encode.NO_DATASET if dataset is None else 0,
        0x0900: status,
        **(more or {}),
    }
    if sop_class := decode.text(command, 0x0002) or decode.text(command, 0x0003):
        told[0x0002] = sop_class[:64]
    named = instance or decode.text(command, 0x1000) or decode.text(command, 0x1001)
    if named:
        told[0x1000] = named[:64]
    if (action := decode.number(command, 0x1008)) >= 0:
        told[0x1008] = action
    if comment:
        told[0x0902] = comment
    association.messages.send(context.id, encode.command(told), dataset)


def refuse(association: Association, context: Context, command: Command, refusal: Refusal) -> None:
    """Send a refusal as the protocol's word for it."""
    respond(
        association,
        context,
        command,
        faults.status(refusal, context.service),
        comment=faults.comment(refusal),
        more=faults.particulars(refusal),
    )


def is_for(context: Context, command: Command, service: Operation) -> bool:
    """Tell whether a request names the SOP class of its presentation context."""
    named = decode.text(command, 0x0003) or decode.text(command, 0x0002)
    return context.service is service and named in {"", context.abstract_syntax}
