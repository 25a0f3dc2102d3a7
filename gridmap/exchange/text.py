"""Bytes to text when nothing says how: UTF-8 and GB18030 told apart by strict decoding."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable

from gridmap.exchange.errors import EncodingUnknown, FileBroken

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# GB 18030 contains GBK and GB 2312; "ANSI" is what Chinese Windows calls it.
_ALIASES = {
    "gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "936": "gb18030", "ansi": "gb18030",
    "ansi936": "gb18030", "ms936": "gb18030", "65001": "utf-8", "utf8": "utf-8",
}  # fmt: skip


def python_encoding(name: str) -> str:
    """The codec that `name` (as people and .cpg files write it) means; raises EncodingUnknown."""
    plain = re.sub(r"[\s_-]+", "", name.strip().lower())
    known = _ALIASES.get(plain, name.strip())
    try:
        found = codecs.lookup(known).name
    except (LookupError, ValueError):
        found = ""
    if not found or found in ("base64", "hex", "zlib", "bz2", "rot13", "uu", "quopri", "idna", "punycode"):
        raise EncodingUnknown(
            f"no encoding is called {name!r}; use utf-8 or gb18030",
            zh=f"没有名为“{name[:40]}”的编码。可填 utf-8 或 gb18030。",
        )
    return found


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """
    The text and the encoding it was in.

    A byte order mark decides; else `encoding` where given; else UTF-8 where all bytes fit it, GB18030 where
    they fit that.

    Raises
    ------
    EncodingUnknown
        The bytes do not fit `encoding`, or nothing.
    FileBroken
        The text is UTF-8 cut off in the middle of a character, or holds NUL characters.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark) and encoding is None:
            return _checked(_strict(data, codec)), codec
    if encoding is not None:
        codec = python_encoding(encoding)
        return _checked(_strict(data, codec).removeprefix("\ufeff")), codec
    codec = best_encoding([data])
    if codec is None:
        _refuse_cut_off(data)
        raise EncodingUnknown(
            "the text is neither UTF-8 nor GB18030; save it as UTF-8",
            zh="文字既不是 UTF-8 也不是 GBK/GB18030 编码。请用 Excel、WPS 或记事本另存为 UTF-8 后重试。",
        )
    if codec == "gb18030":
        _refuse_cut_off(data)
    return _checked(data.decode(codec)), codec


def _strict(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError) as error:
        raise EncodingUnknown(
            f"the text is not {codec}; choose another encoding",
            zh=f"文字不是 {codec} 编码。请选择其他编码,或用 Excel、WPS、记事本另存为 UTF-8 后重试。",
        ) from error


def _refuse_cut_off(data: bytes) -> None:
    """A file cut off inside a UTF-8 character must not pass for GB18030 nonsense."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and any(byte > 127 for byte in data[: error.start]):
            raise FileBroken(
                "the text ends inside a character", zh="文件不完整:文字在末尾被截断。请重新导出或下载后重试。"
            ) from error


def _checked(text: str) -> str:
    if "\x00" in text:
        raise FileBroken(
            "the text holds NUL characters", zh="文件里有二进制内容(空字符),不是文本。请检查文件是否损坏。"
        )
    return text


def best_encoding(texts: Iterable[bytes]) -> str | None:
    """
    "utf-8" or "gb18030", whichever all texts fit; None when neither does.

    Where both do, UTF-8, since long Chinese texts in GBK hardly ever pass for it. A handful of GBK characters
    can: they read as Greek, Cyrillic, Hebrew or Arabic then, and such a text is taken for Chinese. Signs like
    the degree and the middle dot do not count as foreign.
    """
    data = [text for text in texts if not text.isascii()]
    if not data:
        return "utf-8"
    utf8, gb = _all_decoded(data, "utf-8"), _all_decoded(data, "gb18030")
    if utf8 is None or gb is None:
        return "utf-8" if utf8 is not None else "gb18030" if gb is not None else None
    foreign = {char for char in utf8 if char > "\x7f"}
    is_handful = len(foreign) < 6 and all("\u0100" <= char < "\u0800" for char in foreign)
    return "gb18030" if is_handful and _has_chinese(gb) else "utf-8"


def _all_decoded(texts: list[bytes], codec: str) -> str | None:
    try:
        return "\n".join(text.decode(codec) for text in texts)
    except UnicodeDecodeError:
        return None


def _has_chinese(text: str) -> bool:
    return any("\u3000" <= char <= "\u9fff" or "\uff00" <= char <= "\uffef" for char in text)


def without_controls(text: str) -> str:
    """The text with characters that XML cannot hold replaced by U+FFFD."""
    return re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "\ufffd", text)


def plain_name(text: str) -> str:
    """A heading for comparison: narrow, lower case, without blanks, underscores and brackets."""
    return re.sub(r"[\s_\-()\[\]{}·.°]+", "", unicodedata.normalize("NFKC", text)).casefold()
