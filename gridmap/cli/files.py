"""Commands on files: import."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gridmap.cli.common import OPERATOR, REFUSED, answer, json_option, opened, progress, refusals, say
from gridmap.domain.elements import Source
from gridmap.services import imports
from gridmap.services.imports import Action, ImportPlan

_SHOWN = 50


def _pairs(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        column, mark, field = text.partition("=")
        if not mark or not column:
            raise click.UsageError(
                f"--map takes COLUMN=FIELD (an empty field leaves the column out), not {text!r}"
            )
        pairs[column] = field
    return pairs


def _report(plan: ImportPlan) -> None:
    """What the dry run found, on stderr."""
    counts = ",".join(f"{one.title} {plan.count(one)}" for one in Action if plan.count(one))
    say(f"{plan.filename} → {plan.layer.title}:{len(plan.table)} 行({counts or '空'})")
    for warning in (*plan.table.notes, *plan.warnings):
        say(f"提醒:{warning}")
    for issue in plan.problems[:_SHOWN]:
        say(f"第 {issue.row} 行 [{issue.field}] {issue.message}")
    if len(plan.problems) > _SHOWN:
        say(f"……另有 {len(plan.problems) - _SHOWN} 处问题;--json 列出全部")


@click.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--layer", required=True, help="Layer that the elements go into.")
@click.option(
    "--datum", required=True, help="wgs84, cgcs2000, gcj02, bd09 or EPSG:n; nothing in a file says it."
)
@click.option(
    "--map", "mapping", multiple=True, metavar="COLUMN=FIELD", help="Field of a column; empty leaves it out."
)
@click.option("--mode", type=click.Choice(["all", "good"]), default="all", show_default=True,
              help="Rows with faults: refuse the whole file, or import the good rows.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would happen, and store nothing.")
@click.option("--encoding", help="Text encoding; found out without it.")
@click.option("--sheet", help="Layer or sheet of the file, where it has several.")
@click.option("--simulated", is_flag=True, help="Mark new elements as 模拟数据.")
@json_option
@refusals
def import_command(
    file: Path,
    layer: str,
    datum: str,
    mapping: tuple[str, ...],
    mode: str,
    dry_run: bool,
    encoding: str | None,
    sheet: str | None,
    simulated: bool,
    as_json: bool,
) -> None:
    """Import a file, or with --dry-run list every bad row by number, field and rule."""
    pairs = _pairs(mapping)
    with opened() as district, progress(file.name) as tell:
        table = imports.read(district, file, filename=file.name, layer_name=sheet, encoding=encoding)
        plan = imports.plan(
            district,
            OPERATOR,
            layer,
            table,
            datum=datum,
            mapping=pairs,
            mode=mode,
            filename=file.name,
            source=Source.SIMULATED if simulated else Source.REAL,
            progress=tell,
        )
        document = {"report": plan.document(), "receipt": None}
        is_refused = mode == "all" and not plan.is_clean
        if not dry_run and not is_refused:
            receipt = imports.apply(district, OPERATOR, plan, progress=tell)
            document["receipt"] = receipt.document()
    _report(plan)
    text = "" if document["receipt"] is None else receipt.chinese()
    if is_refused and not dry_run:
        say("未导入:有不合格的行。修改文件后重试,或用 --mode good 只导入合格的行。")
    answer(document, text, as_json=as_json)
    if is_refused:
        sys.exit(REFUSED)


COMMANDS: tuple[click.Command, ...] = (import_command,)
