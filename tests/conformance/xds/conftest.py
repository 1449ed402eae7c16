"""A node filled with one patient's story, asked by stored queries only."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from kernel.codes import Code
from kernel.identifiers import PatientId
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from registry.documents.values import (
    Association,
    AssociationType,
    Author,
    DocumentEntry,
    Folder,
    Submission,
)
from tests.support.installation import installation, on_own_schema
from tests.support.soap import SoapClient
from tests.support.submissions import (
    AUTHORITY,
    DCM,
    PATIENT,
    association,
    entry,
    folder,
    member,
    submission,
)
from tests.support.xds_node import Node, make, serve

OTHER = "P-2002^^^&1.2.250.99.1&ISO"


@dataclass
class Story:
    """Report A is appended to by B, transformed into C and replaced by D, all in folder F."""

    node: Node
    client: SoapClient
    a: DocumentEntry
    b: DocumentEntry
    c: DocumentEntry
    d: DocumentEntry
    f: Folder
    stranger: DocumentEntry
    first: Submission
    second: Submission
    edge_b: Association
    edge_d: Association

    def name(self, uuid: UUID) -> str:
        """Return the letter of an object."""
        names = {
            **{getattr(self, letter).entry_uuid: letter for letter in "abcdf"},
            self.stranger.entry_uuid: "stranger",
            self.first.submission_set.entry_uuid: "s1",
            self.second.submission_set.entry_uuid: "s2",
        }
        return names.get(uuid, "")


def tell(node: Node) -> Story:
    a = entry(
        title="A",
        creation_time="20260101",
        event_codes=(Code("CT", DCM), Code("chest", "1.2.3")),
        authors=(Author(person="^Ford^Ada"),),
        reference_ids=("A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",),
        confidentiality_codes=(
            Code("N", "2.16.840.1.113883.5.25"),
            Code("R", "2.16.840.1.113883.5.25"),
        ),
    )
    b, c = (
        entry(title="B", creation_time="20260301120000"),
        entry(title="C", creation_time="20260401"),
    )
    d, f, stranger = entry(title="D", creation_time="20260501"), folder(), entry(OTHER)
    first = submission(a, f, member(f.entry_uuid, a.entry_uuid))
    node.register(first)
    edge_b = association(AssociationType.APND, b.entry_uuid, a.entry_uuid)
    node.register(submission(b, edge_b))
    node.register(submission(c, association(AssociationType.XFRM, c.entry_uuid, a.entry_uuid)))
    edge_d = association(AssociationType.RPLC, d.entry_uuid, a.entry_uuid)
    second = submission(d, edge_d)
    node.register(second)
    node.register(submission(stranger))
    return Story(
        node, SoapClient(node.http), a, b, c, d, f, stranger, first, second, edge_b, edge_d
    )


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def story(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Story]:
    place_folder = tmp_path_factory.mktemp("story")
    engine = on_own_schema(request)
    with installation(place_folder, [DOCUMENT_INDEX], **engine, loopback_system=True) as place:
        node = make(place_folder, place)
        assert PatientId.parse(PATIENT)
        server, thread = serve(node)
        yield tell(node)
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Node]:
    """A registry and repository for strangers, on each engine."""
    place_folder = tmp_path_factory.mktemp("strangers")
    engine = on_own_schema(request)
    specs = [DOCUMENT_INDEX, AUDIT_TRAIL]
    with installation(place_folder, specs, **engine, loopback_system=True) as place:
        made = make(place_folder, place)
        server, thread = serve(made)
        yield made
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def client(node: Node) -> Generator[SoapClient]:
    """A connection to the node."""
    made = SoapClient(node.http)
    yield made
    made.close()


@pytest.fixture
def patient(node: Node) -> str:
    """A patient nobody has documents of."""
    fresh = f"F{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO"
    node.identify(fresh)
    return fresh
