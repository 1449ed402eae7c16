"""C-GET and C-MOVE by pynetdicom, and a storage SCP of its own to send to.

Called by tests/adapters/dimse.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)


def get(
    port, *, classes=(CTImageStorage,), syntaxes=(ExplicitVRLittleEndian,), answer=0x0000, **keys
):
    """Retrieve by C-GET with pynetdicom; returns data sets and the final status."""
    ae = AE("WS")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    for sop_class in classes:
        ae.add_requested_context(sop_class, list(syntaxes))
    got = []

    def store(event):
        ds = event.dataset
        ds.file_meta = event.file_meta
        got.append(ds)
        return answer

    assoc = ae.associate(
        "127.0.0.1",
        port,
        ae_title="PIANKU",
        ext_neg=[build_role(c, scp_role=True) for c in classes],
        evt_handlers=[(evt.EVT_C_STORE, store)],
    )
    query = Dataset()
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    final = [s for s, _ in assoc.send_c_get(query, StudyRootQueryRetrieveInformationModelGet)][-1]
    assoc.release()
    return got, final


def move(port, destination, **keys):
    ae = AE("WS")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    query = Dataset()
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    final = [
        s
        for s, _ in assoc.send_c_move(
            query, destination, StudyRootQueryRetrieveInformationModelMove
        )
    ][-1]
    assoc.release()
    return final


def same(a, b):
    return {e.tag: e.value for e in a} == {e.tag: e.value for e in b}


class Destination:
    """A storage SCP of pynetdicom's."""

    def __init__(self, syntaxes, answer=0):
        self.got, self.origin = [], []
        ae = AE("THIRD")
        ae.add_supported_context(CTImageStorage, syntaxes)
        self.server = ae.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)]
        )
        self.port = self.server.server_address[1]
        self.answer = answer

    def store(self, event):
        ds = event.dataset
        ds.file_meta = event.file_meta
        self.got.append(ds)
        self.origin.append(
            (
                event.request.MoveOriginatorApplicationEntityTitle,
                event.request.MoveOriginatorMessageID,
            )
        )
        return self.answer(event) if callable(self.answer) else self.answer
