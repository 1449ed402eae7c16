"""Names as they are looked for: Latin, Chinese, pinyin, initials, surnames read otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.person_names import NameKeys, name_keys, search_key


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("Zhang^San=张^三", NameKeys("Zhang San", "张 三", "zhangsan", "张三", "zhangsan", "zs")),
        ("张^三", NameKeys("", "张 三", "", "张三", "zhangsan", "zs")),
        ("=欧阳^小明", NameKeys("", "欧阳 小明", "", "欧阳小明", "ouyangxiaoming", "oyxm")),
        (
            "MÜLLER^Ann-Marie^^Dr",
            NameKeys("MÜLLER Ann-Marie Dr", "", "mullerannmariedr", "", "", ""),
        ),
        ("", NameKeys("", "", "", "", "", "")),
        ("^^^==", NameKeys("", "", "", "", "", "")),
    ],
)
def test_keys(name: str, keys: NameKeys) -> None:
    assert name_keys(name) == keys


@pytest.mark.parametrize(
    ("written", "pinyin"),
    [
        ("曾^小明", "zengxiaoming"), ("单^田", "shantian"), ("仇^英", "qiuying"),
        ("解^放", "xiefang"), ("尉迟^恭", "yuchigong"), ("万俟^卨", "moqixie"), ("曾", "zeng"),
        ("翟^天", "zhaitian"),
    ],
)  # fmt: skip
def test_surnames_that_are_read_otherwise(written: str, pinyin: str) -> None:
    assert name_keys(written).pinyin == pinyin


@given(st.text(max_size=60))
def test_any_text_has_keys(text: str) -> None:
    keys = name_keys(text)
    assert search_key(keys.latin) == keys.latin
    assert len(keys.initials) <= len(keys.pinyin)
