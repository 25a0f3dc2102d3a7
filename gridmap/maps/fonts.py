"""
The Chinese font that figures and packs draw with: an asset of ours, so that no machine needs one of its own.

Noto Sans SC, under the SIL Open Font License, brought by set-up (`gridmap.setup.vendor`).
"""

from __future__ import annotations

import functools
from pathlib import Path

from gridmap.errors import Unavailable

_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "vendor" / "noto-sans-sc"
REGULAR = _FOLDER / "400Regular" / "NotoSansSC_400Regular.ttf"
BOLD = _FOLDER / "700Bold" / "NotoSansSC_700Bold.ttf"
# Shown for a character that the font does not have: the sign for a missing character in print.
MISSING = "〓"


def font_file(*, is_bold: bool = False) -> Path:
    """
    The font's file.

    Raises
    ------
    Unavailable
        Set-up has not brought it.
    """
    file = BOLD if is_bold else REGULAR
    if not file.is_file():
        raise Unavailable(
            f"the font {file.name} is missing below {_FOLDER}; run `make setup`",
            zh=f"缺少字体文件 {file.name},无法生成图件。请在程序目录运行 make setup。",
        )
    return file


@functools.cache
def _known(is_bold: bool) -> frozenset[int]:
    from fontTools.ttLib import TTFont

    with TTFont(font_file(is_bold=is_bold), lazy=True) as font:
        return frozenset(font.getBestCmap())


def printable(text: str, *, is_bold: bool = False) -> str:
    """The text with line ends and tabs as blanks, and `MISSING` for whatever the font cannot show."""
    known = _known(is_bold)
    plain = " ".join(str(text).split())
    return "".join(one if ord(one) in known else MISSING for one in plain)


def subset(text: str, *, is_bold: bool = False) -> bytes:
    """A WOFF file (zlib, no further library needed) with just the characters of `text`, to be put into a page."""
    from io import BytesIO

    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    options = Options(layout_features=[], hinting=False, desubroutinize=True, notdef_outline=True)
    with TTFont(font_file(is_bold=is_bold), lazy=True) as font:
        subsetter = Subsetter(options)
        subsetter.populate(text=text + MISSING)
        subsetter.subset(font)
        font.flavor = "woff"
        stream = BytesIO()
        font.save(stream)
    return stream.getvalue()
