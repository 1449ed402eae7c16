"""ITI-9, ITI-21, ITI-22 and A40 over sockets: every case of answer, where errors point, pages."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from projections.audit_trail.view import AuditQuery, AuditTrail
from tests.adapters.hl7v2.messages import AUTHORITY, LAB, adt, merge, pdq, pix
from tests.support.hl7_door import SPECS, Door
from tests.support.installation import installation, on_engine

HOSP_ID, LAB_ID = f"P1^^^HOSP&{AUTHORITY}&ISO", f"L1^^^LAB&{LAB}&ISO"


def of(answer: list[list[str]], name: str) -> list[list[str]]:
    """Return the segments of a name."""
    return [fields for fields in answer if fields[0] == name]


def word(answer: list[list[str]]) -> str:
    """Return MSA-1 and QAK-2."""
    qak = of(answer, "QAK")
    return of(answer, "MSA")[0][1] + (f" {qak[0][2]}" if qak else "")


def places(answer: list[list[str]]) -> list[str]:
    """Return where the errors are, with their codes."""
    return [f"{e[2]} {e[3].partition('^')[0]}" for e in of(answer, "ERR")]


@pytest.fixture(params=["sqlite", "postgresql"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Door]:
    engine: Any = on_engine(request)
    with installation(tmp_path, SPECS, loopback_system=True, **engine) as place:
        made = Door(place)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def linked(door: Door) -> Door:
    """P1 of the hospital and L1 and L2 of the laboratory are one person; P2 is alone."""
    door.send(adt(patient=f"{HOSP_ID}~{LAB_ID}~L2^^^LAB"))
    door.send(adt(patient="P2^^^HOSP"))
    return door


def test_pix_the_other_domains_identifiers(linked: Door) -> None:
    answer = linked.ask(pix(f"P1^^^&{AUTHORITY}&ISO"))
    assert [fields[0] for fields in answer] == ["MSH", "MSA", "QAK", "QPD", "PID"]
    assert answer[0][8] == "RSP^K23^RSP_K23"
    assert answer[0][2:6] == ["PIANKU", "CENTRE", "VIEWER", "HOSP"]
    assert answer[2] == ["QAK", "TAG7", "OK"]
    assert answer[3] == ["QPD", "IHE PIX Query", "TAG7", f"P1^^^&{AUTHORITY}&ISO", ""]
    assert sorted(answer[4][3].split("~")) == [LAB_ID, LAB_ID.replace("L1", "L2")]
    assert answer[4][5] == "~^^^^^^S"


@pytest.mark.parametrize("domains", [f"^^^&{LAB}&ISO", f"^^^LAB&{LAB}&ISO", "^^^LAB"])
def test_pix_the_domains_asked_for(linked: Door, domains: str) -> None:
    answer = linked.ask(pix("P1^^^HOSP", domains))
    assert word(answer) == "AA OK"
    assert of(answer, "PID")[0][3].count("LAB") == 2
    back = linked.ask(pix(LAB_ID, f"^^^&{AUTHORITY}&ISO"))
    assert of(back, "PID")[0][3] == HOSP_ID
    same = linked.ask(pix(LAB_ID, domains))
    assert of(same, "PID")[0][3] == LAB_ID.replace("L1", "L2")


def test_pix_known_and_alone(linked: Door) -> None:
    for domains in ("", "^^^LAB"):
        answer = linked.ask(pix("P2^^^HOSP", domains))
        assert word(answer) == "AA NF"
        assert not of(answer, "PID")
        assert not of(answer, "ERR")


@pytest.mark.parametrize(
    ("asked", "domains", "where"),
    [
        ("P9^^^HOSP", "^^^LAB", ["QPD^1^3^1^1 204"]),
        ("P1^^^&1.9.9&ISO", "^^^LAB", ["QPD^1^3^1^4 204"]),
        ("P1^^^NOWHERE", "", ["QPD^1^3^1^4 204"]),
        ("P1", "", ["QPD^1^3^1^4 204"]),
        ("P1^^^HOSP", "^^^&1.9.9&ISO", ["QPD^1^4^1 204"]),
        ("P1^^^HOSP", "^^^LAB~^^^&1.9.9&ISO~^^^NOWHERE", ["QPD^1^4^2 204", "QPD^1^4^3 204"]),
        ("", "^^^LAB", ["QPD^1^3^1^1 101"]),
        ("^^^HOSP", "", ["QPD^1^3^1^1 101"]),
        ("P\\S\\1^^^HOSP", "", ["QPD^1^3^1^1 102"]),
    ],
)
def test_pix_what_is_unknown_and_where(
    linked: Door, asked: str, domains: str, where: list[str]
) -> None:
    answer = linked.ask(pix(asked, domains))
    assert word(answer) == "AE AE"
    assert places(answer) == where
    assert answer[0][8] == "RSP^K23^RSP_K23"
    assert [fields[0] for fields in answer][-2:] == ["QAK", "QPD"]


def test_pix_without_qpd_and_in_an_old_version(linked: Door) -> None:
    text = pix("P1^^^HOSP")
    answer = linked.ask("\r".join(s for s in text.split("\r") if not s.startswith("QPD")))
    assert (of(answer, "MSA")[0][1], places(answer)) == ("AE", ["QPD 101"])
    assert word(linked.ask(pix("P1^^^HOSP", version="2.3.1"))) == "AA OK"


def test_a40_moves_cross_references_and_ends_the_subsumed(linked: Door) -> None:
    assert of(linked.ask(merge("P2^^^HOSP", "P1^^^HOSP")), "MSA")[0][1] == "AA"
    assert word(linked.ask(pix("P1^^^HOSP"))) == "AE AE"
    answer = linked.ask(pix("P2^^^HOSP", "^^^LAB"))
    assert of(answer, "PID")[0][3].count("LAB") == 2
    assert of(linked.ask(pix(LAB_ID, "^^^HOSP")), "PID")[0][3] == HOSP_ID.replace("P1", "P2")
    head = linked.place.facts.head()
    assert of(linked.ask(merge("P2^^^HOSP", "P1^^^HOSP")), "MSA")[0][1] == "AA"
    assert linked.place.facts.head() == head


def test_a40_into_someone_new_and_several_at_once(linked: Door) -> None:
    two = merge("P7^^^HOSP", "P1^^^HOSP") + "PID|||P7^^^HOSP\rMRG|P2^^^HOSP\r"
    assert of(linked.ask(two), "MSA")[0][1] == "AA"
    assert linked.patient("P7") is not None
    assert linked.patient("P1") is linked.patient("P2") is None


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (merge("P2^^^HOSP", "P9^^^HOSP", version="2.5"), "AE  204"),
        (merge("P1^^^HOSP", "P1^^^HOSP", version="2.5"), "AE  102"),
        (merge("P2^^^HOSP", "", version="2.5"), "AE MRG^1^1 101"),
        (merge("", "P1^^^HOSP", version="2.5"), "AE PID^1^3 101"),
        (merge("P2^^^HOSP", "L1^^^LAB", version="2.5"), "AE MRG^1^1^1^4 204"),
        (merge("P2^^^HOSP", "P1^^^&1.9&ISO", version="2.5"), "AE MRG^1^1^1^4 204"),
        (merge("P2^^^HOSP", "P1^^^HOSP", version="2.5").split("MRG")[0], "AE MRG 101"),
        *(
            (merge("P2^^^HOSP", "P1^^^HOSP", version="2.5", event=e), "AR MSH^1^9^1^2 201")
            for e in ("A18", "A34", "A36")
        ),
    ],
)
def test_a40_what_is_refused(linked: Door, message: str, said: str) -> None:
    head = linked.place.facts.head()
    answer = linked.ask(message)
    assert f"{of(answer, 'MSA')[0][1]} {places(answer)[0]}" == said
    assert linked.place.facts.head() == head


def test_a_feed_for_the_subsumed_is_refused(linked: Door) -> None:
    linked.ask(merge("P2^^^HOSP", "P1^^^HOSP"))
    answer = linked.ask(adt("A08", patient="P1^^^HOSP", version="2.5"))
    assert f"{of(answer, 'MSA')[0][1]} {places(answer)[0]}" == "AE  204"


def test_pam_events_are_a_feed_and_a_merge(linked: Door) -> None:
    for event in ("A28", "A31"):
        assert of(linked.ask(adt(event, patient="P5^^^HOSP", version="2.5")), "MSA")[0][1] == "AA"
    assert linked.patient("P5") is not None
    changed = merge("P6^^^HOSP", "P5^^^HOSP", version="2.5", event="A47")
    assert of(linked.ask(changed), "MSA")[0][1] == "AA"
    assert linked.patient("P5") is None
    assert linked.patient("P6") is not None


def test_a24_links_and_a37_unlinks(linked: Door) -> None:
    def pair(event: str) -> str:
        return adt(event, patient="P2^^^HOSP").replace("PV1|", "PID|||L9^^^LAB\rPV1|")

    assert of(linked.ask(pair("A24")), "MSA")[0][1] == "AE"
    linked.send(adt(patient="L9^^^LAB"))
    assert of(linked.ask(pair("A24")), "MSA")[0][1] == "AA"
    assert "L9" in of(linked.ask(pix("P2^^^HOSP")), "PID")[0][3]
    assert of(linked.ask(pair("A37")), "MSA")[0][1] == "AA"
    assert word(linked.ask(pix("P2^^^HOSP"))) == "AA NF"


@pytest.fixture
def people(door: Door) -> Door:
    for patient, name, birth, sex in (
        (f"{HOSP_ID}~{LAB_ID}", "Zhang^San^^^^^L^A~张^三^^^^^L^I", "19800203", "F"),
        ("P2^^^HOSP", "Zhao^Si^^^^^L^A~赵^四^^^^^L^I", "19800417", "M"),
        ("P3^^^HOSP", "曾^小明", "19991231", "M"),
        ("L4^^^LAB", "O'Brien^Ann Mary", "1970", "F"),
    ):
        door.send(adt(patient=patient, name=name, birth=birth, sex=sex))
    return door


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("@PID.5.1.1^ZHANG", ["P1"]), ("@PID.5.1^zhang", ["P1"]), ("@PID.5.1.1^张", ["P1"]),
        ("@PID.5.1.1^ZHA*", ["P1", "P2"]), ("@PID.5.1.1^ZHA", []), ("@PID.5.1.1^*ANG", ["P1"]),
        ("@PID.5.1.1^zeng", ["P3"]), ("@PID.5.1.1^ceng", []), ("@PID.5.2^xiaoming", ["P3"]),
        ("@PID.5.2^小*", ["P3"]), ("@PID.5.1.1^ZHA*~@PID.8^M", ["P2"]),
        ("@PID.7^19800203", ["P1"]), ("@PID.7.1^1980", ["P1", "P2"]), ("@PID.7^198002031230", ["P1"]),
        ("@PID.3.1^P2", ["P2"]), ("@PID.3.1^P*", ["P1", "P2", "P3"]), ("@PID.3.1^L1", ["P1"]),
        ("@PID.3^P1^^^HOSP", ["P1"]), (f"@PID.3^P1^^^&{AUTHORITY}&ISO", ["P1"]),
        (f"@PID.3.1^P1~@PID.3.4.2^{LAB}", []), (f"@PID.3.4^{LAB}", ["L4", "P1"]),
        ("@PID.3.1^P1~@PID.3.4.1^NOWHERE", []), ("@PID.5.1.1^obrien", ["L4"]),
        ("@PID.5.1.1^O'BRIEN~@PID.5.2^ann*", ["L4"]), ("@PID.5.1.1^100%", []),
        ("@PID.11.1^Road", ["L4", "P1", "P2", "P3"]), ("@PID.13.1^0105550", ["L4", "P1", "P2", "P3"]),
        ("@PID.18.1^ACC1", []), ("@PID.5.1.1^'; DROP TABLE patient", []), ("@PID.5.1.1^\\T\\", []),
    ],
)  # fmt: skip
def test_pdq_who_fits(people: Door, asked: str, found: list[str]) -> None:
    answer = people.ask(pdq(asked))
    assert word(answer) == ("AA OK" if found else "AA NF")
    assert answer[0][8] == "RSP^K22^RSP_K21"
    assert sorted(p[3].partition("^")[0] for p in of(answer, "PID")) == found


def test_pdq_what_is_told_of_a_patient(people: Door) -> None:
    answer = people.ask(pdq("@PID.5.1.1^张"))
    assert [fields[0] for fields in answer] == ["MSH", "MSA", "QAK", "QPD", "PID"]
    pid = answer[4]
    assert pid[3] == f"{HOSP_ID}~{LAB_ID}"
    assert pid[5] == "Zhang^San^^^^^L^A~张^三^^^^^L^I"
    assert (pid[7], pid[8]) == ("19800203", "F")
    assert pid[11] == "1 Road City 100000 CN"
    assert pid[13] == "010-5550"


def test_pdq_the_domains_asked_for(people: Door) -> None:
    answer = people.ask(pdq("@PID.5.1.1^*", "^^^LAB"))
    assert sorted(p[3] for p in of(answer, "PID")) == [LAB_ID, LAB_ID.replace("L1", "L4")]
    refused = people.ask(pdq("@PID.5.1.1^*", "^^^LAB~^^^NOWHERE"))
    assert (word(refused), places(refused)) == ("AE AE", ["QPD^1^8^2 204"])


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("", "QPD^1^3 101"), ("@PID.5.1.1^", "QPD^1^3 101"), ("@PID.6.1^X", "QPD^1^3^1 102"),
        ("@PID.8^M~PID.5^X", "QPD^1^3^2 102"), ("@PID.7^soon", "QPD^1^3^1 102"),
        ("@PID.8^X", "QPD^1^3^1 102"), ("@ZZZ.1^X", "QPD^1^3^1 102"),
    ],
)  # fmt: skip
def test_pdq_what_cannot_be_asked(people: Door, asked: str, where: str) -> None:
    answer = people.ask(pdq(asked))
    assert (word(answer), places(answer)) == ("AE AE", [where])


def test_pdq_pages_hold_everybody_once(people: Door) -> None:
    seen: list[str] = []
    after = ""
    for turn in range(4):
        answer = people.ask(pdq("@PID.5.1.1^*", most="1^RD", after=after))
        assert word(answer) == "AA OK"
        seen += [p[3].partition("^")[0] for p in of(answer, "PID")]
        continued = of(answer, "DSC")
        assert bool(continued) == (turn < 3)
        after = continued[0][1] if continued else ""
    assert sorted(seen) == ["L4", "P1", "P2", "P3"]


def test_pdq_a_pointer_fits_its_query_only(people: Door) -> None:
    answer = people.ask(pdq("@PID.5.1.1^*", most="1^RD"))
    pointer = of(answer, "DSC")[0][1]
    for message in (
        pdq("@PID.5.1.1^Z*", most="1^RD", after=pointer),
        pdq("@PID.5.1.1^*", after="nonsense"),
    ):
        refused = people.ask(message)
        assert (word(refused), places(refused)) == ("AE AE", ["DSC^1^1 204"])
    for most in ("some^RD", f"{'9' * 5000}^RD"):
        wrong = people.ask(pdq("@PID.5.1.1^*", most=most))
        assert places(wrong) == ["RCP^1^2^1^1 102"]


def test_a_cancelled_query_is_acknowledged(people: Door) -> None:
    text = pdq("@PID.5.1.1^*").split("\r")[0].replace("QBP^Q22^QBP_Q21", "QCN^J01^QCN_J01")
    answer = people.ask(text + "\rQID|TAG8|IHE PDQ Query\r")
    assert (of(answer, "MSA")[0][1], answer[0][8]) == ("AA", "ACK^J01^ACK")
    assert of(people.ask(text + "\r"), "MSA")[0][1] == "AE"


@pytest.mark.parametrize("asked", ["@PID.5.1.1^*", "@PV1.3.1^WARD", "@PV1.19.1^V1~@PID.3.1^P1"])
def test_visits_are_kept_of_nobody(people: Door, asked: str) -> None:
    answer = people.ask(pdq(asked, event="ZV1"))
    assert (word(answer), answer[0][8]) == ("AA NF", "RSP^ZV2^RSP_ZV2")
    refused = people.ask(pdq(asked, "^^^NOWHERE", event="ZV1"))
    assert (word(refused), places(refused)) == ("AE AE", ["QPD^1^8^1 204"])


@pytest.mark.parametrize(
    ("declared", "sent", "answered", "says"),
    [
        ("UNICODE UTF-8", "utf-8", "utf-8", "UNICODE UTF-8"),
        ("GB 18030-2000", "gb18030", "gb18030", "GB 18030-2000"),
        ("GBK", "gbk", "gbk", "GBK"),
        ("", "utf-8", "utf-8", "UNICODE UTF-8"),
        ("8859/1", "latin-1", "utf-8", "UNICODE UTF-8"),
        ("ASCII", "ascii", "utf-8", "UNICODE UTF-8"),
    ],
)
def test_the_answer_is_in_the_character_set_of_the_question(
    people: Door, declared: str, sent: str, answered: str, says: str
) -> None:
    text = pdq("@PID.3.1^P1", charset=declared)
    answer = people.ask(text, sent, answered)
    assert answer[0][17] == says
    assert "张^三" in of(answer, "PID")[0][5]


def test_other_delimiters_come_back(people: Door) -> None:
    text = pdq("@PID.3.1^P1").replace("|", "#").replace("^", "*").replace("~", "@")
    text = text.replace("@PID.3.1", "\\R\\PID.3.1")
    with people.connect() as connection:
        connection.sendall(b"\x0b" + text.encode() + b"\x1c\r")
        said = connection.recv(65536).decode()
    assert f"P1***HOSP&{AUTHORITY}&ISO@L1***LAB" in said


def test_a_query_is_recorded_and_needs_its_right(tmp_path: Path) -> None:
    with installation(tmp_path, SPECS) as place:
        made = Door(place)
        try:
            for rights, expected in ((["feed"], "AR"), (["feed", "find"], "AA")):
                place.administration.allow_ae("VIEWER", ["127.0.0.0/8"], rights)
                place.administration.allow_ae("HIS", ["127.0.0.0/8"], ["feed"])
                place.guard.directory.refresh()
                made.send(adt())
                assert of(made.ask(pix("P100^^^HOSP")), "MSA")[0][1] == expected
            made.ask(pdq("@PID.3.1^P9^^^x"))
            found = AuditTrail(place.views).search(AuditQuery(), policy=sa.true()).items
            rows = [(r.transaction, r.action, r.outcome) for r in found if r.subject == "VIEWER"]
            assert sorted(rows) == [
                ("ITI-21", "find", "success"), ("ITI-9", "find", "denied"),
                ("ITI-9", "find", "success"),
            ]  # fmt: skip
        finally:
            made.close()
