"""ITI-8 messages for the tests, with invented people."""

from __future__ import annotations

from typing import Final

AUTHORITY: Final = "1.2.156.999.1"
LAB: Final = "1.2.156.999.2"
NAMED: Final = "Zhang^San^^^^^L^A~张^三^^^^^L^I"


def adt(
    event: str = "A04",
    *,
    patient: str = f"P100^^^HOSP&{AUTHORITY}&ISO",
    name: str = NAMED,
    birth: str = "19800203",
    sex: str = "F",
    version: str = "2.3.1",
    charset: str = "UNICODE UTF-8",
    control: str = "MSG1",
    kind: str = "ADT",
    processing: str = "P",
    address: str = "1 Road^^City^^100000^CN",
    telephone: str = "010-5550",
) -> str:
    """Return a message; the segments end in CR."""
    return "".join(
        f"{line}\r"
        for line in (
            (
                f"MSH|^~\\&|HIS|HOSP|PIANKU|CENTRE|20260503101200||{kind}^{event}|{control}"
                f"|{processing}|{version}||||||{charset}"
            ),
            f"EVN|{event}|20260503101200",
            f"PID|||{patient}||{name}||{birth}|{sex}|||{address}||{telephone}",
            "PV1||O",
        )
    )
