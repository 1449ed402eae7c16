"""What moves on: studies moved again, in circles and home, and what comes late for them."""

import io
import json

import pydicom
import pytest

from projections.study_index.attributes import MARK
from tests.support.archive import instance, open_archive, stable
from tests.workflows.test_correct_studies import WHY, House, pid, value
from tests.workflows.test_publish_manifests import note
from workflows.correct_studies import AskedMove

A, B, C = stable("A"), stable("B"), stable("C")


@pytest.fixture
def house(tmp_path):
    made = open_archive(tmp_path)
    yield House(made)
    made.close()


def one(study, number=1, **more):
    return instance(number, study=study, **{"PatientID": "PAT-A", **more})


def merge(house, study, to):
    house.studies.move(AskedMove(study_uid=study, to_study_uid=to), reason=WHY)


def addresses(house, study, **more):
    """Return where the bulk data of a study are said to lie."""
    text = b"".join(house.index.metadata(study, **more)).replace(MARK, b"")
    found = {part.split(b'"')[0].decode() for part in text.split(b'"BulkDataURI":"')[1:]}
    assert found
    return {uri.partition("/series/")[0] for uri in found}


def where(house, *uids):
    places = house.archive.views.map.locate_many(uids)
    rows = {uid: house.index.instances_of(places[uid].study_uid) for uid in uids}
    assert all(uid in {one.sop_uid for one in rows[uid]} for uid in uids)
    return [places[uid].study_uid for uid in uids]


@pytest.mark.tender("R-6.3.4")
@pytest.mark.parametrize("original", [False, True])
def test_bulk_data_of_what_came_late_lie_where_it_is_by_now(house, original):
    house.store(instance(1), one("B"), one("C"))
    merge(house, A, B)
    house.store(instance(2))
    merge(house, B, C)
    assert addresses(house, C, original=original) == {f"/studies/{C}"}
    merge(house, C, A)
    assert addresses(house, A, original=original) == {f"/studies/{A}"}
    place = (A, stable("A", "1"), stable("A", "1", 2))
    alone = house.index.instance_metadata(*place, original=original)
    assert f"/studies/{A}/".encode() in alone
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_what_comes_late_after_a_circle_stays_where_its_study_is(house):
    house.store(instance(1), one("B"), one("C"))
    for study, to in ((A, B), (B, C), (C, A)):
        merge(house, study, to)
    house.store(instance(2), instance(2, series="2"), one("B", 2), one("C", 2))
    late = [stable(*one) for one in (("A", "1", 2), ("A", "2", 2), ("B", "1", 2), ("C", "1", 2))]
    assert where(house, *late) == [A] * 4
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_a_series_that_went_in_a_circle_stays_at_home(house):
    house.store(instance(1), one("B"), one("C"))
    merge(house, A, B)
    for study, to in ((B, C), (C, A)):
        asked = AskedMove(study_uid=study, to_study_uid=to, series_uids=[stable("A", "1")])
        house.studies.move(asked, reason=WHY)
    house.store(instance(2))
    assert where(house, stable("A", "1", 1), stable("A", "1", 2)) == [A, A]
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
def test_a_reassigned_study_keeps_nothing_of_the_old_patient_when_it_is_merged(house):
    strange = {"OtherPatientNames": "Old^Name", "PatientAge": "042Y", "OtherPatientIDs": "OLD-2"}
    house.store(
        instance(1, **strange), instance(1, study="B", PatientID="PAT-B", PatientName="B^B")
    )
    house.studies.reassign(A, pid("PAT-B"), reason=WHY)
    merge(house, A, B)
    house.store(instance(2, **strange))  # follows both
    told = house.metadata(B)
    assert len(told) == 3
    changes = house.index.corrections(list(told))
    for number in (1, 2):
        image = told[stable("A", "1", number)]
        assert value(image, "00100020") == "PAT-B"
        for tag in ("00101000", "00101001", "00101010"):
            assert value(image, tag) is None, tag
            assert changes[stable("A", "1", number)][tag] == {"vr": image[tag]["vr"]}
    house.same_anew()
    house.studies.revert(A, reason="no")
    merged = house.metadata(A)
    assert all(value(one, "00101001") is None for one in merged.values())
    house.studies.revert(A, reason="no")
    assert json.dumps(house.metadata(A)).count("Old^Name") == 2
    house.same_anew()


@pytest.mark.tender("R-6.3.4")
@pytest.mark.parametrize("first", ["note", "reassigned"])
def test_a_note_holds_whose_ever_the_study_is_by_then(house, first):
    house.store(instance(1), instance(1, study="B", PatientID="PAT-B"))
    acts = {
        "note": lambda: house.store(pydicom.dcmread(io.BytesIO(note(stable("A", "1", 2))))),
        "reassigned": lambda: house.studies.reassign(A, pid("PAT-B"), reason=WHY),
    }
    acts.pop(first)()
    for act in acts.values():
        act()
    house.store(instance(2), instance(3))
    assert {one.sop_uid for one in house.index.instances_of(A)} == {
        stable("A", "1", 1),
        stable("A", "1", 3),
    }
    assert house.archive.views.map.locate_many([stable("A", "1", 2)]) == {}
    house.same_anew()
