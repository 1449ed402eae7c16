"""Every SOAP address we serve, opened by another stack and by hand: WSDLs, actions, packages.

ITI TF-2 Appendix V and the table of section 1: each transaction answers with its own action,
relates to the request, and is a package exactly where the framework wants MTOM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
import zeep
from lxml import etree

from adapters.xds import names
from kernel.identifiers import new_uid
from tests.support import foreign_xds as foreign
from tests.support import hl7v3, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

WSA: Final = "http://www.w3.org/2007/05/addressing/metadata"
WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
ITI, ITI10, RAD = "urn:ihe:iti:2007:", "urn:ihe:iti:2010:", "urn:ihe:rad:"
GET: Final = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
NOBODY: Final = "urn:uuid:00000000-0000-4000-8000-000000000001"
REQUESTED: Final = (
    "<DocumentRequest><RepositoryUniqueId>1.2.3</RepositoryUniqueId>"
    "<DocumentUniqueId>1.2.4</DocumentUniqueId></DocumentRequest>"
)
EXAMPLE: Final = (
    Path(__file__).resolve().parents[2] / "docs/integrate/examples/15-iti47-find-patients.xml"
)


@dataclass(frozen=True)
class Row:
    """A row of section 1: where it is served, its actions, and whether it answers in MTOM."""

    path: str
    request: str
    response: str
    mtom: bool = False


ROWS: Final[Mapping[str, Row]] = {
    "ITI-18": Row(
        "/xds/registry", f"{ITI}RegistryStoredQuery", f"{ITI}RegistryStoredQueryResponse"
    ),
    "ITI-41": Row(
        "/xds/repository",
        f"{ITI}ProvideAndRegisterDocumentSet-b",
        f"{ITI}ProvideAndRegisterDocumentSet-bResponse",
        mtom=True,
    ),
    "ITI-42": Row(
        "/xds/registry", f"{ITI}RegisterDocumentSet-b", f"{ITI}RegisterDocumentSet-bResponse"
    ),
    "ITI-43": Row(
        "/xds/repository",
        f"{ITI}RetrieveDocumentSet",
        f"{ITI}RetrieveDocumentSetResponse",
        mtom=True,
    ),
    "ITI-51": Row(
        "/xds/registry",
        "urn:ihe:iti:2009:MultiPatientStoredQuery",
        "urn:ihe:iti:2009:MultiPatientStoredQueryResponse",
    ),
    "ITI-57": Row(
        "/xds/registry", f"{ITI10}UpdateDocumentSet", f"{ITI10}UpdateDocumentSetResponse"
    ),
    "ITI-61": Row(
        "/xds/registry",
        f"{ITI10}RegisterOnDemandDocumentEntry",
        f"{ITI10}RegisterOnDemandDocumentResponse",
    ),
    "ITI-62": Row(
        "/xds/registry", f"{ITI10}DeleteDocumentSet", f"{ITI10}DeleteDocumentSetResponse"
    ),
    "ITI-86": Row(
        "/xds/repository",
        "urn:ihe:iti:2017:RemoveDocuments",
        "urn:ihe:iti:2017:RemoveDocumentsResponse",
    ),
    "ITI-92": Row(
        "/xds/registry",
        "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
        "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse",
    ),
    "ITI-38": Row("/xca/query", f"{ITI}CrossGatewayQuery", f"{ITI}CrossGatewayQueryResponse"),
    "ITI-39": Row(
        "/xca/retrieve",
        f"{ITI}CrossGatewayRetrieve",
        f"{ITI}CrossGatewayRetrieveResponse",
        mtom=True,
    ),
    "RAD-69": Row(
        "/xds/imaging",
        f"{RAD}2009:RetrieveImagingDocumentSet",
        f"{ITI}RetrieveDocumentSetResponse",
        mtom=True,
    ),
    "RAD-75": Row(
        "/xca/imaging",
        f"{RAD}2011:CrossGatewayRetrieveImagingDocumentSet",
        f"{RAD}2011:CrossGatewayRetrieveImagingDocumentSetResponse",
        mtom=True,
    ),
}
ADDRESSES: Final = (*sorted({row.path for row in ROWS.values()}), "/dsub", "/hl7v3")


def query(**attributes: str) -> str:
    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return (
        f'<AdhocQueryRequest xmlns="{names.QUERY}"><ResponseOption returnType="ObjectRef"/>'
        f'<AdhocQuery xmlns="{names.RIM}" id="{GET}"{told}><Slot name="$uuid"><ValueList>'
        f"<Value>('{NOBODY}')</Value></ValueList></Slot></AdhocQuery></AdhocQueryRequest>"
    )


def retrieve(home: str = "") -> str:
    told = f"<HomeCommunityId>{home}</HomeCommunityId>" if home else ""
    return (
        f'<RetrieveDocumentSetRequest xmlns="{names.XDSB}">'
        f"{REQUESTED.replace('>', f'>{told}', 1)}</RetrieveDocumentSetRequest>"
    )


def images(home: str = "") -> str:
    told = f"<x:HomeCommunityId>{home}</x:HomeCommunityId>" if home else ""
    return (
        '<RetrieveImagingDocumentSetRequest xmlns="urn:ihe:rad:xdsi-b:2009" '
        f'xmlns:x="{names.XDSB}"><StudyRequest studyInstanceUID="1.2"><SeriesRequest '
        f'seriesInstanceUID="1.3"><x:DocumentRequest>{told}<x:RepositoryUniqueId>1.2.3'
        "</x:RepositoryUniqueId><x:DocumentUniqueId>1.4</x:DocumentUniqueId></x:DocumentRequest>"
        "</SeriesRequest></StudyRequest><TransferSyntaxUIDList><TransferSyntaxUID>"
        "1.2.840.10008.1.2.1</TransferSyntaxUID></TransferSyntaxUIDList>"
        "</RetrieveImagingDocumentSetRequest>"
    )


def body_of(transaction: str, home: str) -> str:
    """Return a body that is well formed and finds nothing: a business answer, not a fault."""
    submit = foreign.text(foreign.one_document("NOBODY^^^&1.2.3&ISO"))
    return {
        "ITI-18": query(),
        "ITI-38": query(home=home),
        "ITI-51": query(),
        "ITI-41": f'<ProvideAndRegisterDocumentSetRequest xmlns="{names.XDSB}">{submit}'
        "</ProvideAndRegisterDocumentSetRequest>",
        "ITI-43": retrieve(),
        "ITI-39": retrieve(home),
        "ITI-62": f'<RemoveObjectsRequest xmlns="{names.LCM}"><r:ObjectRefList xmlns:r="{names.RIM}">'
        f'<r:ObjectRef id="{NOBODY}"/></r:ObjectRefList></RemoveObjectsRequest>',
        "ITI-86": f'<r:RemoveDocumentsRequest xmlns:r="{names.RMD}" xmlns="{names.XDSB}">{REQUESTED}'
        "</r:RemoveDocumentsRequest>",
        "RAD-69": images(),
        "RAD-75": images(home),
    }.get(transaction, submit)


@pytest.mark.tender("H-2", "R-6.2.6.1", "R-6.2.6.3", "R-6.2.3.1")
@pytest.mark.parametrize("transaction", ROWS)
def test_1_each_transaction_answers_with_its_action(
    pianku: RunningPianku, transaction: str
) -> None:
    row, client = ROWS[transaction], SoapClient(pianku.http)
    home = f"urn:oid:{pianku.demo['home_community_oid']}"
    mtom_in = transaction == "ITI-41"
    answer = client.call(row.path, row.request, body_of(transaction, home), mtom=mtom_in)
    client.close()

    assert (answer.http_status, answer.is_fault) == (200, False), answer.text()
    assert answer.action == row.response
    assert answer.relates_to == answer.message_id
    assert answer.packaged is row.mtom


@pytest.mark.tender("H-2")
@pytest.mark.parametrize("path", ADDRESSES)
def test_zeep_opens_every_wsdl(pianku: RunningPianku, path: str) -> None:
    client = zeep.Client(f"{pianku.http}{path}?wsdl")

    (service,) = client.wsdl.services.values()
    (port,) = service.ports.values()
    assert port.binding_options["address"] == f"{pianku.http}{path}"
    served = {operation.soapaction for operation in port.binding._operations.values()}
    assert {row.request for row in ROWS.values() if row.path == path} <= served
    for operation in port.binding._operations.values():
        assert operation.input.signature()  # the schema of the message was resolved


@pytest.mark.parametrize("path", ADDRESSES)
def test_every_wsdl_names_the_actions_of_the_framework(pianku: RunningPianku, path: str) -> None:
    root = etree.fromstring(httpx.get(f"{pianku.http}{path}?wsdl").content)
    told = {
        operation.find(f"{{{WSDL}}}input").get(f"{{{WSA}}}Action"): operation.find(
            f"{{{WSDL}}}output"
        ).get(f"{{{WSA}}}Action")
        for operation in root.iterfind(f"{{{WSDL}}}portType/{{{WSDL}}}operation")
        if operation.find(f"{{{WSDL}}}output") is not None
    }
    wanted = {row.request: row.response for row in ROWS.values() if row.path == path}
    assert wanted.items() <= told.items()


def asked(client: Any, operation: str, **body: Any) -> str:
    return str(client.service[operation](**body))


@pytest.mark.tender("H-2")
def test_zeep_asks_at_every_address(pianku: RunningPianku) -> None:
    def open_(path: str) -> Any:
        return zeep.Client(f"{pianku.http}{path}?wsdl")

    home = f"urn:oid:{pianku.demo['home_community_oid']}"
    lookup: dict[str, Any] = {
        "ResponseOption": {"returnType": "ObjectRef"},
        "AdhocQuery": {
            "id": GET,
            "home": home,
            "Slot": [{"name": "$uuid", "ValueList": {"Value": [f"('{NOBODY}')"]}}],
        },
    }
    document = {
        "HomeCommunityId": home,
        "RepositoryUniqueId": new_uid(),
        "DocumentUniqueId": new_uid(),
    }
    study = {
        "studyInstanceUID": new_uid(),
        "SeriesRequest": [{"seriesInstanceUID": new_uid(), "DocumentRequest": [document]}],
    }
    syntaxes = {"TransferSyntaxUID": ["1.2.840.10008.1.2.1"]}

    registry = asked(open_("/xds/registry"), "DocumentRegistry_RegistryStoredQuery", **lookup)
    assert xds.SUCCESS in registry
    gateway = asked(open_("/xca/query"), "GatewayQuery_CrossGatewayQuery", **lookup)
    assert xds.SUCCESS in gateway
    for path, operation in (
        ("/xds/repository", "DocumentRepository_RetrieveDocumentSet"),
        ("/xca/retrieve", "GatewayRetrieve_CrossGatewayRetrieve"),
    ):
        assert "XDSUnknownRepositoryId" in asked(open_(path), operation, DocumentRequest=[document])
    for path, operation in (
        ("/xds/imaging", "ImagingDocumentSource_RetrieveImagingDocumentSet"),
        ("/xca/imaging", "GatewayImaging_CrossGatewayRetrieveImagingDocumentSet"),
    ):
        told = asked(open_(path), operation, StudyRequest=[study], TransferSyntaxUIDList=syntaxes)
        assert "XDSUnknownRepositoryId" in told
    with pytest.raises(zeep.exceptions.Fault):
        open_("/dsub").service["NotificationBroker_Unsubscribe"]()
    message = (
        EXAMPLE.read_text(encoding="utf-8").partition("\n")[2].replace("@RUN@", f"{uuid4().int}")
    )
    interaction = etree.fromstring(message).find(f".//{{{hl7v3.HL7}}}PRPA_IN201305UV02")
    assert interaction is not None
    answer = open_("/hl7v3").service["PatientManager_PRPA_IN201305UV02"](_value_1=list(interaction))
    assert [part.tag.rpartition("}")[2] for part in answer["_value_1"]][-2:] == [
        "acknowledgement", "controlActProcess",
    ]  # fmt: skip
