"""Pages of studies by the index that narrows most: the same whichever way is gone."""

import random

import pytest
import sqlalchemy as sa

from projections.study_index import study_pages
from projections.study_index.attributes import MATCHING, Kind
from projections.study_index.matching import arms, clause
from projections.study_index.study_pages import Condition, StudyPages, of_key
from projections.study_index.tables import Tables

NAME, ACCESSION, DATE, WORDS = 0x00100010, 0x00080050, 0x00080020, 0x00081030
ROWS = 400


@pytest.fixture(scope="module")
def studies():
    return Tables("__t").studies


@pytest.fixture(scope="module")
def connection(studies):
    engine = sa.create_engine("sqlite://")
    chance = random.Random(1)
    with engine.connect() as opened:
        studies.metadata.create_all(opened)
        names = [("wang", "王"), ("wanli", "万里"), ("li", "李"), ("", "")]
        rows = []
        for number in range(ROWS):
            latin, written = chance.choice(names)
            rows.append(
                {
                    "study_uid": f"1.{number:04d}", "patient_key": "k", "latin": latin,
                    "written": written, "pinyin": latin, "initials": latin[:1],
                    "accession": f"A{number % 40:02d}", "hidden": number % 9 == 0,
                    "study_date": f"2026{chance.randrange(1, 13):02d}01", "study_time": "",
                    "description": chance.choice(["Chest", "Head"]), "fixed": b"", "json": b"",
                }
            )  # fmt: skip
        opened.execute(studies.insert(), rows)
        yield opened
    engine.dispose()


def conditions(studies, *keys, fuzzy=False):
    found = [Condition(studies.c.hidden.is_(False))]
    for tag, value in keys:
        column = MATCHING[tag]
        told = clause(studies, column.name, column.kind, value, fuzzy=fuzzy)
        found.append(of_key(told, studies, column, value, fuzzy=fuzzy))
    return found


@pytest.mark.parametrize("weight", [0, 1 << 20], ids=["walking", "by arms"])
@pytest.mark.parametrize(
    ("keys", "fuzzy"),
    [
        ([], False),
        ([(NAME, "Wan*")], False),
        ([(NAME, "W*g")], False),
        ([(NAME, "*an*")], False),
        ([(NAME, "王*")], False),
        ([(NAME, "w")], True),
        ([(NAME, "Zz*")], False),
        ([(NAME, "Wan*"), (ACCESSION, "A1*")], False),
        ([(NAME, "Wan*"), (DATE, "20260301-20260630"), (WORDS, "*hes*")], False),
        ([(ACCESSION, "A0*\\A3*")], False),
        ([(DATE, "20260301-20260630")], False),
        ([(DATE, "-20260630"), (ACCESSION, "A1*")], False),
        ([(DATE, "20260401"), (NAME, "Wang")], False),
    ],
)
def test_every_way_finds_the_same_in_the_same_order(
    studies, connection, monkeypatch, weight, keys, fuzzy
):
    monkeypatch.setattr(study_pages, "_WEIGHTS", {"sqlite": weight})
    wanted = conditions(studies, *keys, fuzzy=fuzzy)
    plain = study_pages.newest(
        sa.select(studies.c.study_uid).where(*(one.clause for one in wanted)), studies.c
    )
    expected = list(connection.execute(plain).scalars())
    pages = StudyPages(connection, studies, wanted)
    found = []
    for offset in range(0, ROWS, 70):
        rows = pages.rows([studies.c.study_uid], offset=offset, limit=70)
        found += [row["study_uid"] for row in rows]
    assert found == expected
    assert pages.count(ROWS) == len(expected)
    assert pages.count(5) == min(len(expected), 5)


def test_an_exact_key_is_known_as_such(studies):
    def exact(tag, value, *, fuzzy=False):
        column = MATCHING[tag]
        return arms(studies, column.name, column.kind, value, fuzzy=fuzzy)

    assert exact(ACCESSION, "A01")[1]
    assert not exact(NAME, "Wang^Wei")[1]  # a name that many have
    assert not exact(NAME, "Wang*")[1]
    assert not exact(NAME, "Wang", fuzzy=True)[1]
    assert exact(ACCESSION, "*1") == ((), False)
    assert exact(WORDS, "Chest") == ((), False)
    assert MATCHING[NAME].kind is Kind.PATIENT


@pytest.mark.parametrize(
    ("keys", "weight", "index"),
    [
        ([], 0, "study_walked__t"),
        ([(NAME, "Wan*")], 0, "study_walked__t"),
        ([(NAME, "Wan*")], 1 << 20, "study_latin__t"),
        ([(WORDS, "*hes*")], 0, "study_walked__t"),
        ([(ACCESSION, "A0*")], 1 << 20, "study_accession__t"),
    ],
)
def test_a_page_is_found_in_an_index_alone(studies, connection, monkeypatch, keys, weight, index):
    monkeypatch.setattr(study_pages, "_WEIGHTS", {"sqlite": weight})
    asked = []

    def note(_connection, _cursor, statement, parameters, *_more):
        asked.append((statement, parameters))

    sa.event.listen(connection, "before_cursor_execute", note)
    StudyPages(connection, studies, conditions(studies, *keys)).rows(
        [studies.c.json], offset=0, limit=5
    )
    sa.event.remove(connection, "before_cursor_execute", note)
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[-1][0]}", asked[-1][1])
    told = [row.detail for row in plan]
    assert any(f"USING COVERING INDEX {index}" in line for line in told), told
