"""An import in a worker, and its report as a table."""

from __future__ import annotations

import csv
import io
from typing import Any

from sqlalchemy import Connection

from gridmap.domain.elements import Source
from gridmap.services import columns
from gridmap.services.imports.dry_run import plan
from gridmap.services.imports.plans import ImportPlan, ImportReceipt, Mode
from gridmap.services.imports.reading import read
from gridmap.services.imports.storing import apply
from gridmap.services.job_worker import JobContext

JOB_ROWS = 5_000
_SHOWN_IN_JOB = 500


def problems_csv(plan: ImportPlan) -> bytes:
    """The refused rows and remarks as a table for a spreadsheet program (CSV, UTF-8 with a mark)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["行号", "级别", "字段", "规则", "说明"])
    titles = columns.targets(plan.layer) | {"geometry": "图形"}
    for level, issues in (("不合格", plan.problems), ("提示", plan.remarks)):
        for one in issues:
            name = titles.get(one.field, one.field)
            writer.writerow([one.row, level, _harmless(name), one.rule, _harmless(one.message)])
    return text.getvalue().encode("utf-8-sig")


def _harmless(text: str) -> str:
    """The text so that no spreadsheet program takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def run_job(context: JobContext) -> dict[str, Any] | None:
    """
    Plan an import, or plan and apply it, in a worker.

    Parameters of the job: path (of the file), filename, layer, datum, mapping, mode, values, where, source
    (real or simulated), lon_column, lat_column, layer_name, encoding, is_dry_run. The result is the plan's report, with
    the receipt; all problems are in `problems.csv` in the job's folder.
    """
    asked = context.parameters
    context.progress(0.0, "读取文件")
    table = read(
        context.district,
        asked["path"],
        filename=asked["filename"],
        layer_name=asked.get("layer_name"),
        encoding=asked.get("encoding"),
        lon_column=asked.get("lon_column"),
        lat_column=asked.get("lat_column"),
    )
    made = plan(
        context.district,
        context.user,
        asked["layer"],
        table,
        datum=asked["datum"],
        mapping=asked.get("mapping"),
        mode=asked.get("mode", "all"),
        filename=asked["filename"],
        values=asked.get("values"),
        where=asked.get("where"),
        source=Source(asked.get("source", Source.REAL.value)),
        progress=lambda share, message: context.progress(0.1 + 0.5 * share, message),
    )
    (context.folder / "problems.csv").write_bytes(problems_csv(made))
    report = made.document(most=_SHOWN_IN_JOB)
    if asked.get("is_dry_run") or (made.mode is Mode.ALL and not made.is_clean):
        return {"report": report, "receipt": None}

    def finish(connection: Connection, receipt: ImportReceipt) -> None:
        context.finish(connection, {"report": report, "receipt": receipt.document()}, receipt.chinese())

    apply(
        context.district,
        context.user,
        made,
        progress=lambda share, message: context.progress(0.6 + 0.4 * share, message),
        on_stored=finish,
    )
    return None
