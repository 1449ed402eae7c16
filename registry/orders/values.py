"""An exam order with its one scheduled procedure step.

Implements the attributes of PS3.3 C.4.10 to C.4.12 (scheduled step, requested procedure, imaging
service request). Used by commands, the worklist and the DIMSE adapter.
"""

from __future__ import annotations

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an order says; every member may be empty until `commands.place` has filled it in."""

    local_id: str = ""
    """Patient ID as the assigning authority writes it."""
    authority: str = ""
    """OID of the assigning authority."""
    name: str = ""
    """DICOM PN text, component groups alphabetic=ideographic=phonetic."""
    birth_date: str = ""
    """YYYYMMDD."""
    sex: str = ""
    accession: str = ""
    procedure_id: str = ""
    procedure: str = ""
    """Requested Procedure Description."""
    referring: str = ""
    """Referring physician, PN."""
    modality: str = ""
    station_ae: str = ""
    station_name: str = ""
    starts: str = ""
    """YYYYMMDDHHMMSS, in the installation's time zone."""
    step_id: str = ""
    step: str = ""
    """Scheduled Procedure Step Description."""
    performing: str = ""
    """Scheduled performing physician, PN."""
