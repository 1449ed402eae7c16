"""Other products' ways to say the same: each is understood (ITI TF-3 4.2.1, TF-2 appendix V).

Ids, prefixes, orders, white space, languages, XOP packages; section 15 of the checklist.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from lxml import etree

from adapters.xds import names
from kernel.identifiers import new_uid
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import Element
from tests.support.soap import ADDRESSING, ENVELOPE, Answer, SoapClient
from tests.support.submissions import REPOSITORY
from tests.support.xds_node import Node

SOAP_TYPE = "application/soap+xml"


def send(node: Node, body: str, action: str = foreign.ITI42, **how: str) -> Answer:
    path = how.get("path", "/xds/registry")
    return foreign.post(
        node.http, path, wrapped(body, action), {"Content-Type": how.get("type", SOAP_TYPE)}
    )


def wrapped(body: str, action: str) -> bytes:
    return (
        f'<env:Envelope xmlns:env="{ENVELOPE}"><env:Header>'
        f'<Action xmlns="{ADDRESSING}" env:mustUnderstand="true">{action}</Action>'
        f"</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    ).encode()


def message(patient: str, document: str = "Document01") -> str:
    return foreign.text(
        foreign.request(
            foreign.document(patient, document), foreign.submission_set(patient),
            foreign.member(document),
        )
    )  # fmt: skip


def default_namespace(text: str) -> str:
    text = text.replace("<q:", "<").replace("</q:", "</")
    return text.replace("<RegistryObjectList>", f'<RegistryObjectList xmlns="{names.RIM}">')


def declared_everywhere(text: str) -> str:
    return re.sub(r"<q:(\w+)", rf'<rim:\1 xmlns:rim="{names.RIM}"', text).replace("</q:", "</rim:")


def white_space(text: str) -> str:
    text = re.sub(r"<q:Value>(.*?)</q:Value>", r"<q:Value>\n\t \1 \n</q:Value>", text)
    return text.replace("><", ">\n  <")


def cdata(text: str) -> str:
    return re.sub(r"<q:Value>([a-z0-9-]+)</q:Value>", r"<q:Value><![CDATA[\1]]></q:Value>", text)


def remarks(text: str) -> str:
    text = text.replace("<q:ValueList>", "<!-- values --><q:ValueList><?tool x?>")
    return text.replace("<q:RegistryObjectList>", "<!-- objects --><q:RegistryObjectList>")


def languages(text: str) -> str:
    several = (
        '<q:LocalizedString xml:lang="fr" charset="UTF-8" value=""/>'
        '<q:LocalizedString xml:lang="en-us" charset="UTF-8" value="Physical"/>'
        '<q:LocalizedString xml:lang="zh-CN" value="体检"/>'
    )
    return text.replace('<q:LocalizedString value="Physical"/>', several)


def capitals(text: str) -> str:
    own = f"urn:uuid:{uuid4()}"
    text = text.replace('id="Document01"', f'id="{own}"').replace(
        '"Document01"', f'"{own.upper()}"'
    )
    return text.replace('"SubmissionSet01"', f'"urn:uuid:{str(uuid4()).upper()}"')


def renamed(name: str) -> Callable[[str], str]:
    return lambda text: text.replace("Document01", name)


def with_attributes(text: str) -> str:
    kind = "urn:oasis:names:tc:ebxml-regrep:ObjectType:RegistryObject:"
    for tag in ("Association", "Classification", "ExternalIdentifier", "RegistryPackage"):
        text = text.replace(
            f"<q:{tag} ", f'<q:{tag} objectType="{kind}{tag}" status="{xds.APPROVED}" home="" '
        )
    text = text.replace("<q:Slot ", '<q:Slot slotType="urn:x" ')
    return text.replace(
        "<q:ExtrinsicObject ", '<q:ExtrinsicObject isOpaque="false" home="urn:oid:1.2" '
    )


def versions(text: str) -> str:
    text = text.replace("<q:Description/>", '<q:Description/><q:VersionInfo versionName="1.1"/>')
    return text.replace("</q:ExtrinsicObject>", "<q:ContentVersionInfo/></q:ExtrinsicObject>")


def schema_location(text: str) -> str:
    return text.replace(
        "<l:SubmitObjectsRequest ",
        '<l:SubmitObjectsRequest xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="{names.LCM} ../schema/lcm.xsd" id="r1" comment="c" ',
    )


def request_slots(text: str) -> str:
    slots = f'<r:RequestSlotList xmlns:r="{names.RS}">{foreign.slot("any", "thing")}</r:RequestSlotList>'
    return text.replace("<q:RegistryObjectList>", f"{slots}<q:RegistryObjectList>")


def schemes_in_capitals(text: str) -> str:
    schemes = [*foreign.DOCUMENT_CODES, names.SUBMISSION_SET, names.DOCUMENT_UNIQUE_ID]
    for scheme in schemes:
        text = text.replace(f'"{scheme}"', f'"urn:uuid:{scheme[9:].upper()}"')
    return text


def types_of_another_schema(text: str) -> str:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type'
    text = text.replace("<q:Association ", f'<q:Association {xsi}="q:AssociationType1" ')
    return text.replace("<q:ExtrinsicObject ", f'<q:ExtrinsicObject {xsi}="q:ExtrinsicObjectType" ')


def backwards(text: str) -> str:
    root = etree.fromstring(text)
    root[0][:] = reversed(root[0])
    return foreign.text(root)


def slots_backwards(text: str) -> str:
    root = etree.fromstring(text)
    for owner in root.iter(f"{{{names.RIM}}}ExtrinsicObject"):
        slots = owner.findall(f"{{{names.RIM}}}Slot")
        others = [child for child in owner if child not in slots]
        owner[:] = [*reversed(slots), *others]
    return foreign.text(root)


def node_inside(text: str) -> str:
    root = etree.fromstring(text)
    beside = foreign.find(root, "Classification", classificationNode=names.SUBMISSION_SET)
    package = foreign.find(root, "RegistryPackage")
    first = package.findall(f"{{{names.RIM}}}Classification")[0]
    foreign.drop(beside)
    first.addprevious(beside)
    return foreign.text(root)


QUIRKS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "default namespaces": default_namespace,
    "prefixes declared everywhere": declared_everywhere,
    "white space around values": white_space,
    "CDATA": cdata,
    "remarks and instructions": remarks,
    "several languages": languages,
    "UUIDs in capitals": capitals,
    "an id with colons": renamed("doc:1:x"),
    "an id like a URN": renamed("urn:oid:1.2.3"),
    "an id with a blank and letters": renamed("the document ü"),
    "an id of digits": renamed("1"),
    "optional attributes": with_attributes,
    "versions": versions,
    "a schema's location": schema_location,
    "schemes in capitals": schemes_in_capitals,
    "types of another schema": types_of_another_schema,
    "slots of the request": request_slots,
    "objects backwards": backwards,
    "slots backwards": slots_backwards,
    "the node inside": node_inside,
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_strangers_metadata_are_understood(
    node: Node, client: SoapClient, patient: str, quirk: str
) -> None:
    answer = send(node, QUIRKS[quirk](message(patient)))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    (found,) = foreign.documents_of(client, patient)
    assert xds.slot(found, "languageCode") == ["en-us"]
    assert xds.slot(found, "sourcePatientInfo")[0] == "PID-3|pid1^^^&1.2.3&ISO"
    title = found.find("rim:Name/rim:LocalizedString", xds.NAMES)
    assert title is not None
    assert title.get("value") == "Physical"


@pytest.mark.parametrize(
    "prolog",
    [
        b"", b'<?xml version="1.0"?>', b"<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n",
        b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>', b"\r\n \n", b"<!-- hello -->\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "content_type",
    [
        "application/soap+xml",
        "application/soap+xml; charset=UTF-8",
        'application/soap+xml;action="urn:ihe:iti:2007:RegisterDocumentSet-b";charset="utf-8"',
        "Application/SOAP+XML; Charset=utf-8; action=urn:ihe:iti:2007:RegisterDocumentSet-b",
        'application/soap+xml; action=""; charset=utf-8;',
    ],
)
def test_s5_content_types_and_prologs(
    node: Node, patient: str, prolog: bytes, content_type: str
) -> None:
    octets = prolog + wrapped(message(patient), foreign.ITI42)
    answer = foreign.post(node.http, "/xds/registry", octets, {"content-type": content_type,
                          "SOAPAction": '"urn:something:else"', "Accept": "text/plain"})  # fmt: skip
    assert xds.status(answer) == xds.SUCCESS, answer.text()


# -- packages ----------------------------------------------------------------------------------


def package(
    node: Node, patient: str, inside: str, parts: list[tuple[str, bytes]], *, boundary: str = "b=1",
    content_type: str = "", root: str = "", unique_id: str = "", root_last: bool = False,
    line_end: str = "\r\n",
) -> Answer:  # fmt: skip
    """Send ITI-41 as a package; `{cid}` in a part's header lines is told by the caller."""
    submit = foreign.one_document(patient, octets_elsewhere=False, unique_id=unique_id)
    body = (
        f'<ProvideAndRegisterDocumentSetRequest xmlns="{names.XDSB}">{foreign.text(submit)}'
        f'<Document id="Document01">{inside}</Document></ProvideAndRegisterDocumentSetRequest>'
    )
    head = root or 'Content-Type: application/xop+xml; type="application/soap+xml"; charset=UTF-8'
    pieces = [(f"{head}\r\nContent-ID: <root@x>", wrapped(body, xds.ITI41)), *parts]
    if root_last:
        pieces = [*pieces[1:], pieces[0]]
    end = line_end.encode()
    octets = b"preamble\r\n" if end == b"\r\n" else b""
    for lines, content in pieces:
        octets += f"--{boundary}\r\n{lines}\r\n\r\n".encode().replace(b"\r\n", end) + content + end
    octets += f"--{boundary}--{line_end}epilogue".encode()
    told = content_type or (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; '
        'start="<root@x>"; start-info="application/soap+xml"'
    )
    return foreign.post(node.http, "/xds/repository", octets, {"Content-Type": told})


def include(cid: str) -> str:
    return f'\n <i:Include xmlns:i="http://www.w3.org/2004/08/xop/include" href="cid:{cid}"/>\n'


PART = "Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\nContent-ID: "
CONTENT = b"the\r\n--octets\x00\xff"

PACKAGES: dict[str, dict[str, object]] = {
    "plain": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)]},
    "percent-encoded cid": {"inside": include("a%40b%2Bc"), "parts": [(f"{PART}<a@b+c>", CONTENT)]},
    "cid with a scheme": {"inside": include("urn:uuid:1%2F2"), "parts": [(f"{PART}<urn:uuid:1/2>", CONTENT)]},
    "cid without brackets": {"inside": include("a@b"), "parts": [(f"{PART}a@b", CONTENT)]},
    "headers in small letters": {"inside": include("a@b"), "parts": [("content-id: <a@b>", CONTENT)]},
    "inline base64": {"inside": base64.encodebytes(CONTENT).decode(), "parts": []},
    "root last": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)], "root_last": True},
    "no start": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)],
        "content_type": 'Multipart/Related; start-info="application/soap+xml"; type="application/xop+xml"; boundary="b=1"'},
    "start without brackets": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)],
        "content_type": 'multipart/related;type="application/xop+xml";start="root@x";boundary="b=1"'},
    "no quotes, an action": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)], "boundary": "bound",
        "content_type": f"multipart/related; action={xds.ITI41}; type=application/xop+xml; boundary=bound"},
    "action in start-info": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)],
        "content_type": 'multipart/related; boundary="b=1"; type="application/xop+xml"; start="<root@x>"; '
                        f'start-info="application/soap+xml; action=\\"{xds.ITI41}\\""'},
    "a boundary like an identifier, no start": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)],
        "boundary": "uuid:376733a6-6a2d-4583-a687-04c08acf6a49+id=17",
        "content_type": 'multipart/related; boundary="uuid:376733a6-6a2d-4583-a687-04c08acf6a49+id=17"; '
                        f'type="application/xop+xml"; start-info="application/soap+xml"; action="{xds.ITI41}"'},
    "bare line feeds": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)], "line_end": "\n"},
    "bare line feeds, inline base64": {"inside": base64.encodebytes(CONTENT).decode(), "parts": [], "line_end": "\n"},
    "an action in the root": {"inside": include("a@b"), "parts": [(f"{PART}<a@b>", CONTENT)],
        "root": f'Content-Type: application/xop+xml; charset=utf-8; type="application/soap+xml; action=\\"{xds.ITI41}\\""\r\nContent-Transfer-Encoding: 8bit'},
}  # fmt: skip


@pytest.mark.parametrize("case", PACKAGES)
def test_s6_packages_of_strangers(node: Node, client: SoapClient, patient: str, case: str) -> None:
    unique_id = new_uid()
    answer = package(node, patient, unique_id=unique_id, **PACKAGES[case])  # type: ignore[arg-type]
    assert xds.errors(answer) == [], answer.text()
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert xds.retrieve(client, REPOSITORY, [unique_id]) == {unique_id: CONTENT}


def test_s6_an_empty_part_is_an_empty_document(
    node: Node, client: SoapClient, patient: str
) -> None:
    unique_id = new_uid()
    answer = package(node, patient, include("a@b"), [(f"{PART}<a@b>", b"")], unique_id=unique_id)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert xds.retrieve(client, REPOSITORY, [unique_id]) == {unique_id: b""}


# -- section 15: traps -----------------------------------------------------------------------------


def test_15_4_the_partial_success_has_a_namespace_of_its_own() -> None:
    assert names.PARTIAL_SUCCESS == "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    assert names.SUCCESS.startswith("urn:oasis:names:tc:ebxml-regrep:")


def test_15_2_ebrim_2_is_refused_clearly(node: Node) -> None:
    old = '<o:SubmitObjectsRequest xmlns:o="urn:oasis:names:tc:ebxml-regrep:registry:xsd:2.1"/>'
    answer = send(node, old)
    assert answer.is_fault
    assert "SubmitObjectsRequest" in answer.text()


def test_15_5_limited_metadata_are_not_for_a_registry(client: SoapClient, patient: str) -> None:
    def limited(e: Element) -> None:
        node = foreign.request(foreign.node_of("Document01", sorted(names.LIMITED_METADATA)[2]))
        e[0].append(foreign.find(node, "Classification"))

    submit = foreign.spoiled(foreign.one_document(patient), limited)
    assert xds.errors(foreign.register(client, submit)) == ["XDSRegistryMetadataError"]
