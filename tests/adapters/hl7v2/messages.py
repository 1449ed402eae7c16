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


def merge(survivor: str, subsumed: str, *, version: str = "2.3.1", event: str = "A40") -> str:
    """Return ADT^A40: MRG-1 into PID-3."""
    return (
        f"MSH|^~\\&|HIS|HOSP|PIANKU|CENTRE|20260503101200+0800||ADT^{event}^ADT_A39|HL7MSG1|P"
        f"|{version}|\rEVN|{event}|20260503101200+0800\rPID|||{survivor}||Zhang^San^^^^^L\r"
        f"MRG|{subsumed}|\r"
    )


def pix(
    asked: str, domains: str = "", *, charset: str = "UNICODE UTF-8", version: str = "2.5"
) -> str:
    """Return QBP^Q23."""
    return (
        f"MSH|^~\\&|VIEWER|HOSP|PIANKU|CENTRE|20260503101200||QBP^Q23^QBP_Q21|Q1|P|{version}"
        f"||||||{charset}\rQPD|IHE PIX Query|TAG7|{asked}|{domains}\rRCP|I\r"
    )


def pdq(
    asked: str, domains: str = "", *, most: str = "", after: str = "", event: str = "Q22",
    charset: str = "UNICODE UTF-8",
) -> str:  # fmt: skip
    """Return QBP^Q22 or, by event, QBP^ZV1."""
    continued = f"DSC|{after}|I\r" if after else ""
    return (
        f"MSH|^~\\&|VIEWER|HOSP|PIANKU|CENTRE|20260503101200||QBP^{event}^QBP_Q21|Q2|P|2.5"
        f"||||||{charset}\rQPD|IHE PDQ Query|TAG8|{asked}|||||{domains}\r"
        f"RCP|I|{most}\r{continued}"
    )
