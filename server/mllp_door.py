"""The HL7 v2 door put together (ITI TF-2 3.8, MLLP).

Design C (composition), A10. Called by `server.roles` for the mllp process.
"""

from __future__ import annotations

import socket

from adapters.hl7v2.endpoint import MllpServer
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy
from server.wiring import Installation
from workflows.receive_identity_feed import IdentityFeed


def mllp_server(here: Installation, listener: socket.socket) -> MllpServer:
    """Return the server on a listening socket."""
    return MllpServer(
        listener,
        feed=IdentityFeed(here.facts, here.keys.patient_keys, here.identity.assigning_authority),
        guard=here.guard,
        policy=FeedPolicy(here.identity.assigning_authority),
    )
