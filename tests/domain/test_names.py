"""What search looks through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from gridmap.domain.names import search_key


@pytest.mark.parametrize(
    ("code", "name", "key"),
    [
        ("JWZ01", "南桥警务站", "jwz01 南桥警务站 nanqiaojingwuzhan nqjwz"),
        (None, "绿地 A座", "绿地 a座 lvdiazuo ldaz"),
        (None, "", ""),
        ("X", "", "x"),
    ],
)
def test_a_key_holds_code_name_pinyin_and_initials(code: str | None, name: str, key: str) -> None:
    assert search_key(code, name) == key


@given(
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0x9FFF, blacklist_categories=("Z", "C")), max_size=12
    )
)
def test_syllables_are_those_of_the_pinyin_library(name: str) -> None:
    syllables = [lazy_pinyin(one)[0].lower() for one in name]
    parts = (name.lower(), "".join(syllables), "".join(one[:1] for one in syllables))
    assert search_key(None, name) == " ".join(part for part in parts if part)
