"""Rejected instances are out of every answer, whichever comes first: the note or the image.

RAD TF-3 4.66 (IOCM), on both engines.
"""

import json
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from projections.study_index.attributes import MARK, Level
from projections.study_index.search import Search
from tests.support.archive import instance, stable
from tests.support.imaging import imaging
from tests.support.manifests import KOS, coded
from tests.support.postgres import drop_schema

ALL = sa.true()
QUALITY, SAFETY, WRONG, EXPIRED = "113001", "113037", "113038", "113039"


@pytest.fixture
def archive(engine_dsn, tmp_path):
    schema = "" if engine_dsn is None else f"test_{uuid4().hex[:12]}"
    with imaging(tmp_path, dsn=engine_dsn, schema=schema) as made:
        yield made
    if engine_dsn is not None:
        drop_schema(engine_dsn, schema)


def item(**attributes):
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def note(*numbers, study="A", series="1", reason=QUALITY, number=1, scheme="DCM", **attributes):
    """A rejection note in a series of its own."""
    references = [
        item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=uid)
        for uid in (stable(study, series, n) for n in numbers)
    ]
    evidence = item(
        StudyInstanceUID=stable(study),
        ReferencedSeriesSequence=[
            item(SeriesInstanceUID=stable(study, series), ReferencedSOPSequence=references)
        ],
    )
    return instance(
        number,
        study=study,
        series="99",
        SOPClassUID=KOS,
        Modality="KO",
        ConceptNameCodeSequence=[coded(reason, scheme, "why")],
        CurrentRequestedProcedureEvidenceSequence=[evidence],
        **attributes,
    )


def decoded(octets):
    return json.loads(octets.replace(MARK, b""))


def found(archive, level, **more):
    search = Search(level=level, **more)
    return [decoded(one) for one in archive.searches.find(search, policy=ALL).items]


def sops(archive, study="A"):
    answers = found(archive, Level.INSTANCE, study_uid=stable(study))
    return {one["00080018"]["Value"][0] for one in answers}


def told(archive, study="A", series=""):
    """The SOP Instance UIDs in the metadata of a study."""
    pieces = archive.index.metadata(stable(study), stable(study, series) if series else "")
    return {one["00080018"]["Value"][0] for one in decoded(b"[" + b",".join(pieces) + b"]")}


@pytest.mark.parametrize("reason", [QUALITY, SAFETY, WRONG, EXPIRED])
def test_what_a_note_names_is_gone_from_every_answer_and_so_is_the_note(archive, reason):
    archive.store(*(instance(n) for n in (1, 2, 3)), instance(1, series="2", Modality="MR"))
    before = archive.index.revision(stable("A"))
    archive.store(note(2, reason=reason))
    left = {stable("A", "1", 1), stable("A", "1", 3), stable("A", "2", 1)}

    assert sops(archive) == left
    assert told(archive) == left
    assert told(archive, series="1") == left - {stable("A", "2", 1)}
    assert {one.sop_uid for one in archive.index.instances_of(stable("A"))} == left
    assert {one.sop_uid for one in archive.storage.instances(stable("A"))} == left
    assert archive.storage.locate(stable("A", "1", 2)) is None
    assert set(archive.storage.locate_many([stable("A", "1", 2), stable("A", "1", 3)])) == {
        stable("A", "1", 3)
    }
    uids = stable("A"), stable("A", "1")
    assert archive.index.instance_metadata(*uids, stable("A", "1", 2)) is None
    for number in (1, 3):
        kept = decoded(archive.index.instance_metadata(*uids, stable("A", "1", number)))
        assert kept["00080018"]["Value"] == [stable("A", "1", number)]
    (study,) = found(archive, Level.STUDY)
    assert study["00201206"]["Value"] == [2]
    assert study["00201208"]["Value"] == [3]
    assert study["00080061"]["Value"] == ["CT", "MR"]
    assert [s["00201209"]["Value"] for s in found(archive, Level.SERIES)] == [[2], [1]]
    assert archive.index.revision(stable("A")) != before


def test_a_study_of_which_all_is_rejected_is_gone(archive):
    archive.store(instance(1), instance(2), instance(1, study="B"))
    archive.store(note(1, 2, reason=WRONG))
    assert [s["0020000D"]["Value"][0] for s in found(archive, Level.STUDY)] == [stable("B")]
    assert len(found(archive, Level.SERIES)) == 1
    assert archive.index.study(stable("A")) is None
    assert archive.index.revision(stable("A")) is None
    assert archive.index.metadata(stable("A")) == []
    held = archive.index.study(stable("A"), held=True)
    assert (held.held_count, held.instance_count) == (3, 0)
    assert len(archive.index.instances_for_manifest(stable("A"))) == 3


def test_a_study_comes_back_when_something_new_comes(archive):
    archive.store(instance(1))
    archive.store(note(1))
    archive.store(instance(2), instance(1, series="2", Modality="MR"))
    (study,) = found(archive, Level.STUDY)
    assert study["00201206"]["Value"] == [2]
    assert study["00201208"]["Value"] == [2]
    assert study["00080061"]["Value"] == ["CT", "MR"]
    assert sops(archive) == told(archive) == {stable("A", "1", 2), stable("A", "2", 1)}


@pytest.mark.parametrize("reason", [QUALITY, SAFETY, WRONG])
def test_a_note_that_comes_first_rejects_what_comes_later(archive, reason):
    archive.store(note(1, reason=reason))
    archive.store(instance(1), instance(2))
    assert sops(archive) == told(archive) == {stable("A", "1", 2)}
    assert archive.storage.locate(stable("A", "1", 1)) is None


def test_what_is_imported_after_its_retention_time_is_new(archive):
    archive.store(note(1, reason=EXPIRED))
    archive.store(instance(1))
    assert sops(archive) == {stable("A", "1", 1)}
    assert archive.storage.locate(stable("A", "1", 1)) is not None


def test_two_notes_for_one_instance_are_no_conflict(archive):
    archive.store(instance(1), instance(2))
    archive.store(note(1, number=1))
    archive.store(note(1, number=2, reason=SAFETY))
    archive.store(note(1, number=3, reason=SAFETY))
    assert sops(archive) == told(archive) == {stable("A", "1", 2)}


def test_a_note_and_what_it_rejects_in_one_association(archive):
    archive.store(instance(1), note(1, 3), instance(2), instance(3))
    assert sops(archive) == told(archive) == {stable("A", "1", 2)}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"reason": "113000"}, id="of interest"),
        pytest.param({"scheme": "99X"}, id="another scheme"),
    ],
)
def test_other_key_objects_reject_nothing(archive, other):
    archive.store(instance(1))
    archive.store(note(1, **other))
    assert len(sops(archive)) == 2


def test_a_note_of_another_patient_rejects_only_itself(archive):
    archive.store(instance(1, study="A"))
    archive.store(note(1, study="A", PatientID="SOMEBODY-ELSE"))
    assert sops(archive) == {stable("A", "1", 1)}


def test_metadata_of_many_instances_stay_readable_after_a_cut(archive):
    archive.store(*(instance(n) for n in range(1, 30)))
    archive.store(note(*range(1, 30, 2)))
    assert len(told(archive)) == 14
    archive.store(note(*range(2, 30, 4), number=2))
    assert told(archive) == sops(archive) == {stable("A", "1", n) for n in range(4, 30, 4)}
