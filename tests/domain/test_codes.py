"""Grid codes: schemes, numbers that are never used twice, and the order of numbering."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmap.domain.codes import (
    CodeScheme,
    CodeSchemeError,
    CodesExhausted,
    Order,
    default_scheme,
    parse_scheme,
)

PREFIX = "310199101001"
USUAL = parse_scheme("6+3+3+3")


def code(number: int) -> str:
    return f"{PREFIX}{number:03d}"


def test_a_scheme_reads_as_people_write_it() -> None:
    assert parse_scheme("6+3 +3+3") == CodeScheme((6, 3, 3, 3))
    assert (USUAL.text, USUAL.length) == ("6+3+3+3", 15)
    assert default_scheme("micro_grid").length == 18
    assert default_scheme("police_grid") == USUAL


@pytest.mark.parametrize("text", ["", "15", "6+0", "6-3", "6+3+", "六+三", "6+12"])
def test_a_text_that_is_no_scheme_is_refused(text: str) -> None:
    with pytest.raises(CodeSchemeError):
        parse_scheme(text)


@pytest.mark.parametrize("wrong", ["31019910100101", "31019910100100A", "", "310199101001٠٠١"])
def test_a_code_of_another_form_is_refused(wrong: str) -> None:
    with pytest.raises(CodeSchemeError):
        USUAL.split(wrong)


def test_the_next_number_is_above_all_that_were_ever_used() -> None:
    assert USUAL.next_codes(PREFIX, {code(1), code(7), "310199101002009"}, 2) == [code(8), code(9)]
    assert USUAL.next_codes(PREFIX, (), 1) == [code(1)]


def test_holes_are_used_only_when_the_top_is_reached() -> None:
    assert USUAL.next_codes(PREFIX, {code(2), code(998)}, 3) == [code(999), code(1), code(3)]


def test_a_prefix_without_numbers_says_so() -> None:
    narrow = parse_scheme("6+1")
    with pytest.raises(CodesExhausted, match="310199"):
        narrow.next_codes("310199", [f"310199{one}" for one in range(1, 9)], 2)


def test_grids_are_numbered_from_west_to_east_and_level_ones_from_north_to_south() -> None:
    places = [(500, 0), (0, 100), (0.2, 300), (250, 0)]
    assert USUAL.reading_order(places).tolist() == [2, 1, 3, 0]


def test_the_other_order_goes_row_by_row() -> None:
    rows = parse_scheme("6+3+3+3", Order.NORTH_TO_SOUTH, 50)
    places = [(900, 980), (100, 1000), (500, 990), (200, 300)]
    assert rows.reading_order(places).tolist() == [1, 2, 0, 3]


def test_grids_already_in_order_keep_their_codes() -> None:
    assert USUAL.renumbered([code(1), code(2), code(5)], [(0, 0), (1000, 0), (2000, 0)], ()) == {}


def test_a_grid_out_of_order_and_all_behind_it_get_new_numbers() -> None:
    # from west to east: 1, 4, 5 (parts of the old 2), 3
    codes, places = [code(1), code(3), code(4), code(5)], [(0, 0), (3000, 0), (1000, 0), (2000, 0)]
    assert USUAL.renumbered(codes, places, [code(2)]) == {code(3): code(6)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 9), st.integers(0, 9)),
        max_size=12, unique_by=(lambda one: one[0], lambda one: one[1:]),
    ),
    st.sets(st.integers(1, 80), max_size=20),
)  # fmt: skip
def test_renumbering_orders_the_map_and_gives_no_used_code_out(
    grids: list[tuple[int, int, int]], retired: set[int]
) -> None:
    codes, places = [code(one) for one, _, _ in grids], [(x * 100.0, y * 100.0) for _, x, y in grids]
    used = {code(one) for one in retired} - set(codes)
    new = USUAL.renumbered(codes, places, used)

    assert not set(new.values()) & (used | set(codes))
    assert len(set(new.values())) == len(new)
    after = [new.get(codes[k], codes[k]) for k in USUAL.reading_order(places)]
    assert after == sorted(after)
    assert USUAL.renumbered([new.get(one, one) for one in codes], places, used | set(codes)) == {}
