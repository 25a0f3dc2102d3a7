"""Finding things by name: the text that search looks through, with pinyin."""

from __future__ import annotations

from functools import lru_cache

from pypinyin import lazy_pinyin


@lru_cache(maxsize=8192)
def _syllable(character: str) -> str:
    return lazy_pinyin(character)[0].lower()


def search_key(code: str | None, name: str) -> str:
    """
    What a search matches: code, name, its pinyin and the pinyin's initials, lower case, one space between.

    Syllables are looked up character by character, so a character with several readings gets its commonest.
    """
    syllables = [_syllable(character) for character in name if not character.isspace()]
    full, initials = "".join(syllables), "".join(one[:1] for one in syllables)
    return " ".join(part for part in ((code or "").lower(), name.lower(), full, initials) if part)
