"""Bytes become the text that was meant, or a clear refusal."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.exchange.errors import EncodingUnknown, FileBroken
from gridmap.exchange.text import best_encoding, decode, plain_name, python_encoding, without_controls

CHINESE = "名称,地址\n南桥警务站,解放中路(24小时)\n"


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (CHINESE.encode("utf-8"), "utf-8"),
        (CHINESE.encode("utf-8-sig"), "utf-8-sig"),
        (CHINESE.encode("gbk"), "gb18030"),
        ("𠮷野家,㐀\n".encode("gb18030"), "gb18030"),
        (CHINESE.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + CHINESE.encode("utf-16-be"), "utf-16"),
        (b"a,b\n", "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_the_usual_encodings_are_told_apart(data: bytes, codec: str) -> None:
    text, found = decode(data)
    assert found == codec
    assert text in (CHINESE, "𠮷野家,㐀\n", "a,b\n", "")
    assert not text.startswith("\ufeff")


han = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=6, max_size=40)


@settings(deadline=None)
@given(han)
def test_chinese_text_is_never_mistaken_whichever_way_it_was_saved(text: str) -> None:
    assert decode(text.encode("utf-8"))[0] == text
    assert decode(text.encode("gb18030"))[0] == text


@pytest.mark.parametrize("text", ["亮", "徐家汇", "模", "25°C", "1·2", "5m²", "±3"])
def test_a_few_characters_that_fit_both_are_read_as_they_are_used_here(text: str) -> None:
    assert decode(text.encode("utf-8"))[0] == text
    if text[0] >= "\u4e00":
        assert decode(text.encode("gbk"))[0] == text


def test_the_named_encoding_counts_even_where_another_fits() -> None:
    assert decode("汉".encode(), "utf-8")[0] == "汉"
    assert decode(CHINESE.encode("gbk"), "GB2312")[0] == CHINESE
    assert decode(CHINESE.encode("utf-8-sig"), "utf-8")[0] == CHINESE
    with pytest.raises(EncodingUnknown, match="utf-8") as caught:
        decode(CHINESE.encode("gbk"), "utf-8")
    assert "UTF-8" in caught.value.chinese()


@pytest.mark.parametrize(
    ("name", "codec"),
    [("GBK", "gb18030"), ("936", "gb18030"), ("ANSI 936", "gb18030"), ("cp936", "gb18030"), ("UTF8", "utf-8"),
     ("65001", "utf-8"), ("utf-8", "utf-8"), ("big5", "big5"), ("latin-1", "iso8859-1")],
)  # fmt: skip
def test_encodings_are_known_by_the_names_people_and_files_use(name: str, codec: str) -> None:
    assert python_encoding(name) == codec


@pytest.mark.parametrize("name", ["", "klingon", "base64", "hex", "\x00", "zlib"])
def test_what_is_no_encoding_is_refused(name: str) -> None:
    with pytest.raises(EncodingUnknown):
        python_encoding(name)


def test_bytes_that_fit_nothing_are_refused_with_advice() -> None:
    with pytest.raises(EncodingUnknown) as caught:
        decode(b"caf\xe9,\xff\xff\n")
    assert "另存为 UTF-8" in caught.value.chinese()


def test_utf8_cut_off_inside_a_character_is_not_read_as_nonsense() -> None:
    for cut in (1, 2):
        with pytest.raises(FileBroken, match="inside a character"):
            decode("奉贤区南桥镇警务站".encode()[:-cut])


def test_binary_content_is_no_text() -> None:
    with pytest.raises(FileBroken):
        decode(b"a,b\x00c")


def test_ascii_alone_is_utf8() -> None:
    assert best_encoding([b"abc", b""]) == "utf-8"
    assert best_encoding([]) == "utf-8"
    assert best_encoding([b"\xff\xff"]) is None


def test_headings_compare_by_what_they_say() -> None:
    assert plain_name(" Lon_WGS84 ") == plain_name("lon-wgs84") == "lonwgs84"
    assert plain_name("\uff2c\uff4f\uff4e") == "lon"
    assert plain_name("经度(°)") == "经度"


def test_controls_are_replaced_for_xml_and_line_breaks_kept() -> None:
    assert without_controls("a\x00b\x1f\n\t\r\ud800") == "a\ufffdb\ufffd\n\t\r\ufffd"
