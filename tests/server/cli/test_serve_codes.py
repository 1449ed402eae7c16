"""`--codes` and `--unchecked-codes` of serve and demo (design A1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from adapters.xds import names
from kernel.codes import Code
from registry.documents.refusals import CodeUnknown
from server.cli.serve import door_settings
from server.settings import BadSettings
from server.wiring import code_sets
from tests.support.submissions import entry, submission

XML = f"""<Codes><CodeType name="classCode" classScheme="{names.CLASS_CODE}">
<Code code="A" codingScheme="1.2.3"/></CodeType></Codes>"""


def settings(**doors: Any) -> Any:
    return door_settings(click.Context(click.Command("serve")), doors)


def test_codes_xml_takes_the_place_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "codes.xml"
    file.write_text(XML, encoding="utf-8")
    domain = settings(codes=str(file), data=str(tmp_path)).domain
    sets = code_sets(domain.codes).without(domain.unchecked_codes)
    sets.check_submission(submission(entry(class_code=Code("A", "1.2.3"))))
    with pytest.raises(CodeUnknown):
        sets.check_submission(submission(entry()))


def test_types_are_switched_off(tmp_path: Path) -> None:
    file = tmp_path / "codes.xml"
    file.write_text(XML, encoding="utf-8")
    domain = settings(
        codes=str(file), unchecked_codes="classCode,typeCode", data=str(tmp_path)
    ).domain
    assert domain.unchecked_codes == ("classCode", "typeCode")
    code_sets(domain.codes).without(domain.unchecked_codes).check_submission(submission(entry()))


@pytest.mark.parametrize("text", ["<Codes>", "{}", ""])
def test_a_file_that_is_none_is_told_at_once(tmp_path: Path, text: str) -> None:
    file = tmp_path / "codes"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"domain\.codes"):
        settings(codes=str(file), data=str(tmp_path))
    with pytest.raises(BadSettings, match="cannot be read"):
        settings(codes=str(tmp_path / "none"), data=str(tmp_path))
