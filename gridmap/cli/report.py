"""The command that makes a pack: `gridmap report`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from gridmap.cli.common import OPERATOR, answer, json_option, opened, progress, refusals, say
from gridmap.domain.elements import parse_time, time_text
from gridmap.errors import InvalidInput, NotFound
from gridmap.services import stories
from gridmap.services.district import District
from gridmap.services.packs import making
from gridmap.services.packs.requests import Atlas, PackFormat, Paper, parse_request


@click.command(name="report")
@click.option("--to", "target", type=click.Path(path_type=Path), required=True,
              help="Folder that the files go into; made where it is missing.")  # fmt: skip
@click.option("--format", "formats", multiple=True, type=click.Choice([one.value for one in PackFormat]),
              help="As often as needed; pdf without it.")  # fmt: skip
@click.option("--atlas", type=click.Choice([one.value for one in Atlas]), default="none", show_default=True,
              help="A page for every town, police grid or linkage point.")  # fmt: skip
@click.option("--no-overview", is_flag=True, help="Leave out the pages about the whole district.")
@click.option("--town", metavar="CODE", help="Only what lies in this town.")
@click.option(
    "--story",
    metavar="TITLE",
    help="By title or id: a page for every slide of this story, two where it compares.",
)
@click.option("--layer", "layers", multiple=True, help="Layers on the maps; those shown at first without it.")
@click.option("--period", type=click.Choice(["week", "month", "quarter", "year"]), default="month", show_default=True,
              help="What changes are measured against: the end of the one before.")  # fmt: skip
@click.option("--paper", type=click.Choice([one.value for one in Paper]), default="a4", show_default=True)
@click.option("--title", default="网格总览", show_default=True)
@click.option("--as-of", "as_of", metavar="TIME", help="The district at this time (RFC 3339).")
@json_option
@refusals
def report(
    target: Path,
    formats: tuple[str, ...],
    atlas: str,
    no_overview: bool,
    town: str | None,
    story: str | None,
    layers: tuple[str, ...],
    period: str,
    paper: str,
    title: str,
    as_of: str | None,
    as_json: bool,
) -> None:
    """Make a meeting pack: PDF, slides, pictures, one offline HTML file, a workbook."""
    asked = {
        "title": title, "formats": list(formats) or ["pdf"], "atlas": atlas, "has_overview": not no_overview,
        "paper": paper, "period": period, "town": town, "layers": list(layers) or None, "at": _time(as_of),
    }  # fmt: skip
    with opened() as district, progress(title) as tell, tempfile.TemporaryDirectory() as folder:
        request = parse_request(asked | {"story": None if story is None else _story_id(district, story)})
        made = making.make(district, OPERATOR, request, Path(folder), progress=tell)
        making.log(district, OPERATOR, made)
        target.mkdir(parents=True, exist_ok=True)
        files = []
        for one in made.files:
            path = target / one["suggested_name"]
            shutil.move(Path(folder) / one["name"], path)
            files.append({"format": one["format"], "file": str(path), "bytes": one["bytes"]})
    document = {
        "title": made.title, "pages": made.pages, "sequence": made.sequence, "data_time": time_text(made.data_at),
        "is_simulated": made.is_simulated, "files": files,
    }  # fmt: skip
    say(f"共 {made.pages} 页,数据序号 {made.sequence}。")
    answer(document, "\n".join(one["file"] for one in files), as_json=as_json)


def _story_id(district: District, text: str) -> str:
    """The story with this id or title."""
    known = stories.list_stories(district, OPERATOR)
    found = [one for one in known if text in (one.id, one.title)]
    if len(found) == 1:
        return found[0].id
    there = "、".join(f"{one.title}({one.id})" for one in (found or known)) or "没有汇报"
    if found:
        raise InvalidInput(
            f"{len(found)} stories are called {text!r}, name one by id: {there}",
            zh=f"有 {len(found)} 份汇报叫“{text}”,请用编号指明:{there}。",
        )
    raise NotFound(
        f"no story {text!r}; there are: {there}", zh=f"没有汇报“{text}”,现有:{there}。", story=text
    )


def _time(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        at = parse_time(text)
    except (ValueError, OverflowError):
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput(
            f"--as-of takes a time with an offset, not {text!r}",
            zh="--as-of 应为带时区的时间,如 2026-03-01T08:00:00+08:00。",
        )
    return at.isoformat()


COMMANDS = (report,)
