"""Whoever steals the ledger's files reads no name and no number of a patient.

Requirement P-15; design A3 (personal fields are sealed per patient). A patient comes in by every
door, then the files (or the tables) of the ledgers and the logs are searched for him.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support import ct, mllp, modality, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

_TITLE = "绝密报告标题"
_FAMILY = "Sealedname"


def octets_of_the_ledgers(pianku: RunningPianku, where: Path) -> bytes:
    """Return everything the ledgers hold: their files, or a dump of their tables."""
    if pianku.dsn is None:
        return b"".join(p.read_bytes() for p in (pianku.data / "ledger").iterdir() if p.is_file())
    dump = where / "ledger.dump"
    with psycopg.connect(pianku.dsn) as connection, dump.open("wb") as file:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = %s AND table_type = 'BASE TABLE'"
            " AND table_name !~ '__g[0-9]+$'",  # views are derived and lie on an encrypted volume
            (pianku.schema,),
        ).fetchall()
        assert tables
        for (name,) in tables:
            with connection.cursor().copy(f'COPY "{pianku.schema}"."{name}" TO STDOUT') as rows:
                for chunk in rows:
                    file.write(bytes(chunk))
    return dump.read_bytes()


@pytest.mark.peer("dcmtk")
@pytest.mark.tender("P-15")
def test_no_name_and_no_number_can_be_read(pianku: RunningPianku, tmp_path: Path) -> None:
    number, authority = f"SECRET{time.monotonic_ns()}", pianku.demo["assigning_authority"]
    patient = f"{number}^^^&{authority}&ISO"
    fed = mllp.send(pianku.mllp_port, mllp.admission(number, authority, f"{_FAMILY}^Fed"))
    assert mllp.accepted(fed)
    document = xds.Document(b"text", patient, title=_TITLE, mime_type="text/plain")
    assert xds.status(xds.provide_and_register(SoapClient(pianku.http), document)) == xds.SUCCESS
    series = ct.Series(patient_id=number, patient_name=f"{_FAMILY}^Imaged")
    ct.write(tmp_path / "ct", series, 2, size=64)
    modality.store(pianku.node, [tmp_path / "ct"])
    found = httpx.post(
        f"{pianku.http}/api/v1/studies/search",
        json={"patient_id": number, "offset": 0, "limit": 20},
        headers=pianku.token(),
    )
    assert found.json()["total"] == 1  # it is there, for who may see it

    octets = octets_of_the_ledgers(pianku, tmp_path) + pianku.log(10_000_000).encode()

    for secret in (number, _FAMILY, _FAMILY.upper(), _TITLE):
        for charset in ("utf-8", "utf-16-le", "gb18030"):
            assert secret.encode(charset) not in octets
    exported = pianku.cli("events", "export", "--ledger", "facts")
    assert number not in exported.stdout
    assert _FAMILY not in exported.stdout
