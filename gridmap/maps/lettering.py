"""Words on a figure: collected while it is painted, written onto the finished picture with our font."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

from gridmap.maps import styles
from gridmap.maps.fonts import font_file, printable

_HALO_POINTS = 1.1


@functools.lru_cache(maxsize=64)
def _font(size_px: int, is_bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_file(is_bold=is_bold)), size_px, layout_engine=ImageFont.Layout.BASIC)


@dataclass(frozen=True, slots=True)
class _Words:
    x: float
    y: float
    text: str
    size: float
    is_bold: bool
    color: str
    anchor: str
    has_halo: bool


@dataclass(slots=True)
class Lettering:
    """Words of a picture of `dpi` pixels an inch and `height_px` pixels; sizes are points."""

    dpi: int
    height_px: float
    words: list[_Words] = field(default_factory=list)

    def _font(self, size: float, is_bold: bool) -> ImageFont.FreeTypeFont:
        return _font(max(4, round(size * self.dpi / 72)), is_bold)

    def width_points(self, text: str, size: float, *, is_bold: bool = False) -> float:
        """How wide a text will be."""
        return self._font(size, is_bold).getlength(printable(text, is_bold=is_bold)) * 72 / self.dpi

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        is_bold: bool = False,
        color: str = styles.INK,
        anchor: str = "lm",
        has_halo: bool = False,
    ) -> None:
        """Write at a place in pixels from the lower left; `anchor` as Pillow names it (lm: left, middle)."""
        self.words.append(
            _Words(x, y, printable(text, is_bold=is_bold), size, is_bold, color, anchor, has_halo)
        )

    def onto(self, image: Image.Image) -> None:
        """Write everything onto the picture."""
        pen = ImageDraw.Draw(image)
        halo = max(1, round(_HALO_POINTS * self.dpi / 72))
        for one in self.words:
            pen.text(
                (one.x, self.height_px - one.y), one.text, fill=one.color, font=self._font(one.size, one.is_bold),
                anchor=one.anchor, stroke_width=halo if one.has_halo else 0, stroke_fill=styles.HALO,
            )  # fmt: skip

    def watermark(
        self,
        image: Image.Image,
        text: str,
        frame: tuple[float, float, float, float],
        *,
        rows: int = 3,
        columns: int = 3,
    ) -> None:
        """Write `text` faintly and aslant over a frame (left, top, width, height in pixels), several times."""
        words, face = printable(text), self._font(11, False)
        width, height = round(face.getlength(words)) + 8, round(20 * self.dpi / 72)
        sheet = Image.new("L", (width, height), 0)
        ImageDraw.Draw(sheet).text((width / 2, height / 2), words, fill=26, font=face, anchor="mm")
        sheet = sheet.rotate(24, expand=True, resample=Image.Resampling.BICUBIC)
        left, top, frame_width, frame_height = frame
        for row in range(rows):
            for column in range(columns):
                x = left + (column + 0.5) * frame_width / columns - sheet.width / 2
                y = top + (row + 0.5) * frame_height / rows - sheet.height / 2
                image.paste(styles.INK, (round(x), round(y)), sheet)
