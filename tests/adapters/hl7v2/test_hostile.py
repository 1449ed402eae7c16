"""Whatever stands in the fields of a message, it is answered in HL7's words and never by a bug."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.hl7v2.answering import Peer
from tests.adapters.hl7v2.messages import AUTHORITY, LAB, adt, merge, pdq, pix
from tests.support.hl7_door import SPECS, Door
from tests.support.installation import installation

OWN, LOCAL = f"P1^^^&{AUTHORITY}&ISO", f"L1^^^LAB&{LAB}&ISO"
MESSAGES: Final = (
    adt(patient=f"{OWN}~{LOCAL}"), merge("P2^^^HOSP", "P1^^^HOSP"), pix(OWN, "^^^LAB"),
    pdq("@PID.5.1.1^Zh*~@PID.7^1980~@PID.3^P1^^^HOSP", "^^^LAB", most="1^RD"),
    pdq("@PID.8^F", event="ZV1"),
    adt("A24", patient=OWN).replace("PV1|", f"PID|||{LOCAL}\rPV1|"),
    merge(f"P2^^^HOSP~{LOCAL}", "P1^^^HOSP", event="A43"),
)  # fmt: skip
ODD: Final = st.one_of(
    st.sampled_from([
        "", '""', "^", "~", "&", "^^^", "^^^&&", "^^^&1.2&ISO", "~~~", "\\", "\\X00\\", "\\F\\",
        "@", "@PID", "@PID.", "@PID.3.4^", "@PID.5.1.1^*", "@PID.99.99^x", "*", "%", "_", "'", "\t",
        "P1^^^HOSP~P1^^^HOSP", "P1^^^HOSP~P9^^^HOSP", "9" * 300, "1^RD", "-1", "\u0661", "\U0010ffff",
        "张", "２０２６", "00000000", "99999999", "MSH", "A" * 5000,
    ]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x0b\x1c"), max_size=12),
)  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Generator[Door]:
    folder = tmp_path_factory.mktemp("hostile")
    with installation(folder, SPECS, loopback_system=True) as place:
        made = Door(place)
        try:
            yield made
        finally:
            made.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(MESSAGES),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 18), ODD), min_size=1, max_size=3),
)
def test_odd_fields_are_answered(
    door: Door, message: str, changes: list[tuple[int, int, str]]
) -> None:
    lines = [line.split("|") for line in message.split("\r") if line]
    for line, field, text in changes:
        fields = lines[line % len(lines)]
        place = field % len(fields)
        if place > (1 if fields[0] == "MSH" else 0):
            fields[place] = text
    data = "\r".join("|".join(fields) for fields in lines).encode()
    answer = door.server._messages.answer(data, Peer("127.0.0.1", "")).decode("utf-8", "replace")
    assert answer.startswith("MSH|")
    assert "internal error" not in answer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(MESSAGES), st.integers(0, 400), st.binary(max_size=6))
def test_odd_octets_are_answered(door: Door, message: str, at: int, octets: bytes) -> None:
    data = message.encode()
    data = data[:at] + octets + data[at + len(octets) :]
    answer = door.server._messages.answer(data, Peer("127.0.0.1", "")).decode("utf-8", "replace")
    assert "MSA" in answer
    assert "internal error" not in answer
