"""Commands that look and change nothing: validate."""

from __future__ import annotations

import sys

import click

from gridmap.cli.common import OPERATOR, REFUSED, answer, json_option, opened, progress, refusals
from gridmap.services import checks


@click.command()
@click.option("--layer", help="One layer; all layers without it.")
@json_option
@refusals
def validate(layer: str | None, as_json: bool) -> None:
    """Check everything stored with every rule; exit code 1 when a rule is broken (warnings do not count)."""
    with opened() as district, progress("检查") as tell:
        report = checks.validate(district, OPERATOR, layer_id=layer, progress=tell)
        titles = {one.id: one.title for one in district.catalogue}
    answer(report.document(), "\n".join(checks.lines(report, titles)), as_json=as_json)
    if not report.is_clean:
        sys.exit(REFUSED)


COMMANDS: tuple[click.Command, ...] = (validate,)
