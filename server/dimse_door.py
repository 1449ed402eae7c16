"""The DICOM door put together (PS3.7, PS3.8).

Design C (composition), A10 (one port). Called by `server.roles` for a dimse process.
"""

from __future__ import annotations

import socket

from adapters.dimse.endpoint import DimseServer
from adapters.dimse.limits import Limits
from server.wiring import Installation


def dimse_server(here: Installation, listener: socket.socket) -> DimseServer:
    """Return the server on a listening socket, which other receivers may share."""
    told = here.settings.dimse
    return DimseServer(
        ae_title=told.ae_title,
        listener=listener,
        intake=here.intake,
        study_index=here.searches,
        storage_map=here.storage,
        blobs=here.blobs,
        guard=here.guard,
        limits=Limits(max_associations=told.max_associations),
    )
