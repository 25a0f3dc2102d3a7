"""Small line charts of coverage: the Lorenz curve of access, people covered by number of points."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 420, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 14, 34
_FONT = "'Microsoft YaHei','Noto Sans CJK SC','Noto Sans SC',sans-serif"


def line_chart(
    points: Sequence[tuple[float, float]],
    *,
    title: str,
    x_title: str,
    y_title: str,
    x_labels: Sequence[tuple[float, str]],
    y_labels: Sequence[tuple[float, str]],
    diagonal: bool = False,
    unproven: Sequence[int] = (),
) -> str:
    """
    A line with a mark at each of `points`, as an image element: Streamlit takes SVG elements out of HTML.

    Parameters
    ----------
    x_labels, y_labels : value and text of each line of the frame; the first and last are the chart's ends
    diagonal : also the line from corner to corner, for comparison
    unproven : which points are drawn hollow
    """
    x0, x1 = x_labels[0][0], x_labels[-1][0]
    y0, y1 = y_labels[0][0], y_labels[-1][0]

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - x0) / (x1 - x0 or 1) * (_WIDTH - _LEFT - _RIGHT) + _LEFT
        up = _HEIGHT - _BOTTOM - (y - y0) / (y1 - y0 or 1) * (_HEIGHT - _TOP - _BOTTOM)
        return round(across, 1), round(up, 1)

    parts = []
    for value, text in y_labels:
        _, y = at(x0, value)
        parts.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="#dbe2ec"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{escape(text)}</text>')
    for value, text in x_labels:
        x, _ = at(value, y0)
        parts.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{escape(text)}</text>')
    if diagonal:
        (xa, ya), (xb, yb) = at(x0, y0), at(x1, y1)
        parts.append(f'<path d="M{xa} {ya}L{xb} {yb}" stroke="#6b7688" stroke-dasharray="5 4" fill="none"/>')
    places = [at(x, y) for x, y in points]
    path = " ".join(f"{x},{y}" for x, y in places)
    parts.append(f'<polyline points="{path}" fill="none" stroke="#1f4e9d" stroke-width="2.5"/>')
    if len(places) <= 40:
        for index, (x, y) in enumerate(places):
            fill = "#fff" if index in unproven else "#1f4e9d"
            parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="{fill}" stroke="#1f4e9d" stroke-width="2"/>')
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 3}" text-anchor="middle">{escape(x_title)}</text>'
    )
    parts.append(
        f'<text transform="translate(11 {(_HEIGHT - _BOTTOM) / 2}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>'
    )
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' font-size="12" font-family="{_FONT}" fill="#2c3645">{"".join(parts)}</svg>'
    )
    data = base64.b64encode(drawing.encode()).decode()
    return f'<img class="gm-chart" src="data:image/svg+xml;base64,{data}" alt="{escape(title)}" width="{_WIDTH}" height="{_HEIGHT}">'
