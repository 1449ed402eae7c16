"""Peers that speak of workitems: a performer and a watcher, which are pynetdicom.

PS3.4 CC. Called by tests of UPS over sockets.
"""

from __future__ import annotations

from contextlib import contextmanager

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

from adapters.dimse.contexts import UPS_EVENT as EVENT
from adapters.dimse.contexts import UPS_PULL as PULL
from adapters.dimse.contexts import UPS_PUSH as PUSH
from adapters.dimse.contexts import UPS_QUERY as QUERY
from adapters.dimse.contexts import UPS_WATCH as WATCH
from adapters.dimse.contexts import Operation
from adapters.dimse.ups import UpsCreateScp, UpsGetScp, UpsSetScp
from adapters.dimse.ups_action import UpsActionScp
from adapters.dimse.ups_find import UpsFindScp
from projections.workitems.view import Workitems
from tests.support.archive import AUTHORITY
from tests.support.workitems import TRANSACTION, UID, in_state, new_workitem
from workflows.identify_patient import PatientPolicy
from workflows.perform_workitems import PerformWorkitems


def serve_ups(serve, archive):
    """Start a receiver that serves workitems; returns its port."""
    perform = PerformWorkitems(archive.ledger, archive.patient_keys, PatientPolicy(AUTHORITY))
    return serve(
        more={
            (0x0020, Operation.UPS): UpsFindScp(Workitems(archive.views.database)),
            (0x0110, Operation.UPS): UpsGetScp(perform),
            (0x0120, Operation.UPS): UpsSetScp(perform),
            (0x0130, Operation.UPS): UpsActionScp(perform),
            (0x0140, Operation.UPS): UpsCreateScp(perform),
        }
    ).port


@contextmanager
def associated(port, *, syntax=ExplicitVRLittleEndian, title="WS1"):
    ae = AE(title)
    for uid in (PUSH, PULL, WATCH, QUERY):
        ae.add_requested_context(uid, syntax)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.is_established
    assert len(assoc.accepted_contexts) == 4
    try:
        yield assoc
    finally:
        assoc.release()


def create(assoc, ds=None, uid=UID):
    answer, _ = assoc.send_n_create(ds or new_workitem(), PUSH, uid)
    return answer


def change(assoc, ds, uid=UID):
    answer, _ = assoc.send_n_set(ds, PUSH, uid, meta_uid=PULL)
    return answer.Status


def act(assoc, action, ds, uid=UID, through=PULL):
    answer, _ = assoc.send_n_action(ds, action, PUSH, uid, meta_uid=through)
    return answer.Status


def state(assoc, wanted, transaction=TRANSACTION, uid=UID):
    return act(assoc, 1, in_state(wanted, transaction), uid)


def get(assoc, uid=UID, tags=(), through=PULL):
    answer, ds = assoc.send_n_get(list(tags), PUSH, uid, meta_uid=through)
    return answer.Status, ds


def find(assoc, through=PULL, **keys):
    asked = Dataset()
    asked.SOPInstanceUID = ""
    for keyword, value in keys.items():
        setattr(asked, keyword, value)
    answers = list(assoc.send_c_find(asked, through))
    *pending, (last, _) = answers
    assert all(one.Status == 0xFF00 for one, _ in pending)
    return last.Status, [ds for _, ds in pending]


def watching(receiver="WATCHER", *, lock=False, **keys):
    ds = Dataset()
    ds.ReceivingAE, ds.DeletionLock = receiver, "TRUE" if lock else "FALSE"
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


class Watcher:
    """An AE that is told, and keeps what it was told."""

    def __init__(self):
        self.heard, self.status = [], 0
        ae = AE("WATCHER")
        ae.add_supported_context(EVENT, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self.hear)]
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.address = ("127.0.0.1", self.server.socket.getsockname()[1])

    def hear(self, event):
        request = event.request
        self.heard.append(
            (str(request.AffectedSOPInstanceUID), event.event_type, event.event_information)
        )
        return self.status, None

    def states(self, uid):
        return [ds.ProcedureStepState for sop, kind, ds in self.heard if sop == uid and kind == 1]
