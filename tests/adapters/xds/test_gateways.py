"""XCA at our doors, with another community scripted behind a real socket (ITI TF-2 3.38, 3.39)."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import httpx
import pytest
from lxml import etree

from adapters.soap.client import Peer
from adapters.soap.client import SoapClient as Outgoing
from adapters.soap.door import Answer, Call
from adapters.soap.exchange import Part
from adapters.soap.faults import SoapFault
from adapters.xds import names
from adapters.xds.communities import Communities, Community
from kernel.identifiers import PatientId
from projections.audit_trail.projection import SPEC as AUDIT_TRAIL
from projections.document_index.projection import SPEC as DOCUMENT_INDEX
from tests.support import xds
from tests.support.gateways import (
    AWAY,
    FIND,
    GET_DOCUMENTS,
    NOWHERE,
    OURS,
    PARTIAL,
    THEIR_AUTHORITY,
    THEIR_REPOSITORY,
    THEIRS,
    Elsewhere,
    ask,
    document,
    documents,
    elsewhere,
    error,
    errors,
    fetch,
    found,
    homes,
    published,
    retrieve_status,
    retrieved,
    theirs,
)
from tests.support.installation import installation, on_own_schema
from tests.support.soap import SoapClient
from tests.support.submissions import AUTHORITY, PATIENT, REPOSITORY
from tests.support.xds_node import Node, make, serve


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Generator[Elsewhere]:
    with elsewhere(tmp_path_factory.mktemp("elsewhere")) as made:
        yield made


def correlated(patient: PatientId, authority: str) -> PatientId | None:
    known = str(patient) == PATIENT and authority == THEIR_AUTHORITY
    return PatientId("O'Neil", THEIR_AUTHORITY) if known else None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, community: Elsewhere
) -> Generator[Node]:
    folder = tmp_path_factory.mktemp("gateway")
    engine = on_own_schema(request)
    specs = [DOCUMENT_INDEX, AUDIT_TRAIL]
    with installation(folder, specs, **engine, loopback_system=True) as made:
        node = make(folder, made)
        communities = Communities(
            OURS,
            [
                Community(
                    THEIRS,
                    Peer(f"{community.url}/q", silence_seconds=1),
                    Peer(f"{community.url}/r", silence_seconds=1),
                    assigning_authority=THEIR_AUTHORITY,
                ),
                Community(AWAY, retrieve=Peer("http://127.0.0.1:1/")),
            ],
            Outgoing(node.store),
            correlate=correlated,
        )
        server, thread = serve(node, communities)
        yield node
        server.should_exit = True
        thread.join(10)
        communities.close()


@pytest.fixture
def node(place: Node, community: Elsewhere) -> Node:
    community.query = lambda _call: found()
    community.retrieve = lambda _call: retrieved()
    community.asked.clear()
    return place


@pytest.fixture
def client(node: Node) -> Generator[SoapClient]:
    made = SoapClient(node.http)
    yield made
    made.close()


# -- responding -------------------------------------------------------------------------------


@pytest.mark.parametrize("returned", ["LeafClass", "ObjectRef"])
def test_iti38_every_object_tells_its_home(client: SoapClient, returned: str) -> None:
    published(client)
    answer = ask(client, xds.FIND_DOCUMENTS, FIND, action=names.ITI_38, returned=returned)
    assert answer.action == "urn:ihe:iti:2007:CrossGatewayQueryResponse"
    assert xds.status(answer) == xds.SUCCESS
    assert homes(answer) == {OURS}


def test_iti38_asks_nobody_else(client: SoapClient, community: Elsewhere) -> None:
    ask(client, xds.FIND_DOCUMENTS, FIND, action=names.ITI_38)
    assert community.asked == []


def test_iti38_a_query_by_ids_needs_our_home(client: SoapClient) -> None:
    made = published(client)
    by_id = {"$XDSDocumentEntryUniqueId": f"('{made.unique_id}')"}
    nobody = ask(client, GET_DOCUMENTS, by_id, action=names.ITI_38)
    assert (xds.status(nobody), errors(nobody)) == (
        names.FAILURE, [("XDSMissingHomeCommunityId", OURS)],
    )  # fmt: skip
    other = ask(client, GET_DOCUMENTS, by_id, home=THEIRS, action=names.ITI_38)
    assert errors(other) == [("XDSUnknownCommunity", OURS)]
    ours = ask(client, GET_DOCUMENTS, by_id, home=OURS, action=names.ITI_38)
    assert homes(ours) == {OURS}
    slot = {**by_id, "$homeCommunityId": f"'{OURS}'"}
    assert homes(ask(client, GET_DOCUMENTS, slot, action=names.ITI_38)) == {OURS}


def test_iti38_errors_tell_our_community(client: SoapClient) -> None:
    no_status = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'"}
    answer = ask(client, xds.FIND_DOCUMENTS, no_status, action=names.ITI_38)
    assert errors(answer) == [("XDSStoredQueryMissingParam", OURS)]
    unknown = ask(
        client, "urn:uuid:00000000-0000-4000-8000-000000000000", {}, home=OURS, action=names.ITI_38
    )
    assert errors(unknown) == [("XDSUnknownStoredQuery", OURS)]


def test_iti38_a_list_of_target_communities_is_kept_to(client: SoapClient) -> None:
    published(client)
    both = {**FIND, "$targetCommunityIdList": f"('{OURS}','{NOWHERE}')"}
    answer = ask(client, xds.FIND_DOCUMENTS, both, action=names.ITI_38)
    assert (xds.status(answer), errors(answer)) == (PARTIAL, [("XDSUnknownCommunity", OURS)])
    assert homes(answer) == {OURS}


def test_iti39_hands_out_ours_and_names_what_is_not(client: SoapClient) -> None:
    made = published(client, b"for others")
    answer = fetch(
        client, (OURS, REPOSITORY, made.unique_id), ("", REPOSITORY, "1.2.3"),
        (NOWHERE, REPOSITORY, "1.2.4"), (OURS, REPOSITORY, "1.2.5"), action=names.ITI_39,
    )  # fmt: skip
    assert answer.action == "urn:ihe:iti:2007:CrossGatewayRetrieveResponse"
    assert documents(answer) == {(OURS, made.unique_id): b"for others"}
    assert retrieve_status(answer) == PARTIAL
    assert sorted(errors(answer)) == [
        ("XDSDocumentUniqueIdError", OURS), ("XDSMissingHomeCommunityId", OURS),
        ("XDSUnknownCommunity", OURS),
    ]  # fmt: skip


def test_iti39_without_any_home_fails(client: SoapClient, community: Elsewhere) -> None:
    answer = fetch(client, ("", REPOSITORY, "1.2.3"), action=names.ITI_39)
    assert retrieve_status(answer) == names.FAILURE
    other = fetch(client, (THEIRS, THEIR_REPOSITORY, "1.2.3"), action=names.ITI_39)
    assert errors(other) == [("XDSUnknownCommunity", OURS)]
    assert community.asked == []


# -- initiating -------------------------------------------------------------------------------


def test_iti18_at_the_gateway_finds_everywhere(client: SoapClient, community: Elsewhere) -> None:
    published(client)
    community.query = lambda _call: found(theirs())
    answer = ask(client, xds.FIND_DOCUMENTS, FIND)
    assert answer.action == "urn:ihe:iti:2007:RegistryStoredQueryResponse"
    assert (xds.status(answer), homes(answer)) == (xds.SUCCESS, {OURS, THEIRS})
    (call,) = community.asked
    assert call.message.action == names.ITI_38


def test_the_patient_is_asked_for_by_the_id_known_there(
    client: SoapClient, community: Elsewhere
) -> None:
    ask(client, xds.FIND_DOCUMENTS, FIND)
    ask(
        client,
        xds.FIND_DOCUMENTS,
        {**FIND, "$XDSDocumentEntryPatientId": f"'P9^^^&{AUTHORITY}&ISO'"},
    )
    told = [
        xds.slot(call.body.find("rim:AdhocQuery", xds.NAMES), "$XDSDocumentEntryPatientId")
        for call in community.asked
    ]
    # Who is not known there is not asked for: our id is none of their business.
    assert told == [[f"'O''Neil^^^&{THEIR_AUTHORITY}&ISO'"]]


def test_a_query_by_ids_goes_to_the_one_community(client: SoapClient, community: Elsewhere) -> None:
    community.query = lambda _call: found(theirs())
    by_id = {"$XDSDocumentEntryUniqueId": "('1.2.3')"}
    assert errors(ask(client, GET_DOCUMENTS, by_id)) == [("XDSMissingHomeCommunityId", OURS)]
    assert errors(ask(client, GET_DOCUMENTS, by_id, home=NOWHERE)) == [("XDSUnknownCommunity", "")]
    assert homes(ask(client, GET_DOCUMENTS, by_id, home=THEIRS)) == {THEIRS}
    (call,) = community.asked
    assert call.body.find("rim:AdhocQuery", xds.NAMES).get("home") == THEIRS
    assert xds.status(ask(client, GET_DOCUMENTS, by_id, home=OURS)) == xds.SUCCESS
    assert len(community.asked) == 1


def _slow(_call: Call) -> Answer:
    time.sleep(2)
    return found()


def _faulty(_call: Call) -> Answer:
    raise SoapFault("PATIENT ZHANG is not liked here")


@pytest.mark.parametrize("query", [_slow, _faulty, lambda _call: retrieved()])
def test_what_others_cannot_say_is_an_error_beside_what_we_found(
    client: SoapClient, community: Elsewhere, query: Callable[[Call], Answer]
) -> None:
    published(client)
    community.query = query
    answer = ask(client, xds.FIND_DOCUMENTS, FIND)
    assert (xds.status(answer), homes(answer)) == (PARTIAL, {OURS})
    assert errors(answer) == [("XDSUnavailableCommunity", THEIRS)]
    assert "ZHANG" not in answer.text()


def test_errors_of_others_keep_their_place_and_warnings_are_none(
    client: SoapClient, community: Elsewhere
) -> None:
    published(client)
    community.query = lambda _call: found(
        errors=error("XDSTooManyResults", "line 7"), status=names.FAILURE
    )
    answer = ask(client, xds.FIND_DOCUMENTS, FIND)
    assert (xds.status(answer), errors(answer)) == (PARTIAL, [("XDSTooManyResults", THEIRS)])
    warning = names.ERROR.replace("Error", "Warning", 2).replace("WarningSeverity", "ErrorSeverity")
    community.query = lambda _call: found(
        theirs(), errors=error("XDSExtraMetadataNotSaved", severity=warning)
    )
    answer = ask(client, xds.FIND_DOCUMENTS, FIND)
    assert (xds.status(answer), homes(answer)) == (xds.SUCCESS, {OURS, THEIRS})


def test_all_failing_is_a_failure(client: SoapClient, community: Elsewhere) -> None:
    community.query = lambda _call: found(status=names.FAILURE)
    no_status = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'"}
    answer = ask(client, xds.FIND_DOCUMENTS, no_status)
    assert (xds.status(answer), errors(answer)) == (
        names.FAILURE, [("XDSStoredQueryMissingParam", OURS), ("XDSRegistryError", THEIRS)],
    )  # fmt: skip


def test_a_patient_unknown_elsewhere_is_no_error(client: SoapClient, community: Elsewhere) -> None:
    community.query = lambda _call: found(errors=error("XDSUnknownPatientId"), status=names.FAILURE)
    answer = ask(client, xds.FIND_DOCUMENTS, FIND)
    assert (xds.status(answer), errors(answer)) == (xds.SUCCESS, [])


@pytest.mark.parametrize("home", ["", "1.2.250.99.20", "urn:uuid:1"])
def test_objects_that_do_not_tell_their_home_are_left_out(
    client: SoapClient, community: Elsewhere, home: str
) -> None:
    community.query = lambda _call: found(theirs(home))
    answer = ask(client, xds.FIND_DOCUMENTS, FIND)
    assert errors(answer) == [("XDSMissingHomeCommunityId", THEIRS)]
    assert THEIRS not in homes(answer)


def test_iti43_at_the_gateway_fetches_from_everywhere(
    node: Node, client: SoapClient, community: Elsewhere
) -> None:
    made = published(client, b"from here")
    octets = b"from there " * 300_000

    def retrieve(call: Call) -> Answer:
        held = community.store.incoming()
        held.write(octets)
        part = Part("c%1@there", "", held.size, held)
        return retrieved(document("1.2.9", "c%251%40there", home=""), parts=(part,))

    community.retrieve = retrieve
    answer = fetch(client, (OURS, REPOSITORY, made.unique_id), (THEIRS, THEIR_REPOSITORY, "1.2.9"))
    assert answer.action == "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
    assert retrieve_status(answer) == xds.SUCCESS, answer.text()
    assert documents(answer) == {(OURS, made.unique_id): b"from here", (THEIRS, "1.2.9"): octets}
    (call,) = community.asked
    assert call.exchange.mtom
    asked = call.body.findall("xds:DocumentRequest", xds.NAMES)
    assert [one.findtext("xds:DocumentUniqueId", "", xds.NAMES) for one in asked] == ["1.2.9"]
    _nothing_held(node)


def test_what_a_community_does_not_return_or_adds_is_an_error(
    node: Node, client: SoapClient, community: Elsewhere
) -> None:
    answer = fetch(client, (THEIRS, THEIR_REPOSITORY, "1.2.9"))
    assert (retrieve_status(answer), errors(answer)) == (PARTIAL, [("XDSRepositoryError", THEIRS)])

    def uninvited(_call: Call) -> Answer:
        held = community.store.incoming()
        held.write(b"x")
        return retrieved(document("1.2.66", "c@there"), parts=(Part("c@there", "", 1, held),))

    community.retrieve = uninvited
    answer = fetch(client, (THEIRS, THEIR_REPOSITORY, "1.2.9"))
    assert documents(answer) == {}
    community.retrieve = lambda _call: retrieved(document("1.2.9", "gone@there"))
    assert errors(fetch(client, (THEIRS, THEIR_REPOSITORY, "1.2.9"))) == [
        ("XDSRepositoryError", THEIRS)
    ]
    _nothing_held(node)


def test_a_community_that_is_away_does_not_hide_the_others(client: SoapClient) -> None:
    made = published(client)
    answer = fetch(
        client, (OURS, REPOSITORY, made.unique_id), (AWAY, "1.2", "1.2.9"), ("", "1.2", "1.2.8"),
        (NOWHERE, "1.2", "1.2.7"),
    )  # fmt: skip
    assert retrieve_status(answer) == PARTIAL
    assert set(documents(answer)) == {(OURS, made.unique_id)}
    assert sorted(code for code, _ in errors(answer)) == [
        "XDSMissingHomeCommunityId", "XDSUnavailableCommunity", "XDSUnknownCommunity",
    ]  # fmt: skip
    alone = fetch(client, (AWAY, "1.2", "1.2.9"))
    assert (retrieve_status(alone), errors(alone)) == (
        names.FAILURE, [("XDSUnavailableCommunity", AWAY)],
    )  # fmt: skip


def test_what_was_asked_elsewhere_is_recorded(
    node: Node, client: SoapClient, community: Elsewhere
) -> None:
    before = node.place.access.head()
    community.query = lambda _call: found(theirs())
    ask(client, xds.FIND_DOCUMENTS, FIND)
    fetch(client, (THEIRS, THEIR_REPOSITORY, "1.2.9"))
    recorded = [
        (r.fact.transaction, r.fact.outcome, r.fact.count) for r in node.place.access.read(before)
    ]
    assert ("ITI-18", "success") in {row[:2] for row in recorded}
    assert ("ITI-38", "success", 1) in recorded
    assert ("ITI-39", "failed", 1) in recorded


@pytest.mark.parametrize("path", ["/xca/query", "/xca/retrieve"])
def test_a_gateway_describes_itself(node: Node, path: str) -> None:
    page = httpx.get(f"{node.http}{path}?wsdl")
    assert page.status_code == 200
    tree = etree.fromstring(page.content)
    assert tree.xpath("//*[local-name()='address']/@location") == [f"{node.http}{path}"]


def _nothing_held(node: Node) -> None:
    deadline = time.monotonic() + 5
    while node.incoming() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert node.incoming() == []
