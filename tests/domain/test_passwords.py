"""Which passwords are refused, and why."""

import pytest

from gridmap.domain.passwords import normalised, temporary_password, weakness


@pytest.mark.parametrize(
    "password",
    [
        "grey-otter-48-moss",
        "三个和尚没水喝",
        "kx7#Lq2!vRtz",
        "雨后 remembers 春山",
        "correct horse battery staple",
    ],
)
def test_a_long_or_chinese_phrase_is_good(password: str) -> None:
    assert weakness(password, "officer") is None


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("kx7#Lq2!vRt", "至少需要 12 个字符"),
        ("", "至少需要 12 个字符"),
        ("三个和尚没", "至少需要 12 个字符"),
        ("x7" * 101, "不能超过"),
        ("my-officer-48-moss", "不能包含用户名"),
        ("My-OFFICER-48-moss", "不能包含用户名"),
        ("Password!2026", "太常见"),
        ("1qaz2wsx3edc", "太常见"),
        ("2026qwertyuiop", "太常见"),
        ("警务网格一张图", "太常见"),
        ("123456789012", "过于简单"),
        ("aaaaaaaaaaaa", "过于简单"),
        ("abababababab", "过于简单"),
        ("aaaabbbbcccc", "过于简单"),
        ("好好好好好好", "过于简单"),
    ],
)
def test_a_weak_password_is_refused_with_its_reason(password: str, why: str) -> None:
    assert why in (weakness(password, "officer") or "")


def test_full_width_letters_count_as_plain_ones() -> None:
    assert normalised("Grey-Otter") == "Grey-Otter"
    assert "太常见" in (weakness("Password2026", "x") or "")


def test_temporary_passwords_are_good_differ_and_read_well() -> None:
    made = {temporary_password() for _ in range(200)}
    assert len(made) == 200
    assert not any(weakness(one, "administrator") for one in made)
    assert not set("".join(made)) & set("01loIO")
