"""DICOM by TLS: certificates that are right, wrong, absent and pinned, both ways.

PS3.15 B.12; the peers are dcmtk, which nobody here wrote, and raw sockets for what it refuses to do.
"""

import ssl
import subprocess
import time
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from adapters.dimse.decode import ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.requestor import DestinationUnavailable, Requestor
from registry.access.values import AeLimits
from server.dicom_settings import DimseSettings
from server.dicom_tls import CIPHERS, OutgoingTls, acceptor
from server.settings import BadSettings
from tests.support import peers
from tests.support.archive import instance, octets
from tests.support.certificates import authority
from tests.support.dimse import CT, ECHO, EXPLICIT, RawPeer, quick, raw_peer, request

pytestmark = pytest.mark.tender("R-6.2.4.2")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ours(pki):
    return pki.issue("pianku")


@pytest.fixture(scope="module")
def theirs(pki):
    return pki.issue("ct1")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("foreign"), "foreign").issue("stranger")


@pytest.fixture
def told(pki, ours):
    def make(clients="required"):
        return DimseSettings(
            tls_certificate=str(ours.certificate), tls_key=str(ours.key),
            tls_ca=str(pki.certificate), tls_clients=clients,
        )  # fmt: skip

    return make


def dcmtk(tool, port, *more, pki=None, identity=None, options=(), title="CT1"):
    """Run a dcmtk tool by TLS; without an identity it shows no certificate."""
    peers.peer("dcmtk")
    shown = ["+tla"] if identity is None else ["+tls", identity.key, identity.certificate]
    trusted = ["-ic"] if pki is None else ["+cf", pki.certificate]
    return peers.run(
        tool, *shown, *trusted, "-aet", title, "-aec", "PIANKU", *options, "127.0.0.1", str(port),
        *more, check=False, timeout=30,
    )  # fmt: skip


def client(pki, identity=None):
    """Return a context of our own, which may do what dcmtk does not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(pki.certificate)
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


def answer(port, context):
    """Return the answer to an A-ASSOCIATE-RQ by TLS, nothing when the connection ends before."""
    try:
        with raw_peer(port) as peer:
            peer.sock = context.wrap_socket(peer.sock)
            return peer.associate(ECHO)
    except OSError:
        return b""


def test_a_node_with_a_certificate_verifies_and_stores(
    receive, told, pki, theirs, archive, guard, tmp_path
):
    receiver = receive(tls=acceptor(told()))
    assert dcmtk("echoscu", receiver.tls_port, pki=pki, identity=theirs).returncode == 0
    assert guard.fingerprints["CT1"] == theirs.fingerprint
    path = tmp_path / "a.dcm"
    path.write_bytes(octets(instance(1)))
    assert dcmtk("storescu", receiver.tls_port, path, pki=pki, identity=theirs).returncode == 0
    receiver.stop()
    assert len(archive.stored()) == 1


def test_the_plain_door_stays_as_it_is(receive, told, guard):
    receiver = receive(tls=acceptor(told()))
    with raw_peer(receiver.port) as peer:
        assert peer.associate(ECHO)[:1] == b"\x02"
    assert guard.fingerprints["RAW"] is None


def test_without_a_certificate_nobody_comes_in_where_one_is_required(receive, told, guard, pki):
    receiver = receive(tls=acceptor(told()))
    assert dcmtk("echoscu", receiver.tls_port, pki=pki).returncode != 0
    receiver.stop()
    assert guard.fingerprints == {}
    [record] = guard.recorded
    assert (record["outcome"], record["transaction"]) == ("denied", "dimse.tls")


def test_without_a_certificate_he_comes_in_where_it_is_optional(receive, told, guard, pki):
    receiver = receive(tls=acceptor(told("optional")))
    assert dcmtk("echoscu", receiver.tls_port, pki=pki).returncode == 0
    assert guard.fingerprints == {"CT1": ""}


@pytest.mark.parametrize("clients", ["required", "optional"])
def test_a_certificate_of_another_authority_is_refused(receive, told, guard, foreign, clients):
    receiver = receive(tls=acceptor(told(clients)))
    assert dcmtk("echoscu", receiver.tls_port, identity=foreign).returncode != 0
    assert guard.fingerprints == {}


def test_a_node_does_not_trust_us_by_another_authority(receive, told, theirs, tmp_path):
    other = authority(tmp_path, "other")
    receiver = receive(tls=acceptor(told()))
    assert dcmtk("echoscu", receiver.tls_port, pki=other, identity=theirs).returncode != 0


def test_clear_text_at_the_secure_door_is_cut_off(receive, told, guard):
    receiver = receive(tls=acceptor(told()))
    with raw_peer(receiver.tls_port) as peer:
        peer.send(request(ECHO))
        assert peer.pdu()[:1] != b"\x02"
        assert peer.is_closed()
    assert guard.fingerprints == {}


def test_tls_at_the_plain_door_is_cut_off(receive, told, pki, theirs):
    receiver = receive(tls=acceptor(told()))
    assert answer(receiver.port, client(pki, theirs)) == b""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_older_protocols_and_weaker_suites_are_refused(receive, told, pki, theirs):
    receiver = receive(tls=acceptor(told()))
    old = client(pki, theirs)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    assert answer(receiver.tls_port, old) == b""
    weak = client(pki, theirs)
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0")
    assert answer(receiver.tls_port, weak) == b""
    good = client(pki, theirs)
    good.maximum_version = ssl.TLSVersion.TLSv1_2
    assert answer(receiver.tls_port, good)[:1] == b"\x02"
    assert answer(receiver.tls_port, client(pki, theirs))[:1] == b"\x02"


def test_no_suite_without_forward_secrecy_is_offered(told):
    offered = {one["name"] for one in acceptor(told()).get_ciphers()}
    assert {name for name in offered if not name.startswith("TLS_")} == set(CIPHERS)


def test_half_a_handshake_ends_in_time_and_keeps_nobody_out(receive, told, pki, theirs):
    limits = quick(artim_seconds=1.5, max_associations=4)
    receiver = receive(tls=acceptor(told()), limits=limits)
    silent = [RawPeer(receiver.tls_port) for _ in range(8)]
    started = time.monotonic()
    try:
        hello = _hello(pki)
        for number, peer in enumerate(silent):
            peer.send(hello[: 5 + 10 * number])
        assert answer(receiver.tls_port, client(pki, theirs))[:1] == b"\x02"
        assert time.monotonic() - started < 1.5
        with suppress(OSError):
            # He drips on: the time is for the whole handshake.
            for octet in hello[5:40]:
                silent[0].send(bytes((octet,)))
                time.sleep(0.06)
        for peer in silent:
            peer.sock.settimeout(5)
            assert peer.is_closed()
        assert time.monotonic() - started < 5
    finally:
        for peer in silent:
            peer.close()


def test_stopping_waits_for_no_handshake(receive, told):
    receiver = receive(tls=acceptor(told()), limits=Limits())
    with raw_peer(receiver.tls_port):
        time.sleep(0.2)
        started = time.monotonic()
        receiver.stop()
        assert time.monotonic() - started < 5


def _hello(pki):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client(pki).wrap_bio(incoming, outgoing)
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


# -- associations of ours ------------------------------------------------------------------------


@contextmanager
def storescp(identity, pki, folder):
    """Run dcmtk's storescp, which lets in only who shows a certificate."""
    peers.peer("dcmtk")
    folder.mkdir()
    port = peers.free_port()
    process = subprocess.Popen(
        [peers.program("storescp"), "-aet", "ARCHIVE2", "+tls", identity.key, identity.certificate,
         "+cf", pki.certificate, "-rc", "-od", folder, str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 10
        while not answer(port, client(pki, identity)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_a_move_goes_by_tls_to_who_is_reached_by_it(
    serve, told, pki, theirs, guard, filled, tmp_path
):
    del filled
    receiver = serve(limits=quick(secure=OutgoingTls(guard, told()), stall_seconds=5.0))
    study = instance(0, study="C", Modality="MR").StudyInstanceUID
    with storescp(theirs, pki, tmp_path / "got") as port:
        guard.destinations["ARCHIVE2"] = ("127.0.0.1", port)

        def moved():
            peers.run(
                "movescu", "-S", "-aet", "WS", "-aec", "PIANKU", "-aem", "ARCHIVE2",
                "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}",
                "127.0.0.1", str(receiver.port), check=False,
            )  # fmt: skip
            return len(list((tmp_path / "got").iterdir()))

        assert moved() == 0  # in clear text
        guard.limits["ARCHIVE2"] = AeLimits(reached_by_tls=True, certificates=("0" * 64,))
        assert moved() == 0  # not the node we know
        pinned = AeLimits(reached_by_tls=True, certificates=("0" * 64, theirs.fingerprint))
        guard.limits["ARCHIVE2"] = pinned
        assert moved() == 2
        guard.limits["ARCHIVE2"] = AeLimits(reached_by_tls=True)
        assert moved() == 2


def test_we_do_not_send_to_a_node_of_another_authority(told, guard, foreign, receive, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(foreign.certificate, foreign.key)
    stranger = receive(tls=context)
    guard.limits["X"] = AeLimits(reached_by_tls=True)
    with pytest.raises(DestinationUnavailable):
        Requestor(
            ("127.0.0.1", stranger.tls_port), called_ae="X", calling_ae="PIANKU",
            proposed=[ProposedContext(1, CT, (EXPLICIT,))],
            limits=quick(secure=OutgoingTls(guard, told())),
        )  # fmt: skip


def test_what_has_expired_is_trusted_neither_way(receive, told, guard, pki):
    late = pki.issue("late", lasts=timedelta(minutes=-1))
    for clients in ("required", "optional"):
        assert answer(receive(tls=acceptor(told(clients))).tls_port, client(pki, late)) == b""
    assert guard.fingerprints == {}
    reasons = {one["detail"] for one in guard.recorded if one["transaction"] == "dimse.tls"}
    assert reasons == {"certificate_verify_failed"}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(late.certificate, late.key)
    guard.limits["LATE"] = AeLimits(reached_by_tls=True)
    with pytest.raises(DestinationUnavailable):
        Requestor(
            ("127.0.0.1", receive(tls=context).tls_port), called_ae="LATE", calling_ae="PIANKU",
            proposed=[ProposedContext(1, CT, (EXPLICIT,))],
            limits=quick(secure=OutgoingTls(guard, told())),
        )  # fmt: skip


def test_files_that_cannot_be_used_are_told_at_the_start(told, tmp_path):
    broken = tmp_path / "x.pem"
    broken.write_text("nothing")
    good = told()
    for changed in (
        {"tls_certificate": str(broken)},
        {"tls_key": str(tmp_path / "absent")},
        {"tls_ca": str(broken)},
        {"tls_ca": ""},
    ):
        with pytest.raises(BadSettings):
            acceptor(DimseSettings(**{
                name: changed.get(name, getattr(good, name))
                for name in ("tls_certificate", "tls_key", "tls_ca", "tls_clients")
            }))  # fmt: skip
