"""Commands on the history: verify its chain, drop what should never have been stored."""

from __future__ import annotations

import sys

import click

from gridmap.cli.common import OPERATOR, REFUSED, answer, json_option, opened, refusals, say
from gridmap.services import auditing


@click.group()
def audit() -> None:
    """The hash-chained history of all changes."""


@audit.command()
@json_option
@refusals
def verify(as_json: bool) -> None:
    """Recompute the chain of all revisions; exit code 1 when something was changed, removed or added."""
    with opened() as district:
        report = auditing.verify(district)
    document = {
        "is_valid": report.is_valid,
        "revisions": report.revisions,
        "redacted": report.redacted,
        "chain_head": report.head,
        "broken_at": report.broken_at,
        "problem": report.problem,
    }
    if report.is_valid:
        text = f"历史完好:{report.revisions:,} 条({report.redacted} 条内容已清除)\n链头:{report.head}"
    else:
        text = f"历史被改动:在第 {report.broken_at or report.revisions} 条处中断({report.problem})。请用最近的备份核对。"
    answer(document, text, as_json=as_json)
    if not report.is_valid:
        sys.exit(REFUSED)


@click.command()
@click.argument("element_id")
@click.argument("revision", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why; it goes into the access log.")
@refusals
def redact(element_id: str, revision: int, reason: str) -> None:
    """Drop the content of one revision that should never have been stored; its hash stays."""
    with opened() as district:
        auditing.redact(district, OPERATOR, element_id, revision, reason=reason)
    say("提示:备份中仍有该内容,请按规定处理旧备份。")
    click.echo("已清除该版本的内容,历史链保持有效。")


COMMANDS: tuple[click.Command, ...] = (audit, redact)
