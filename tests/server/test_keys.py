"""Keys are made once, kept from others' eyes, shared by processes, and gone when destroyed.

Design A3 (personal data), docs/decisions/0003. Called by pytest.
"""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from kernel.identifiers import PatientId
from kernel.ledger.ledger import open_sqlite
from kernel.ledger.ports import Append, StreamAppend
from kernel.ledger.sealing import KeyRing, WarmableRing
from server.key_store import KeysUnavailable, PostgresKeyStore
from server.keys import BadKeyFile, Keys, open_keys, secret_file
from tests.kernel.ledger.samples import TOPICS, PatientNamed

ROOT = Path(__file__).resolve().parents[2]
Opener = Callable[[], Keys]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_again(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Opener]:
    """Open the same keys as another process would."""
    dsn, schema = None, ""
    if request.param == "postgresql":
        dsn, schema = (request.getfixturevalue(n) for n in ("postgres_dsn", "postgres_schema"))
    opened: list[Keys] = []

    def opener() -> Keys:
        opened.append(open_keys(tmp_path / "keys", dsn, schema=schema))
        return opened[-1]

    yield opener
    for keys in opened:
        keys.close()


def test_keys_are_the_same_at_the_next_start(open_again: Opener) -> None:
    first, second = open_again(), open_again()
    patient = uuid4()
    key = first.ring.key_for(patient, create=True)
    assert key is not None
    assert len(key) == 32
    assert second.ring.key_for(patient, create=True) == key
    assert first.ring.key_for(uuid4(), create=True) != key
    assert first.signer.public_key == second.signer.public_key
    assert first.signer.name == second.signer.name
    chen = PatientId("007", "1.2.3")
    assert first.patient_keys.key(chen) == second.patient_keys.key(chen)


def test_a_ring_meets_the_ledgers_protocols(open_again: Opener) -> None:
    ring: KeyRing = open_again().ring
    assert isinstance(ring, WarmableRing)


def test_a_key_is_not_made_by_looking(open_again: Opener) -> None:
    keys, patient = open_again(), uuid4()
    assert keys.ring.key_for(patient, create=False) is None
    made = open_again().ring.key_for(patient, create=True)
    assert keys.ring.key_for(patient, create=False) == made


def test_a_destroyed_key_is_gone_in_every_process_and_never_made_again(open_again: Opener) -> None:
    here, there, patient, never = open_again(), open_again(), uuid4(), uuid4()
    here.ring.key_for(patient, create=True)
    there.ring.key_for(patient, create=True)
    here.ring.destroy(patient)
    here.ring.destroy(patient)
    here.ring.destroy(never)
    assert here.ring.key_for(patient, create=True) is None
    time.sleep(0.25)
    for keys in (there, open_again()):
        assert keys.ring.key_for(patient, create=False) is None
        assert keys.ring.key_for(patient, create=True) is None
        assert keys.ring.key_for(never, create=True) is None


def test_many_keys_are_fetched_together(open_again: Opener) -> None:
    patients = {uuid4() for _ in range(50)}
    here, there = open_again(), open_again()
    made = {patient: here.ring.key_for(patient, create=True) for patient in patients}
    there.ring.warm(patients | {uuid4()})
    there.ring._store.find = None  # type: ignore[method-assign, assignment]
    assert {p: there.ring.key_for(p, create=False) for p in patients} == made


def test_a_wrapped_key_is_useless_without_the_master_key(tmp_path: Path) -> None:
    patient, folder = uuid4(), tmp_path / "keys"
    key = open_keys(folder).ring.key_for(patient, create=True)
    assert key is not None
    assert key not in (folder / "keys.db").read_bytes()
    (folder / "master.key").unlink()
    with pytest.raises(BadKeyFile, match="wrapped with"):
        open_keys(folder).ring.key_for(patient, create=False)


def test_a_destroyed_key_is_wiped_from_the_file(tmp_path: Path) -> None:
    ring, patient = open_keys(tmp_path).ring, uuid4()
    ring.key_for(patient, create=True)
    _, wrapped = ring._store.find([patient])[patient] or ("", b"")
    assert wrapped in (tmp_path / "keys.db").read_bytes()
    ring.destroy(patient)
    assert not [p for p in tmp_path.iterdir() if wrapped in p.read_bytes()]


def test_key_files_are_for_their_owner_only(tmp_path: Path) -> None:
    open_keys(tmp_path / "keys").close()
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "keys").iterdir()}
    assert modes == dict.fromkeys(("keys.db", "master.key", "node.secret", "signing.key"), 0o600)
    (tmp_path / "keys" / "master.key").chmod(0o640)
    with pytest.raises(BadKeyFile, match="mode 640"):
        open_keys(tmp_path / "keys")


@pytest.mark.parametrize("content", [b"", b"AAAA\n", b"not base64!"])
def test_a_damaged_key_file_is_told_not_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BadKeyFile):
        secret_file(path)
    assert path.read_bytes() == content


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from uuid import UUID; from server.keys import *;"
        "k = open_keys(Path(sys.argv[1]) / 'keys');"
        "print(k.signer.name, k.ring.key_for(UUID(int=1), create=True).hex())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = {process.communicate(timeout=30)[0] for process in started}
    assert len(said) == 1
    assert all(process.returncode == 0 for process in started)


def test_a_database_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(KeysUnavailable):
        open_keys(tmp_path, "host=127.0.0.1 port=1 connect_timeout=2")


def test_a_connection_that_was_cut(postgres_dsn: str, postgres_schema: str) -> None:
    store, patient = PostgresKeyStore(postgres_dsn, postgres_schema), uuid4()
    assert store._connection is not None
    with psycopg.connect(postgres_dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (store._connection.info.backend_pid,))
    assert store.find([patient]) == {}
    store.close()


def test_shredding_a_patient_through_the_ledger(tmp_path: Path) -> None:
    keys, stream = open_keys(tmp_path / "keys"), uuid4()
    patient = keys.patient_keys.key(PatientId("007", "1.2.3"))
    with open_sqlite(tmp_path / "facts.db", "facts", topics=TOPICS, ring=keys.ring) as ledger:
        fact = PatientNamed(ward="W1", name="王芳")
        ledger.append(Append((StreamAppend(stream, (fact,), patient_key=patient),)))
        assert ledger.load(stream)[0].fact == fact
        keys.ring.destroy(patient)
        assert ledger.load(stream)[0].fact == PatientNamed(ward="W1")
