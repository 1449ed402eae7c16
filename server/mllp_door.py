"""The HL7 v2 door put together (ITI TF-2 3.8, 3.9, 3.21, MLLP).

Design C (composition), A10. Called by `server.roles` for the mllp process.
"""

from __future__ import annotations

import socket

from adapters.hl7v2.endpoint import MllpServer
from adapters.hl7v2.iti8_patient_identity_feed import FeedPolicy
from adapters.hl7v2.iti64_pid_link_change import PidLinkChange
from adapters.hl7v2.routes import Parts, routes
from server.identity import domains_of
from server.wiring import Installation
from workflows.change_pid_link import ChangePidLink
from workflows.receive_identity_feed import IdentityFeed


def mllp_server(here: Installation, listener: socket.socket) -> MllpServer:
    """Return the server on a listening socket."""
    domains = domains_of(here.settings, here.identity)
    policy = FeedPolicy(domains, receiving_application=here.settings.mllp.receiving_application)
    feed = IdentityFeed(here.facts, here.keys.patient_keys, domains.affinity.oid)
    change = ChangePidLink(
        here.documents, here.update, here.keys.patient_keys, source_oid=here.identity.source_oid
    )
    link = PidLinkChange(change, here.patients, here.keys.patient_keys, domains)
    return MllpServer(
        listener,
        routes=routes(Parts(feed, here.patients, policy, link)),
        guard=here.guard,
        policy=policy,
    )
