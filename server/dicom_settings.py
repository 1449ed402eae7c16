"""Settings of the DICOM door, a part of the one tree of `server.settings`.

Design F. PS3.8 (upper layer), PS3.15 B.12 (TLS). Used by `server.settings` alone; who needs a
value takes it from there.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class DimseSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The DICOM door."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.")] = 11112
    ae_title: Annotated[str, Meta(max_length=16, description="Our AE title.")] = "PIANKU"
    original_ae_title: Annotated[
        str,
        Meta(
            max_length=16,
            description="Who calls this AE title instead is given instances with the headers they "
            "came with, uncorrected; empty = nobody is.",
        ),
    ] = ""
    receivers: Annotated[int, Meta(ge=1, description="Receiver processes on the one port.")] = 2
    max_associations: Annotated[
        int, Meta(ge=1, description="Associations at once, per receiver process.")
    ] = 64
    tls_port: Annotated[
        int, Meta(description="Port for DICOM by TLS, with tls_certificate; 0 takes a free one.")
    ] = 2762
    tls_certificate: Annotated[
        str, Meta(description="PEM certificate chain, shown both ways; empty = no TLS.")
    ] = ""
    tls_key: Annotated[str, Meta(description="PEM private key of the certificate.")] = ""
    tls_ca: Annotated[
        str, Meta(description="PEM file of the authorities of other nodes' certificates.")
    ] = ""
    tls_clients: Annotated[
        Literal["required", "optional"],
        Meta(description="Whether who comes by TLS must show a certificate."),
    ] = "required"
    max_pdu: Annotated[
        int, Meta(ge=4096, le=1 << 24, description="Octets of a P-DATA-TF PDU we take.")
    ] = 1 << 20
    max_instance_mib: Annotated[
        int, Meta(ge=1, description="Largest data set in C-STORE, MiB.")
    ] = 8192
    artim_seconds: Annotated[
        float, Meta(gt=0, description="From the connection to the request, and the TLS handshake.")
    ] = 30.0
    idle_seconds: Annotated[
        float, Meta(gt=0, description="An association without a message for so long is aborted.")
    ] = 600.0
    relational_queries: Annotated[
        bool,
        Meta(
            description="Answer C-FIND without the unique keys of the levels above also to who did "
            "not negotiate relational queries."
        ),
    ] = True
    private_sop_classes: Annotated[
        bool, Meta(description="Store SOP classes that are not the standard's, as they come.")
    ] = True
    private_transfer_syntaxes: Annotated[
        tuple[str, ...], Meta(description="Transfer syntaxes to take besides the standard's.")
    ] = ()
    availability_recipients: Annotated[
        tuple[str, ...],
        Meta(
            description="AE titles told when a study is complete or something of it is rejected "
            "(Instance Availability Notification); their addresses are those of the known nodes."
        ),
    ] = ()
    retry_seconds: Annotated[
        int, Meta(ge=1, description="First wait before a notification is sent again; it doubles.")
    ] = 30
    longest_wait_seconds: Annotated[int, Meta(ge=1, description="Longest such wait.")] = 3600
    give_up_hours: Annotated[
        int, Meta(ge=1, description="When a notification that is not taken is given up.")
    ] = 168
