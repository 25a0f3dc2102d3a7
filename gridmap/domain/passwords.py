"""Passwords: which are good enough, and random ones for a first sign-in."""

from __future__ import annotations

import secrets
import unicodedata

MIN_LENGTH = 12
MAX_LENGTH = 200
_LEAST_DISTINCT = 5
_LEAST_JUMPS = 4

# What people choose when twelve characters are asked for; compared after digits and signs around it
# are cut off, so that "Password!2026" counts as "password".
_COMMON = frozenset({
    "password", "passw0rd", "p@ssw0rd", "p@ssword", "administrator", "administrators", "adminadmin",
    "adminpassword", "welcometochina", "letmeinplease", "iloveyouforever", "changemeplease",
    "changethispassword", "qwerty", "qwertyui", "qwertyuiop", "qwertyuiopas", "qazwsx", "qazwsxedc",
    "qazwsxedcrfv", "qweasdzxc", "1qaz2wsx", "1qaz2wsx3edc", "1q2w3e4r", "1q2w3e4r5t",
    "1q2w3e4r5t6y", "q1w2e3r4", "q1w2e3r4t5", "asdfghjkl", "zxcvbnm", "asdfghjklzxcvbnm", "woaini",
    "woaiwojia", "woaizhongguo", "zhongguo", "zhongguoren", "nihao", "wodemima", "mima", "mimamima",
    "police", "policeman", "policestation", "gongan", "jingcha", "jingwu", "paichusuo", "minjing",
    "shequminjing", "wangge", "gridmap", "gridmapadmin", "jingwuwangge", "wanggejingwu",
    "yizhangtu", "我爱我的祖国", "我爱中国", "中华人民共和国", "密码密码密码", "警务网格一张图", "社区民警",
})  # fmt: skip

_ORNAMENT = "0123456789!@#$%^&*.,?~_-+ "

# no 0/O, 1/l/I: a temporary password is read from one screen and typed on another
_LETTERS = "abcdefghjkmnpqrstuvwxyz"
_DIGITS = "23456789"


def normalised(password: str) -> str:
    """The password as it is compared: full-width letters of a Chinese input method become plain ones."""
    return unicodedata.normalize("NFKC", password)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def weakness(password: str, username: str) -> str | None:
    """
    Why `password` is not good enough for `username`, as a Chinese sentence; None when it is.

    It needs at least 12 characters (a Chinese character counts as two), some variety, and must neither hold
    the username nor be one that everybody tries first.
    """
    text = normalised(password)
    plain = text.casefold()
    if sum(2 if _is_wide(one) else 1 for one in text) < MIN_LENGTH:
        return f"密码至少需要 {MIN_LENGTH} 个字符(每个汉字按两个字符计),也可以使用由几个词组成的短句。"
    if len(text) > MAX_LENGTH:
        return f"密码不能超过 {MAX_LENGTH} 个字符。"
    if len(username) >= 3 and username.casefold() in plain:
        return "密码中不能包含用户名。"
    if _is_common(plain):
        return "这个密码太常见,请换一个。"
    if _is_monotonous(plain):
        return "密码过于简单(重复或连续的字符),请换一个。"
    return None


def _is_common(plain: str) -> bool:
    return not _COMMON.isdisjoint({plain, plain.rstrip(_ORNAMENT), plain.strip(_ORNAMENT)})


def _is_monotonous(plain: str) -> bool:
    """Whether the text is runs and repeats: few different characters, or few jumps between neighbours."""
    distinct = sum(2 if _is_wide(one) else 1 for one in set(plain))
    jumps = sum(abs(ord(b) - ord(a)) > 1 for a, b in zip(plain, plain[1:], strict=False))
    return distinct < _LEAST_DISTINCT or jumps < _LEAST_JUMPS


def temporary_password() -> str:
    """A random password of four groups of four (about 70 bits), easy to read out and to type."""
    groups = ["".join(secrets.choice(_LETTERS + _DIGITS) for _ in range(4)) for _ in range(4)]
    return "-".join(groups)
