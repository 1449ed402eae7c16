"""A system proves who it is by its TLS certificate; a stranger's certificate opens nothing.

Mutual TLS on the HTTP door (ITI TF-2 3.19): the certificate's fingerprint is the identity. On the
DICOM door (PS3.15 B.12) it is tied to an AE title.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pynetdicom import AE, Association
from pynetdicom.sop_class import Verification

from tests.support import xds
from tests.support.certificates import Authority, Identity, authority
from tests.support.peers import free_port
from tests.support.running import RunningPianku
from tests.support.soap import Answer, SoapClient

pytestmark = pytest.mark.tender("R-6.2.11")


@dataclass
class Site:
    """An installation with TLS, and the authorities round it."""

    running: RunningPianku
    server_ca: Authority
    hospital_ca: Authority
    dicom_port: int


@pytest.fixture(scope="module")
def site(engine_dsn: str | None, tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    server_ca, hospital_ca = authority(folder, "server-ca"), authority(folder, "hospital-ca")
    own = server_ca.issue("pianku")
    settings = {
        "PIANKU_HTTP__TLS_CERTIFICATE": str(own.certificate),
        "PIANKU_HTTP__TLS_KEY": str(own.key),
        "PIANKU_HTTP__CLIENT_CA": str(hospital_ca.certificate),
        "PIANKU_DIMSE__TLS_CERTIFICATE": str(own.certificate),
        "PIANKU_DIMSE__TLS_KEY": str(own.key),
        "PIANKU_DIMSE__TLS_CA": str(hospital_ca.certificate),
        "PIANKU_DIMSE__TLS_PORT": str(dicom_port := free_port()),
    }
    with RunningPianku("serve", dsn=engine_dsn, settings=settings) as running:
        yield Site(running, server_ca, hospital_ca, dicom_port)


def test_a_trusted_certificate_is_a_system_that_may_query(site: Site) -> None:
    ris = site.hospital_ca.issue("ris")
    before = _query(site, ris)
    site.running.trust_certificate(ris.fingerprint, "RIS", "system")

    after = _query(site, ris)

    assert before.is_fault
    assert xds.status(after) == xds.SUCCESS, after.text()


def test_without_a_certificate_nothing_is_told(site: Site) -> None:
    assert _query(site, None).is_fault


def test_a_certificate_of_the_right_authority_that_nobody_granted_is_refused(site: Site) -> None:
    assert _query(site, site.hospital_ca.issue("somebody")).is_fault


def test_a_certificate_of_another_authority_ends_the_handshake(site: Site) -> None:
    stranger = authority(site.hospital_ca.folder, "stranger-ca").issue("ris")

    with pytest.raises((ssl.SSLError, ConnectionError)):
        _query(site, stranger)


def test_a_header_cannot_claim_a_certificate(site: Site) -> None:
    ris = site.hospital_ca.issue("claimed")
    site.running.trust_certificate(ris.fingerprint, "claimed", "system")
    headers = {
        "X-SSL-Client-Fingerprint": ris.fingerprint,
        "X-Client-Cert": ris.certificate.read_text(encoding="utf-8").replace("\n", " "),
    }

    assert _query(site, None, headers).is_fault


@pytest.mark.tender("R-6.2.4.1")
def test_a_modality_is_known_by_its_certificate_and_held_to_what_it_may(site: Site) -> None:
    ct1, other = site.hospital_ca.issue("ct1"), site.hospital_ca.issue("us1")
    stranger = site.server_ca.issue("stranger")
    assert _echoes(site, ct1) is None

    site.running.cli("nodes", "allow", "CT1", "--right", "echo", "--certificate", ct1.fingerprint)

    shown = ("--tls-certificate", str(ct1.certificate), "--tls-key", str(ct1.key))
    trusted = ("--tls-ca", str(site.server_ca.certificate), "-aet", "CT1")
    site.running.cli("dimse", "echo", "127.0.0.1", str(site.dicom_port), *shown, *trusted)
    assert _echoes(site, other) is None
    assert _echoes(site, stranger) is None
    plain = AE("CT1")
    plain.add_requested_context(Verification)
    refused = plain.associate("127.0.0.1", site.running.dimse_port, ae_title="PIANKU")
    assert refused.is_rejected


@pytest.mark.tender("R-6.2.4.1")
def test_what_is_taken_from_a_node_is_taken_from_its_open_association(site: Site) -> None:
    ct2 = site.hospital_ca.issue("ct2")
    grant = {"ae_title": "CT2", "networks": ["127.0.0.0/8"], "rights": ["echo"]}
    site.running.administer("ae-titles", grant)
    association = _associate(site, ct2, "CT2")
    assert association.send_c_echo().Status == 0x0000
    for services, status in ((["store"], 0x0124), (["echo"], 0x0000)):
        site.running.administer("ae-titles", {**grant, "limits": {"services": services}})
        time.sleep(1.0)
        assert association.send_c_echo().Status == status
    association.release()


def _associate(site: Site, identity: Identity, title: str = "CT1") -> Association:
    ae = AE(title)
    ae.add_requested_context(Verification)
    context = ssl.create_default_context(cafile=str(site.server_ca.certificate))
    context.check_hostname = False
    context.load_cert_chain(identity.certificate, identity.key)
    return ae.associate(
        "127.0.0.1", site.dicom_port, ae_title="PIANKU", tls_args=(context, "localhost")
    )


def _echoes(site: Site, identity: Identity) -> int | None:
    """Return the status of a C-ECHO, None where no association is made."""
    association = _associate(site, identity)
    if not association.is_established:
        return None
    try:
        return int(association.send_c_echo().Status)
    finally:
        association.release()


def _query(site: Site, identity: Identity | None, headers: dict[str, str] | None = None) -> Answer:
    context = ssl.create_default_context(cafile=str(site.server_ca.certificate))
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    client = SoapClient(site.running.http, headers, tls=context)
    try:
        return xds.stored_query(client, xds.FIND_DOCUMENTS, {
            "$XDSDocumentEntryPatientId": "'T1^^^&1.2.3&ISO'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        })  # fmt: skip
    finally:
        client.close()


def test_a_path_may_not_leave_the_folder_of_the_viewer(site: Site, tmp_path: Path) -> None:
    """The door that serves the viewer's files serves nothing else (no sign-in is needed there)."""
    context = ssl.create_default_context(cafile=str(site.server_ca.certificate))
    with httpx.Client(verify=context) as web:
        for path in (
            "/../keys/master.key",
            "/..%2fkeys%2fmaster.key",
            "/assets/..%2f..%2fdemo.json",
        ):
            answer = web.get(f"{site.running.http}{path}")
            assert b"tokens" not in answer.content
            assert answer.headers["content-type"].startswith(("text/html", "application/json"))
