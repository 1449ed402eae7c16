"""Studies to ask for by every rule of PS3.4 C, and the asking.

Used by the tests of queries; pynetdicom is the peer.
"""

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

from tests.support.archive import instance

STUDY_ROOT = StudyRootQueryRetrieveInformationModelFind


def item(**attributes):
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


REQUESTS = [
    item(RequestedProcedureID="RP-1", ScheduledProcedureStepID="SPS-1"),
    item(RequestedProcedureID="RP-2", ScheduledProcedureStepID="SPS-2", StudyID="X"),
]
STORED = [
    *[
        instance(n, study="A", series=str(1 + n // 2), PatientName="Zhang^San=张^三",
                 StudyDate="20260301", StudyTime="230000", PatientAge="044Y",
                 RequestAttributesSequence=REQUESTS)
        for n in range(4)
    ],
    instance(1, study="B", PatientName="张^三", StudyDate="20260302", StudyTime="0100",
             Modality="MR", PatientID="PAT-A", AcquisitionDateTime="20260302010000.000000+0800"),
    instance(1, study="C", PatientName="Zhang^San", StudyDate="20260302", StudyTime="120000",
             AccessionNumber="", Modality="SR"),
    instance(1, study="D", PatientName="Müller^Änne", StudyDate="20260401", StudyTime="120000.25",
             PatientID="pat-d", StudyDescription="胸部"),
]  # fmt: skip


def ask(port, level="STUDY", model=STUDY_ROOT, agreed=(), **keys):
    """Return the identifiers, the statuses and the last response."""
    ae = AE("WS")
    ae.add_requested_context(model)
    ae.add_requested_context(Verification)
    offered = []
    if agreed:
        one = SOPClassExtendedNegotiation()
        one.sop_class_uid = model
        one.service_class_application_information = bytes(
            int(number in agreed) for number in range(7)
        )
        offered.append(one)
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU", ext_neg=offered)
    assert association.is_established
    query = item(QueryRetrieveLevel=level, **keys)
    found, words, last = [], [], None
    for last, identifier in association.send_c_find(query, model):
        if identifier is not None:
            found.append(identifier)
            words.append(last.Status)
    association.release()
    return found, words, last
