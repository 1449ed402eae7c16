"""The document index on both engines: searches, look-ups, what changes and what is forgotten."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from kernel.codes import Code
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.document_index.filters import (
    DocumentFilter,
    FolderFilter,
    SubmissionSetFilter,
    TimeRange,
)
from projections.document_index.projection import SPEC
from projections.document_index.view import DocumentIndex
from registry.documents.commands import Rules
from registry.documents.values import AssociationType, Author, DocumentEntry, Status
from registry.patients.events import PatientShredded
from tests.support.installation import Installation, installation
from tests.support.postgres import drop_schema
from tests.support.submissions import (
    OTHER_PATIENT,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
    submission_set,
)
from workflows.register_documents import RegisterDocuments


class Filled:
    """An index and the way to fill it."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.index = DocumentIndex(place.views)
        self.register = RegisterDocuments(
            place.facts, place.keys, rules=Rules(patient_feed_required=False)
        )

    def key(self, patient: str = PATIENT) -> UUID:
        return self.place.keys.key(PatientId.parse(patient))

    def found(self, wanted: DocumentFilter, patient: str = PATIENT) -> list[UUID]:
        with self.index.reading() as look:
            return [row.entry_uuid for row in look.find_documents([self.key(patient)], wanted)]


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Filled]:
    dsn, schema = None, ""
    if request.param == "postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
        schema = request.getfixturevalue("postgres_schema")
    with installation(tmp_path, [SPEC], dsn=dsn, schema=schema) as place:
        yield Filled(place)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def searched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[Filled, DocumentEntry, DocumentEntry]]:
    """An index that holds two documents of the patient, and is only read."""
    dsn, schema = None, f"test_{uuid4().hex[:12]}"
    if request.param == "postgresql":
        dsn = request.getfixturevalue("postgres_dsn")
    folder = tmp_path_factory.mktemp("index")
    with installation(folder, [SPEC], dsn=dsn, schema=schema) as place:
        made = Filled(place)
        yield made, *two(made)
    if dsn is not None:
        drop_schema(dsn, schema)


CT, MR, CHEST = Code("CT", "DCM"), Code("MR", "DCM"), Code("chest", "SCT")


def two(filled: Filled) -> tuple[DocumentEntry, DocumentEntry]:
    first = entry(
        event_codes=(CT, CHEST),
        authors=(Author(person="^Ford^Ada"), Author(person="^Bell^Bo")),
        creation_time="20260101",
        service_start_time="2026010109",
        reference_ids=("A1^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession",),
    )
    second = entry(
        event_codes=(MR,),
        class_code=Code("IMAGES", "1.2"),
        authors=(Author(person="^ford^Eve"),),
        creation_time="20260201120000",
        reference_ids=("A1^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession", "S1^^^^urn:x"),
        document_availability="urn:ihe:iti:2010:DocumentAvailability:Offline",
    )
    filled.register(submission(first, second))
    filled.register(submission(entry(OTHER_PATIENT)))
    return first, second


A1 = "A1^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (DocumentFilter(), "12"),
        (DocumentFilter(statuses=(Status.APPROVED,)), "12"),
        (DocumentFilter(statuses=(Status.DEPRECATED,)), ""),
        (DocumentFilter(class_codes=(Code("IMAGES", "1.2"),)), "2"),
        (DocumentFilter(class_codes=(Code("IMAGES", "1.3"),)), ""),
        (DocumentFilter(event_codes=((CT, MR),)), "12"),
        (DocumentFilter(event_codes=((CT,), (CHEST,))), "1"),
        (DocumentFilter(event_codes=((CT,), (MR,))), ""),
        (DocumentFilter(confidentiality_codes=((Code("N", "2.16.840.1.113883.5.25"),),)), "12"),
        (DocumentFilter(authors=("%Ford%",)), "1"),
        (DocumentFilter(authors=("%Ford%", "^_ord^E%")), "12"),
        (DocumentFilter(authors=("Ford",)), ""),
        (DocumentFilter(authors=("%[F]ord%",)), ""),
        (DocumentFilter(authors=("%*%",)), ""),
        (DocumentFilter(creation=TimeRange("20260101", "20260201")), "1"),
        (DocumentFilter(creation=TimeRange("20260101000000", "")), "12"),
        (DocumentFilter(creation=TimeRange("", "20260101")), ""),
        (DocumentFilter(creation=TimeRange("20260201120000", "20260201120001")), "2"),
        (DocumentFilter(creation=TimeRange("20260201120000", "20260201120000")), ""),
        (DocumentFilter(creation=TimeRange("2026", "2027")), "12"),
        (DocumentFilter(service_start=TimeRange("2025", "2027")), "1"),
        (DocumentFilter(service_stop=TimeRange("", "2027")), ""),
        (DocumentFilter(references=((A1,),)), "12"),
        (DocumentFilter(references=((A1,), ("S1^^^^urn:x",))), "2"),
        (DocumentFilter(availabilities=("Online",)), "1"),
        (DocumentFilter(object_types=("urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248",)), ""),
    ],
)
def test_documents_are_found_by_each_condition(
    searched: tuple[Filled, DocumentEntry, DocumentEntry], wanted: DocumentFilter, expected: str
) -> None:
    filled, first, second = searched
    by_name = {"1": first.entry_uuid, "2": second.entry_uuid}
    assert set(filled.found(wanted)) == {by_name[n] for n in expected}


def test_rights_narrow_what_is_there(filled: Filled) -> None:
    two(filled)
    with filled.index.reading(within=sa.false()) as look:
        assert look.find_documents([filled.key()], DocumentFilter()) == []
        assert look.find_submission_sets([filled.key()], SubmissionSetFilter()) == []


def test_look_ups_by_every_identifier(filled: Filled) -> None:
    document, case, whole = entry(), folder(), submission_set()
    joined = member(case.entry_uuid, document.entry_uuid)
    filled.register(submission(document, case, joined, whole=whole))
    with filled.index.reading() as look:
        for rows in (
            look.documents(entry_uuids=[document.entry_uuid]),
            look.documents(unique_ids=[document.unique_id]),
            look.documents(logical_ids=[document.entry_uuid]),
        ):
            assert [row.entry().unique_id for row in rows] == [document.unique_id]
        assert look.documents(unique_ids=["1.2.3"]) == []
        assert len(look.folders(unique_ids=[case.unique_id])) == 1
        assert len(look.folders(logical_ids=[case.entry_uuid])) == 1
        (found,) = look.submission_sets(unique_ids=[whole.unique_id])
        assert found.submission_set() == whole
        assert len(look.associations(sources=[whole.entry_uuid])) == 2
        (row,) = look.associations(entry_uuids=[joined.entry_uuid])
        assert row.association() == joined
        many = [uuid4() for _ in range(1200)] + [document.entry_uuid]
        assert len(look.documents(entry_uuids=many)) == 1


def test_submission_sets_and_folders_are_found_by_their_conditions(filled: Filled) -> None:
    case, whole = folder(codes=(CT, CHEST)), submission_set()
    filled.register(submission(case, whole=whole))
    with filled.index.reading() as look:

        def sets(**conditions: object) -> int:
            wanted = SubmissionSetFilter(**conditions)
            return len(look.find_submission_sets([filled.key()], wanted))

        def folders(**conditions: object) -> int:
            return len(look.find_folders([filled.key()], FolderFilter(**conditions)))

        assert sets() == sets(source_ids=(whole.source_id,)) == sets(authors=("%Example%",)) == 1
        assert sets(source_ids=("1.9",)) == sets(authors=("Nobody",)) == 0
        assert sets(submission=TimeRange("2026", "2027")) == 1
        assert sets(content_type_codes=(Code("x", "y"),)) == 0
        assert folders() == folders(codes=((CT,), (CHEST,))) == 1
        assert folders(codes=((MR,),)) == 0
        assert folders(last_update=TimeRange("2020", "")) == 1


def test_a_replacement_shows_in_status_and_folder(filled: Filled) -> None:
    old, case = entry(), folder()
    filled.register(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    new = entry()
    edge = association(AssociationType.RPLC, new.entry_uuid, old.entry_uuid)
    filled.register(submission(new, edge))

    assert filled.found(DocumentFilter(statuses=(Status.APPROVED,))) == [new.entry_uuid]
    with filled.index.reading() as look:
        (row,) = look.documents(entry_uuids=[old.entry_uuid])
        assert row.entry().availability_status is Status.DEPRECATED
        members = {r.target for r in look.associations(sources=[case.entry_uuid])}
        assert members == {old.entry_uuid, new.entry_uuid}
        (shown,) = look.folders(entry_uuids=[case.entry_uuid])
        assert len(shown.folder().last_update_time) == 14


def test_the_portals_list_and_the_place_of_a_document(filled: Filled) -> None:
    first, second = two(filled)
    lines = filled.index.documents_of(filled.key())
    assert [line.entry_uuid for line in lines] == [second.entry_uuid, first.entry_uuid]
    assert lines[1].authors == ("^Ford^Ada", "^Bell^Bo")
    assert (lines[0].mime_type, lines[0].size) == ("application/pdf", second.size)

    located = filled.index.locate(first.entry_uuid)
    assert located is not None
    assert located.patient_key == filled.key()
    assert filled.index.locate_unique(first.unique_id, first.repository_unique_id) == located
    assert filled.index.locate_unique(first.unique_id, "1.2.3") is None
    assert filled.index.locate(uuid4()) is None


def test_what_was_registered_again_is_found_twice(filled: Filled) -> None:
    first = entry()
    filled.register(submission(first))
    filled.register(submission(entry(unique_id=first.unique_id)))
    assert len(filled.found(DocumentFilter())) == 2


def test_a_shredded_patient_is_forgotten_and_stays_so_when_rebuilt(filled: Filled) -> None:
    two(filled)
    key = filled.key()
    fact = PatientShredded(patient_key=key, reason="asked for")
    filled.place.facts.append(Append((StreamAppend(key, (fact,)),)))
    filled.place.ring.destroy(key)
    assert filled.found(DocumentFilter()) == []
    with filled.index.reading() as look:
        assert look.find_submission_sets([key], SubmissionSetFilter()) == []
        for table in (look._tables.codes, look._tables.authors, look._tables.references):
            rows = look._connection.execute(sa.select(table).where(table.c.patient_key == key))
            assert rows.all() == []
    assert len(filled.found(DocumentFilter(), OTHER_PATIENT)) == 1

    # A replay meets the sealed-forever facts and must not stop on them.
    events = filled.place.facts.read(0, 1000)
    tables = SPEC.make_tables("__again")
    with filled.place.views.writer.begin() as connection:
        tables.metadata.create_all(connection)
        wanted = [e for e in events if e.fact.TOPIC in SPEC.topics]
        SPEC.make_projection(tables).apply(connection, wanted)
        counted = connection.execute(sa.select(sa.func.count()).select_from(tables.documents))
        assert counted.scalar() == 1


def test_a_hash_that_is_longer_than_a_sha1_stops_no_view(filled: Filled) -> None:
    odd = entry(hash="ab" * 32)
    filled.register(submission(odd))
    found = filled.index.locate_unique(odd.unique_id, odd.repository_unique_id)
    assert found is not None
    assert found.hash == odd.hash
