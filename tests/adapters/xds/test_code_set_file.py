"""Code-set files in both forms (ITI TF-3 4.2.3.1: the affinity domain's vocabulary)."""

from __future__ import annotations

import msgspec
import pytest

import schemas
from adapters.soap.faults import SoapFault
from adapters.xds import names
from adapters.xds.code_set_file import read_code_sets
from kernel.codes import Code
from registry.documents.refusals import CodeUnknown
from tests.support.submissions import entry, folder, submission

XML = f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<!-- a remark before the root -->
<Codes>
  <CodeType name="classCode" classScheme="{names.CLASS_CODE}">
    <Code code="REPORTS" display="Reports" codingScheme="1.3.6.1.4.1.19376.1.2.6.1" system="x"/>
  </CodeType>
  <CodeType name="called otherwise" classScheme="{names.TYPE_CODE.upper()}">
    <Code code="18748-4" display="Imaging" codingScheme="2.16.840.1.113883.6.1"/>
  </CodeType>
  <CodeType name="folderCodeList"><Code code="F1" codingScheme="1.2.3"/></CodeType>
  <CodeType name="eventCodeList" classScheme="{names.EVENT_CODE}"/>
  <CodeType name="mimeType"><Code code="text/plain" ext="txt"/></CodeType>
  <AssigningAuthority id="&amp;1.2.250.99.1&amp;ISO" display="demo"/>
</Codes>""".encode()


def test_codes_xml_is_read_by_class_scheme_or_name() -> None:
    sets = read_code_sets(XML)
    assert set(sets.sets) == {"classCode", "typeCode", "codeList"}
    sets.check_submission(submission(entry()))
    assert sets.display("classCode", Code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1")) == "Reports"


@pytest.mark.parametrize(
    "strange",
    [
        entry(class_code=Code("REPORTS", "1.2.3")),
        entry(type_code=Code("11488-4", "2.16.840.1.113883.6.1")),
        folder(codes=(Code("F2", "1.2.3"),)),
    ],
)
def test_what_codes_xml_does_not_list_is_refused(strange) -> None:
    with pytest.raises(CodeUnknown):
        read_code_sets(XML).check_submission(submission(strange))


def test_our_own_form_is_read_too_with_a_byte_order_mark() -> None:
    ours = schemas.path("codes/affinity-domain.json").read_bytes()
    sets = read_code_sets(b"\xef\xbb\xbf\n" + ours)
    assert sets.sets["classCode"].codes


@pytest.mark.parametrize("octets", [b"", b"{}", b"[]", b"<Codes>", b"<!DOCTYPE x><x/>"])
def test_another_file_is_none(octets: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, SoapFault)):
        read_code_sets(octets)
