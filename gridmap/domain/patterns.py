"""What a pattern of the layer catalogue asks for, in words that people read beside a field or a fault."""

from __future__ import annotations

import re

_CLASSES = {r"\d": "数字", "A-Z": "大写字母", "a-z": "小写字母", "0-9": "数字", "-": "连字符"}
_LETTERS = re.compile(r"[A-Za-z-]*")
_RUN = re.compile(r"(\\d|\[((?:A-Z|a-z|0-9|\\d|-)+)\])\{(\d+)(?:,(\d+))?\}")
_MEMBER = re.compile(r"A-Z|a-z|0-9|\\d|-")


def in_words(pattern: str | None) -> str:
    r"""
    `JWZ\d{2,4}` as “JWZ 加 2 至 4 位数字”.

    Known are letters in front and runs of digits, letters and hyphens of one kind; "" for anything else, where
    the pattern would be the only way to say it.
    """
    text = pattern or ""
    letters = _LETTERS.match(text)
    assert letters is not None  # it may be empty
    at, least, most, kind = letters.end(), 0, 0, ""
    while at < len(text):
        run = _RUN.match(text, at)
        named = "" if run is None else _kind(run)
        if run is None or (kind and named != kind):
            return ""
        kind = named
        least += int(run[3])
        most += int(run[4] or run[3])
        at = run.end()
    if not kind:
        return letters[0]
    count = f"{least} 位{kind}" if least == most else f"{least} 至 {most} 位{kind}"
    return f"{letters[0]} 加 {count}" if letters[0] else count


def _kind(run: re.Match[str]) -> str:
    members = [_CLASSES[one] for one in _MEMBER.findall(run[2])] if run[2] else [_CLASSES[run[1]]]
    return members[0] if len(members) == 1 else f"{'、'.join(members[:-1])}或{members[-1]}"
