"""Names of the interactions and code systems of HL7 v3 as PIXV3 and PDQV3 use them.

ITI TF-2 3.44.5, 3.45.5, 3.47.5 (SOAP actions) and Appendix O.1. Used across this room.
"""

from __future__ import annotations

from typing import Final

HL7: Final = "urn:hl7-org:v3"
INTERACTIONS: Final = "2.16.840.1.113883.1.6"
TABLE_0357: Final = "2.16.840.1.113883.12.357"
GENDER: Final = "2.16.840.1.113883.5.1"

ADD: Final = "PRPA_IN201301UV02"
REVISE: Final = "PRPA_IN201302UV02"
MERGE: Final = "PRPA_IN201304UV02"
FIND: Final = "PRPA_IN201305UV02"
FOUND: Final = "PRPA_IN201306UV02"
CROSS_REFERENCES: Final = "PRPA_IN201309UV02"
CROSS_REFERENCES_FOUND: Final = "PRPA_IN201310UV02"
GO_ON: Final = "QUQI_IN000003UV01"
ACKNOWLEDGED: Final = "MCCI_IN000002UV01"


def action(interaction: str) -> str:
    """Return the SOAP action of an interaction."""
    return f"{HL7}:{interaction}"
