"""Numbers, times and codes as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from gridmap.ui import words

NOW = datetime(2026, 3, 2, 16, 30, 5, tzinfo=UTC)


def test_times_are_told_by_chinas_clocks() -> None:
    assert words.time_words(NOW) == "2026-03-03 00:30"
    assert words.time_words(NOW, seconds=True) == "2026-03-03 00:30:05"
    assert words.time_words(None) == "—"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "刚刚"), (59, "刚刚"), (60, "1 分钟前"), (3599, "59 分钟前"), (3600, "1 小时前"), (86400, "1 天前")],
)
def test_how_long_ago_is_told_in_the_largest_whole_unit(seconds: int, text: str) -> None:
    assert words.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (150 * 1024, "150 KB"),
        (3.5 * 2**30, "3.5 GB"),
        (2**60, "1048576 TB"),
    ],
)
def test_sizes_have_few_digits(size: float, text: str) -> None:
    assert words.size_words(size) == text


def test_an_area_names_its_towns_and_keeps_codes_nothing_has_any_more() -> None:
    assert words.area_words({"b", "a"}, {"a": "西镇"}) == "西镇、b"
    assert words.area_words({"*", "a"}, {}) == "全区"
    assert words.area_words(set(), {}) == "无"
