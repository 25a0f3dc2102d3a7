"""Streamlit's settings exist, ask no other machine, and give readable colours."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

CONFIG = tomllib.loads(
    (Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").read_text("utf-8")
)
WHITE = "#ffffff"


def _options(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _options(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def _luminance(rgb: tuple[float, ...]) -> float:
    linear = [v / 255 / 12.92 if v / 255 <= 0.04045 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(ink: tuple[float, ...], paper: tuple[float, ...]) -> float:
    bright, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", [name for name, _ in _options(CONFIG)])
def test_every_option_exists_in_this_streamlit(name: str) -> None:
    assert name in config._config_options_template


def test_the_server_is_private_and_quiet() -> None:
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["client"]["toolbarMode"] == "minimal"
    assert CONFIG["server"]["fileWatcherType"] == "none"


def test_no_setting_names_an_address() -> None:
    assert [name for name, value in _options(CONFIG) if "//" in str(value)] == []


@pytest.mark.parametrize("paper", ["backgroundColor", "secondaryBackgroundColor"])
def test_text_is_readable_even_where_streamlit_fades_it(paper: str) -> None:
    theme = CONFIG["theme"]
    ink, ground = _rgb(theme["textColor"]), _rgb(theme[paper])
    faded = tuple(0.6 * i + 0.4 * g for i, g in zip(ink, ground, strict=True))
    assert _contrast(faded, ground) >= 4.5
    for name in ("primaryColor", "linkColor", *(n for n in theme if n.endswith("TextColor"))):
        assert _contrast(_rgb(theme[name]), ground) >= 4.5, name


def test_white_on_the_primary_colour_is_readable() -> None:
    assert _contrast(_rgb(WHITE), _rgb(CONFIG["theme"]["primaryColor"])) >= 4.5
