"""The page of XDS conformance has a line for every row, and each test that it names exists.

ITI TF-2, TF-3 and RAD TF as our checklist numbers their rules (docs/integrate/xds-conformance.md).
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from adapters.xds import communities, faults

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs/integrate/xds-conformance.md").read_text(encoding="utf-8")
NODE: Final = re.compile(r"`([\w/]+\.py)::(\w+)`")

_QUERIES = """
FindDocuments FindDocumentsByReferenceId FindSubmissionSets FindFolders GetAll GetDocuments
GetFolders GetAssociations GetDocumentsAndAssociations GetSubmissionSets
GetSubmissionSetAndContents GetFolderAndContents GetFoldersForDocument GetRelatedDocuments
FindDocumentsExclude FindDocumentsForMultiplePatients FindFoldersForMultiplePatients
FindDocumentsByReferenceIdForMultiplePatients
"""
_DOCUMENT = """
mimeType author classCode confidentialityCode eventCodeList formatCode healthcareFacilityTypeCode
practiceSettingCode typeCode limitedMetadata patientId uniqueId creationTime languageCode
sourcePatientId hash size repositoryUniqueId serviceStartTime serviceStopTime legalAuthenticator
URI documentAvailability sourcePatientInfo referenceIdList title comments entryUUID logicalID
version home
"""
_SET = """
author contentTypeCode patientId uniqueId sourceId submissionTime intendedRecipient limitedMetadata
"""
_FOLDER = "codeList patientId uniqueId title lastUpdateTime limitedMetadata"
_TRANSACTIONS = """
ITI-18 ITI-41 ITI-42 ITI-43 ITI-51 ITI-57 ITI-61 ITI-62 ITI-86 ITI-92 ITI-38 ITI-39 ITI-80 RAD-68
RAD-69 RAD-75
"""
_CODES = """
XDSRegistryError XDSRepositoryError XDSRegistryMetadataError XDSRepositoryMetadataError
XDSRegistryNotAvailable XDSRegistryBusy XDSRepositoryBusy XDSRegistryOutOfResources
XDSRepositoryOutOfResources XDSUnknownPatientId XDSPatientIdDoesNotMatch
XDSDuplicateUniqueIdInRegistry XDSRegistryDuplicateUniqueIdInMessage
XDSRepositoryDuplicateUniqueIdInMessage XDSNonIdenticalHash XDSNonIdenticalSize
XDSRegistryDeprecatedDocumentError XDSMissingDocument XDSMissingDocumentMetadata
XDSExtraMetadataNotSaved XDSUnknownStoredQuery XDSStoredQueryMissingParam
XDSStoredQueryParamNumber XDSTooManyResults XDSResultNotSinglePatient XDSUnknownRepositoryId
XDSDocumentUniqueIdError XDSUnknownCommunity XDSMissingHomeCommunityId XDSUnavailableCommunity
XDSMetadataUpdateError XDSMetadataUpdateOperationError XDSMetadataVersionError
XDSPatientIDReconciliationError XDSObjectTypeError XDSMetadataIdentifierError
XDSInvalidRequestException UnmodifiableMetadataError LocalPolicyRestrictionError
XDSMetadataAnnotationError UnresolvedReferenceException ReferencesExistException
XDSUnreferencedObjectException XDSRemoveDocumentsError XDSIRequestError
"""


def _numbered(letter: str, last: int) -> list[str]:
    return [f"{letter}{number}" for number in range(1, last + 1)]


ROWS: Final = [
    *(
        f"0 {name}"
        for name in (
            "namespaces", "status", "response status", "severity", "objectType",
            "documentAvailability", "association types", "RegistryObject types", "XSD",
        )
    ),
    *(f"1 {name}" for name in _TRANSACTIONS.split()),
    *_numbered("S", 11),
    *(f"2.1 {name}" for name in [*_DOCUMENT.split(), "formats", "code sets"]),
    *(f"2.2 {name}" for name in ["one set", *_SET.split()]),
    *(f"2.3 {name}" for name in [*_FOLDER.split(), "node inside or beside"]),
    "2.4 SubmissionSetStatus", "2.4 documentation", "2.4 unknown type, self reference",
    "2.5", "2.6",
    *_numbered("R", 12), *_numbered("P", 5), *_numbered("G", 3),
    *(f"6 {name}" for name in _QUERIES.split()),
    "6 value syntax", "6 AND and OR", "6 unknown parameters", "6 times, LIKE", "6 DSUB filters",
    *_numbered("Q", 6), *_numbered("U", 8), *_numbered("D", 3), "9",
    *(
        f"10 RAD-68 {name}"
        for name in (
            "mimeType, formatCode", "uniqueId", "typeCode, classCode", "eventCodeList",
            "referenceIdList", "serviceStartTime", "sourcePatientId, sourcePatientInfo",
        )
    ),
    "10 KOS", "10 study changed", "10 all rejected", "10 MADO", "10 RAD-69",
    *_numbered("I", 3),
    "11 ITI-8", "11 A40", "11 ITI-44", "11 ITI-64",
    *(
        f"12 {name}"
        for name in (
            "ITI-18, 51, 38", "ITI-41, 42, 61", "ITI-43, 39", "RAD-69", "ITI-57, 92", "ITI-62, 86",
            "ITI-20", "XUA",
        )
    ),
    *(f"13 {code}" for code in _CODES.split()), "13 XDR partials",
    *(f"14 ITI-{number}" for number in (65, 66, 67, 68, 105, 106)),
    *(f"15.{number}" for number in range(1, 7)),
]  # fmt: skip


def lines() -> dict[str, tuple[str, str]]:
    """Return row -> (tests, remark) of the page's tables."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[0] != "row":
            assert cells[0] not in found, f"{cells[0]} stands twice"
            found[cells[0]] = (cells[1], cells[2])
    return found


@cache
def functions(path: Path) -> frozenset[str]:
    """Return the names of a file's test functions, read from its text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests_or_says_why_not(row: str) -> None:
    told = lines()
    assert row in told, f"the page has no line for {row}"
    tests, remark = told[row]
    assert NODE.search(tests) or remark, f"{row} has neither a test nor a reason"


def test_every_test_the_page_names_exists() -> None:
    named = NODE.findall(PAGE)
    assert len(named) > len(ROWS)
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / "tests" / file).is_file() or name not in functions(ROOT / "tests" / file)
    ]
    assert missing == []


def test_a_cell_of_tests_holds_nothing_else() -> None:
    for row, (tests, _) in lines().items():
        assert NODE.sub("", tests).replace("<br>", "") == "", row


def test_every_error_code_that_we_say_has_a_line() -> None:
    said = {*faults._CODES.values(), *faults._REPOSITORY_CODES.values()}
    text = Path(communities.__file__).read_text(encoding="utf-8")
    said |= set(re.findall(r'"(XDS\w+)"', text))
    assert said <= set(_CODES.split())
