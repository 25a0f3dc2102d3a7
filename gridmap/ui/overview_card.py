"""一格一图, 一站一卡: the card of one town, grid or station beside the map."""

from __future__ import annotations

import html

import streamlit as st

from gridmap.domain.periods import PeriodKind
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import cards
from gridmap.services import district as districts
from gridmap.services.cards import Card, PostCard
from gridmap.services.figures import Figure
from gridmap.services.problems import chinese
from gridmap.ui import state, widgets

_MOST_LISTED = 6


def panel(user: User, layer: str, code: str, *, period: PeriodKind) -> None:
    """The card, with the way back to the ranking; a sentence where its subject is gone. `code` of a station is its id."""
    mine = state.of(user).show
    if st.button("返回全区", icon=":material/arrow_back:", key="overview.back"):
        mine.area = None
        st.rerun()
    try:
        if layer == cards.POST:
            shown = post_html(cards.post_card(districts.running(), user, code))
        else:
            shown = card_html(cards.card(districts.running(), user, layer, code, period=period))
    except GridmapError as error:
        st.warning(chinese(error))
        return
    with st.container(key="overview_card"):
        st.html(shown)


def card_html(card: Card) -> str:
    """One card as HTML; all text from data is escaped."""
    officer = f"责任民警:{card.officer}" if card.officer else ""
    facts = [card.layer_title, card.code, card.town if card.town != card.name else "", officer]
    about = " · ".join(html.escape(one) for one in [*facts, f"{card.area_km2:,.2f} 平方公里"] if one)
    figures = "".join(_figure(one) for one in card.figures)
    parts = [
        f'<h2 class="gm-card-name" tabindex="0">{html.escape(card.name or card.code)}</h2><p class="gm-card-about">{about}</p>',
        f'<div class="gm-card-figures">{figures}</div>',
        _section(
            "站室点位", [f"{one.name} · {one.layer_title}" for one in card.posts], "本区域内没有站室点位。"
        ),
        _risks(card),
        _section("本期变化", [_changed(one) for one in card.changes], "本期没有新增、修改或核实。"),
    ]
    return f'<article class="gm-area-card">{"".join(parts)}</article>'


def post_html(card: PostCard) -> str:
    """The card of one station as HTML; all text from data is escaped."""
    about = [card.place.layer_title, card.place.code, card.town, card.grid]
    facts = "".join(
        f"<div><dt>{html.escape(title)}</dt><dd>{html.escape(text)}</dd></div>" for title, text in card.facts
    )
    near = "没有其他警务站。"
    if card.nearest is not None and card.nearest_m is not None:
        near = f"{card.nearest.name or card.nearest.code} · 直线 {card.nearest_m:,.0f} 米"
    parts = [
        f'<h2 class="gm-card-name" tabindex="0">{html.escape(card.place.name or card.place.code)}</h2>',
        f'<p class="gm-card-about">{" · ".join(html.escape(one) for one in about if one)}</p>',
        f'<div class="gm-card-figures">{"".join(map(_figure, card.figures))}</div>',
        f'<h3>基本情况</h3><dl class="gm-card-facts">{facts}</dl>' if facts else "",
        f"<h3>最近的其他警务站</h3><p>{html.escape(near)}</p>",
    ]
    return f'<article class="gm-area-card">{"".join(parts)}</article>'


def _figure(one: Figure) -> str:
    look = {True: "gm-better", False: "gm-worse", None: ""}[one.is_better]
    change = f'<em class="{look}">{html.escape(one.change_text)}</em>' if one.change_text else ""
    unit = f"<small>{html.escape(one.unit)}</small>" if one.value is not None else ""
    return f"<div><span>{html.escape(one.title)}</span><b>{html.escape(one.text)}{unit}</b>{change}</div>"


def _section(title: str, lines: list[str], empty: str) -> str:
    if not lines:
        return f"<h3>{title}</h3><p>{empty}</p>"
    items = "".join(f"<li>{html.escape(one)}</li>" for one in lines[:_MOST_LISTED])
    rest = f"<li>另有 {len(lines) - _MOST_LISTED} 项</li>" if len(lines) > _MOST_LISTED else ""
    return f"<h3>{title}({len(lines)})</h3><ul>{items}{rest}</ul>"


def _risks(card: Card) -> str:
    if not card.risks:
        open_risks = next((one for one in card.figures if one.key == "open_risks"), None)
        words = (
            "没有未结风险。"
            if open_risks is not None and open_risks.value == 0
            else "逐条内容不在您的查看范围。"
        )
        return f"<h3>未结风险</h3><p>{words}</p>"
    rows = "".join(
        f'<li><i class="gm-grade" style="--grade: {widgets.deep(one.color)}">{html.escape(one.grade_title[:1])}</i>'
        f"{html.escape(one.place.name or one.place.code)} · {html.escape(one.state)}"
        f"{' · <strong>超期</strong>' if one.is_overdue else ''}</li>"
        for one in card.risks[:_MOST_LISTED]
    )
    rest = len(card.risks) - _MOST_LISTED
    more = f"<li>另有 {rest} 处</li>" if rest > 0 else ""
    return f"<h3>未结风险({len(card.risks)})</h3><ul>{rows}{more}</ul>"


def _changed(one: cards.LayerCount) -> str:
    parts = (("新增", one.created), ("修改", one.updated), ("核实", one.verified))
    return f"{one.title}:" + "、".join(f"{words} {count}" for words, count in parts if count)
