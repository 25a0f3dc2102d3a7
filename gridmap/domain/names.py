"""Finding things by name: the text that search looks through, with pinyin."""

from __future__ import annotations

import functools
import importlib.util
import json
import unicodedata
from pathlib import Path

_DIAERESIS = "\u0308"


@functools.cache
def _readings() -> dict[str, str]:
    """
    The readings of each character, commonest first, by its code point as text.

    Read from pypinyin's own table of characters: importing the package loads its phrases too, which cost a
    second and much memory, and are of no use to single characters.
    """
    spec = importlib.util.find_spec("pypinyin")
    assert spec is not None
    assert spec.origin is not None
    return json.loads(Path(spec.origin).with_name("pinyin_dict.json").read_text("utf-8"))


def _syllable(character: str) -> str:
    if character.isspace():
        return ""
    reading = _readings().get(str(ord(character)), "").partition(",")[0] if character > "\u007f" else ""
    if not reading:
        return character.lower()
    bare = [
        one
        for one in unicodedata.normalize("NFD", reading)
        if one == _DIAERESIS or not unicodedata.combining(one)
    ]
    return unicodedata.normalize("NFC", "".join(bare)).replace("ü", "v")


class _Syllables(dict[int, str]):
    """What `str.translate` puts for each character; filled as characters turn up."""

    def __missing__(self, code: int) -> str:
        self[code] = _syllable(chr(code))
        return self[code]


class _Initials(_Syllables):
    def __missing__(self, code: int) -> str:
        self[code] = _syllable(chr(code))[:1]
        return self[code]


_SYLLABLES, _INITIALS = _Syllables(), _Initials()


def search_key(code: str | None, name: str) -> str:
    """
    What a search matches: code, name, its pinyin and the pinyin's initials, lower case, one space between.

    Syllables are looked up character by character, so a character with several readings gets its commonest.
    """
    names = (
        f"{name.lower()} {name.translate(_SYLLABLES)} {name.translate(_INITIALS)}"
        if name.strip()
        else name.lower()
    )
    return " ".join([code.lower(), names] if code and names else [code.lower() if code else names])
