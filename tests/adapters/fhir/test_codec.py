"""Codes, identifiers, times and people between XDS and FHIR: what goes out comes back the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.fhir import codes, decode_documents, element, people, times
from adapters.fhir.element import Element, read, write_json, write_xml
from adapters.fhir.encode_documents import Shown, document_reference, folder_list
from adapters.fhir.search import Given, token
from kernel.codes import Code
from registry.documents.values import Author, Slot
from tests.support import fhir
from tests.support.submissions import PATIENT, REPOSITORY, entry, folder

KEY = uuid4()
EARLIEST, LATEST = (datetime.fromisoformat(text) for text in ("1900-01-01", "2999-01-01"))
SHOWN = Shown(KEY, "http://here.example/fhir/r4", REPOSITORY)
OIDS = st.builds(
    lambda parts: "1.2." + ".".join(map(str, parts)),
    st.lists(st.integers(0, 9999), min_size=1, max_size=6),
)
TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFFF, exclude_categories=["Cs", "Cc", "Cn"]),
    min_size=1, max_size=30,
)  # fmt: skip
SCHEMES = st.one_of(
    OIDS,
    st.sampled_from(sorted(codes.SYSTEMS)),
    TEXTS.filter(lambda t: ":" not in t and t == t.strip()),
)
WORDS = st.text(st.sampled_from("abcdefgh王芳é-"), min_size=1, max_size=8)


@given(SCHEMES)
def test_a_scheme_is_found_by_the_system_it_became(scheme: str) -> None:
    system = codes.system_of(scheme)
    assert not any(c.isspace() for c in system)
    assert scheme in codes.schemes_of(system)
    told = codes.code_of(Element(codes.concept(Code("x", scheme, "y"))))
    assert told is not None
    assert token(f"{system}|x").fits(Code("x", scheme))
    if scheme not in {"DCM", "LN", "SCT", "SRT"}:
        assert told == Code("x", scheme, "y")


@given(st.one_of(OIDS, st.builds("{}^{}".format, OIDS, st.text("abc123", min_size=1, max_size=9)),
                 st.builds(lambda u: f"urn:uuid:{u}", st.uuids()), st.text("ab-_/.", min_size=1)))  # fmt: skip
def test_a_unique_id_comes_back(unique_id: str) -> None:
    made = codes.identifier(unique_id, "usual")
    assert codes.unique_id_of(made["system"], made["value"]) == unique_id


@given(st.text("abcXYZ0123456789-", min_size=1, max_size=20), OIDS,
       st.sampled_from([codes.ACCESSION, codes.STUDY, codes.ENCOUNTER, "urn:ihe:iti:xds:2013:order"]))  # fmt: skip
def test_a_cxi_comes_back(value: str, oid: str, kind: str) -> None:
    for cxi in (f"{value}^^^&{oid}&ISO^{kind}", f"{value}^^^^{kind}", f"{oid}^^^^{kind}"):
        told_kind, made = codes.reference_identifier(cxi)
        assert told_kind == kind
        assert codes.reference_id(Element(made)) == cxi


@given(st.datetimes(EARLIEST, LATEST), st.sampled_from([4, 6, 8, 12, 14]))
def test_a_dtm_comes_back(moment: datetime, precision: int) -> None:
    dtm = moment.strftime("%Y%m%d%H%M%S")[:precision]
    shown = times.date_time(dtm)
    assert times.dtm_of(shown) == (dtm if precision != 12 else dtm + "00")
    assert times.span_of_fhir(shown).low == times.span_of_dtm(dtm).low


def test_the_calendar_ends_without_a_failure() -> None:
    for told in ("9999", "999912", "99991231", "99991231235959", "9999-12-31T23:59:59Z"):
        span = times.span_of_fhir(told) if "-" in told else times.span_of_dtm(told)
        assert span.low < span.high or span.high == times.FOREVER.high


def test_times_of_other_zones_become_utc() -> None:
    assert times.dtm_of("2004-12-23T08:01:00+10:00") == "20041222220100"
    assert times.dtm_of("2004-12-23T08:01:00.123Z") == "20041223080100"
    assert times.span_of_fhir("2004-12-23T08:01-05:00").low == datetime(
        2004, 12, 23, 13, 1, tzinfo=UTC
    )
    for wrong in ("", "yesterday", "2026-13", "2026-02-30", "20260101", "2026-01-01T25:00:00Z"):
        with pytest.raises(ValueError):
            times.dtm_of(wrong)


@settings(deadline=None)  # the oracle's classes load on first use
@given(WORDS, WORDS, st.lists(WORDS, max_size=2), st.booleans())
def test_an_author_comes_back(family: str, given_: str, roles: list[str], at: bool) -> None:
    author = Author(
        person=f"77^{family}^{given_}^^^^^^&1.2.3&ISO",
        institutions=(f"{family}^^^^^&1.2.4&ISO^^^^9", "Other") if at else (),
        roles=tuple(roles),
        telecommunications=("^^Internet^a@example.org", "5550100^WPN^PH"),
    )
    contained, local_id = people.author_resources(author, "a1")

    def find(reference: Element) -> Element:
        name = reference.text("reference").removeprefix("#")
        return next((Element(c) for c in contained if c["id"] == name), element.NOTHING)

    assert people.author_of(find(Element({"reference": f"#{local_id}"})), find) == author
    for one in contained:
        get_fhir_model_class(one["resourceType"]).model_validate(one)


def test_an_entry_comes_back_whole() -> None:
    told = entry(
        authors=(Author(person="^Example^Ada"), Author(institutions=("General",))),
        legal_authenticator="1^Boss^Bob^^^^^^&1.2.3&ISO",
        event_codes=(Code("CT", "1.2.840.10008.2.16.4", "CT"),),
        service_start_time="20260101", service_stop_time="20260102030405",
        title='<标题> & "more"', comments="a\nb", unique_id="1.2.3^x",
        source_patient_info=("PID-3|P-1001^^^&1.2.250.99.1&ISO", "PID-5|Test^Pat^Middle", "PID-7|19700201", "PID-8|F"),
        reference_ids=("A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",
                       "E1^^^&1.2.3&ISO^urn:ihe:iti:xds:2015:encounterId"),
    )  # fmt: skip
    shown = document_reference(told, SHOWN)
    for text in (write_json(shown), write_xml(shown)):
        found = read(text, xml=text.startswith(b"<"))

        def find(reference: Element, found: Element = found) -> Element:
            name = reference.text("reference").removeprefix("#")
            held = (c for c in found.all("contained") if c.text("id") == name)
            return next(held, element.NOTHING)

        again = decode_documents.document_entry(
            found, decode_documents.Subject(KEY, PATIENT), find,
            decode_documents.Minimal("20260101000000", "1.2"),
        )  # fmt: skip
        for name in told.__struct_fields__:
            if name not in {"repository_unique_id", "logical_id"}:
                assert getattr(again, name) == getattr(told, name), name


@given(st.recursive(st.one_of(TEXTS, st.integers(), st.booleans()), lambda inner: st.lists(
    st.dictionaries(st.sampled_from(["code", "entry", "name"]), inner, min_size=1, max_size=3),
    min_size=1, max_size=3), max_leaves=12))  # fmt: skip
def test_xml_and_json_read_the_same(value: Any) -> None:
    resource = {
        "resourceType": "Basic",
        "id": "x",
        "item": value if isinstance(value, list) else [{"v": value}],
    }

    def shape(one: Element, depth: int = 0) -> Any:
        return {
            name: [shape(e, depth + 1) for e in one.all(name)] or one.texts(name)
            for name in one.data
            if name != "resourceType"
        }

    assert shape(read(write_xml(resource), xml=True)) == shape(
        read(write_json(resource), xml=False)
    )


def test_our_xml_is_read_as_the_standard_reads_it() -> None:
    shown = document_reference(entry(extra=(Slot("urn:x", ("1",)),), hash="0" * 40), SHOWN)
    assert (
        read(write_xml(shown), xml=True)
        .text("content", "attachment", "url")
        .startswith("http://here")
    )
    held = folder_list(folder(), KEY, [("DocumentReference", KEY)])
    get_fhir_model_class("List").model_validate(held)
    # The rules of R4 2.6.1 by lxml instead of by our writer.
    assert _c14n(write_xml(held)) == _c14n(fhir.to_xml(held, None))


def test_escapes_in_parameters_are_taken_off() -> None:
    assert Given("x", "", r"a\,b,c").alternatives() == [r"a\,b", "c"]
    assert (token(r"a\|b").system, token(r"a\|b").value) == (None, "a|b")
    assert (token("s|v").system, token("|v").system, token("s|").value) == ("s", "", "")
    assert json.dumps(Given("x", "", "a").alternatives()) == '["a"]'


def _c14n(octets: bytes) -> str:
    text: str = etree.canonicalize(octets.decode())
    return text
