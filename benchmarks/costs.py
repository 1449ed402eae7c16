"""What one message costs, step by step: parse, validate, decode, decide, append, project, answer.

ITI TF-2 3.42 and 3.18 in one process on SQLite, each step timed by itself over many messages
(medians, microseconds). Says what bounds a message when the doors are busy.
Called by `benchmarks.__main__`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

from adapters.soap import envelope
from adapters.xds import decode, encode, encode_objects
from adapters.xds.validation import validate
from benchmarks.measuring import Report
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append
from kernel.times import now
from projections.contract import ViewSpec
from projections.document_index.filters import DocumentFilter
from projections.document_index.projection import SPEC
from projections.document_index.view import DocumentIndex
from registry.documents import commands
from registry.documents.commands import Known, Registration, Rules
from registry.documents.values import Submission
from tests.support import soap, submissions
from tests.support.installation import Installation, installation

_MESSAGES: Final = 200
_ITI42: Final = "urn:ihe:iti:2007:RegisterDocumentSet-b"
T = TypeVar("T")


def measure(report: Report, folder: Path) -> None:
    """Cost of ITI-42 with 1 and 20 documents, and of ITI-18 that finds 50."""
    specs: Sequence[ViewSpec] = (SPEC,)
    with installation(folder, specs) as place:
        for documents in (1, 20):
            _register(report, place, documents)
        _query(report, place)


def _register(report: Report, place: Installation, documents: int) -> None:
    patient = submissions.PATIENT
    key = place.keys.key(PatientId.parse(patient))
    told = [
        submissions.submission(*(submissions.entry(patient) for _ in range(documents)))
        for _ in range(_MESSAGES)
    ]
    before = place.facts.head()
    octets = [
        soap.envelope("/xds/registry", _ITI42, f"urn:uuid:{uuid4()}", encode.submit_request(one))
        for one in told
    ]
    steps = _Steps(report, f"ITI-42 of {documents} document(s), {len(octets[0]):,} bytes")
    messages = steps.each("parse", octets, envelope.read)
    steps.each("validate", messages, lambda message: validate(message.body, "lcm.xsd"))
    decoded = steps.each("decode", messages, lambda message: decode.submission(message.body))
    decided = steps.each("decide", decoded, lambda one: _decide(one.submission, key))
    steps.each("append (durable, one at a time)", decided, place.facts.append)
    _project(steps, place, before)


def _project(steps: _Steps, place: Installation, before: int) -> None:
    """Apply the facts since `before` to tables of their own, as the projector does: in batches."""
    events = place.facts.read(before, limit=100_000)
    tables = SPEC.make_tables("_bench")
    projection = SPEC.make_projection(tables)
    with place.views.writer.begin() as connection:
        tables.metadata.create_all(connection)
    began = time.perf_counter()
    for start in range(0, len(events), 1000):
        with place.views.writer.begin() as connection:
            projection.apply(connection, events[start : start + 1000])
    spent = time.perf_counter() - began
    with place.views.writer.begin() as connection:
        tables.metadata.drop_all(connection)
    steps.told("project (in batches)", spent / _MESSAGES)


def _decide(submission: Submission, key: Any) -> Append:
    asked = Registration(submission, key, now())
    return commands.register(asked, Known(patient=True), Rules())


def _query(report: Report, place: Installation) -> None:
    index = DocumentIndex(place.views)
    key = place.keys.key(PatientId.parse(submissions.OTHER_PATIENT))
    entries = [submissions.entry(submissions.OTHER_PATIENT) for _ in range(50)]
    place.facts.append(_decide(submissions.submission(*entries), key))
    turns = list(range(_MESSAGES))
    steps = _Steps(report, "ITI-18 FindDocuments that finds 50")

    def find(_: int) -> Any:
        with index.reading() as look:
            return look.find_documents([key], DocumentFilter())

    found = steps.each("find", turns, find)
    steps.each(
        "encode LeafClass",
        found,
        lambda rows: encode.query_response(
            [encode_objects.document_entry(row.entry()) for row in rows]
        ),
    )


class _Steps:
    """The steps of one message as rows of the report."""

    def __init__(self, report: Report, message: str) -> None:
        self._report = report
        self._message = message

    def each(self, step: str, given: Sequence[Any], work: Callable[[Any], T]) -> list[T]:
        """Time `work` on each thing given; return what it made."""
        spent, made = [], []
        for thing in given:
            began = time.perf_counter()
            made.append(work(thing))
            spent.append(time.perf_counter() - began)
        self.told(step, statistics.median(spent))
        return made

    def told(self, step: str, seconds: float) -> None:
        """Add what a step took."""
        row = self._report.row(f"{self._message}: {step}", "us", better="lower")
        row.add("pianku", seconds * 1e6, None)
