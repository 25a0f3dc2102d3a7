"""Commands that analyse: coverage, site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gridmap.cli.common import OPERATOR, REFUSED, answer, json_option, opened, progress, refusals, say
from gridmap.errors import GridmapError
from gridmap.services import coverage, coverage_exports, siting
from gridmap.services.district import District
from gridmap.services.questions import NotReadable, Question, parse_question
from gridmap.services.siting import Problem, parse_siting

_MODES = click.Choice(["line", "foot", "ebike", "car"])
_NEEDED = ("points", "demand", "mode", "within")


def _question(district: District, given: dict[str, Any]) -> Question:
    """The question that the options ask; one that cannot be read is wrong usage."""
    try:
        return parse_question(given, now=district.clock())
    except NotReadable as error:
        raise click.UsageError(f"{error} ({error.chinese()})") from None


def _require(given: dict[str, Any], names: tuple[str, ...]) -> None:
    missing = [f"--{name}" for name in names if not given.get(name)]
    if missing:
        raise click.UsageError(f"missing {', '.join(missing)}")


@click.command(name="coverage")
@click.option("--points", help="Layer of the points, such as workstation.")
@click.option("--demand", help="Layer of the demand, such as residential_area.")
@click.option("--mode", type=_MODES, help="Straight line, or along the roads.")
@click.option("--within", metavar="1000m|15min", help="Distance or time that is still covered.")
@click.option("--by", help="Grid layer of the figures; police_grid without it.")
@click.option(
    "--direction", type=click.Choice(["to_point", "from_point"]), help="Which way; by the mode without it."
)
@click.option("--demand-field", help="Count that weighs the demand; population without it.")
@click.option("--open-at", metavar="TIME", help="Only points open then: now, HH:MM or RFC 3339.")
@click.option("--scenario", metavar="ID", help="With the changes of a stored scenario.")
@click.option("--gaps", is_flag=True, help="Also the gaps, as polygons ranked by people.")
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path),
              help="Also write a file: .xlsx figures, .gpkg shapes, .json run file.")  # fmt: skip
@click.option("--run", "run_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Compute a run file again and compare; nothing else is asked.")  # fmt: skip
@json_option
@refusals
def coverage_command(
    file: Path | None, run_file: Path | None, gaps: bool, as_json: bool, **given: Any
) -> None:
    """How well points cover demand; with --run, whether a run file still gives the same figures."""
    if run_file is not None:
        _refuse_beside_run(given, file, gaps)
        _rerun(run_file, as_json)
        return
    _require(given, _NEEDED)
    format = None
    if file is not None:
        try:
            format = coverage_exports.parse_coverage_format(file.suffix.removeprefix("."))
        except GridmapError as error:
            raise click.UsageError(str(error)) from None
    with opened() as district:
        question = _question(district, given)
        report = coverage.report(district, OPERATOR, question, gaps=gaps)
        if file is not None and format is not None:
            coverage_exports.export(district, OPERATOR, question, file, format=format)
            say(f"已写出:{file}")
    for warning in report.warnings:
        say(f"提醒:{warning}")
    answer(report.document(), coverage_exports.figures_text(report), as_json=as_json)


def _refuse_beside_run(given: dict[str, Any], file: Path | None, gaps: bool) -> None:
    others = [name for name, value in {**given, "to": file, "gaps": gaps}.items() if value]
    if others:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise click.UsageError(
            f"--run asks what the run file asked; leave out {names} (--run 不能与其他选项同用)"
        )


def _rerun(file: Path, as_json: bool) -> None:
    with opened() as district:
        found = coverage_exports.rerun(district, OPERATOR, coverage_exports.parse_run(file.read_bytes()))
    is_same = found["is_same"]
    text = f"复算一致(第 {found['sequence']} 次更新的数据)。" if is_same else "复算不一致:"
    lines = [f"  {one['path']}:原 {one['then']},现 {one['now']}" for one in found["differences"]]
    answer(found, "\n".join([text, *lines]), as_json=as_json)
    if not is_same:
        sys.exit(REFUSED)


@click.command(name="site")
@click.option(
    "--problem", required=True, type=click.Choice([one.value for one in Problem]), help="What is best."
)
@click.option("--points", required=True, help="Layer of today's points.")
@click.option("--demand", required=True, help="Layer of the demand.")
@click.option("--candidates", "source", required=True, metavar="LAYER|roads|grid",
              help="Layer of candidate sites, or places made on the roads or on a lattice.")  # fmt: skip
@click.option(
    "--count", type=click.IntRange(0, siting.MOST_NEW), default=1, show_default=True, help="New sites."
)
@click.option("--mode", required=True, type=_MODES, help="Straight line, or along the roads.")
@click.option("--within", metavar="1000m|15min",
              help="Distance or time that is still covered; 1000m where only costs count.")  # fmt: skip
@click.option(
    "--direction", type=click.Choice(["to_point", "from_point"]), help="Which way; by the mode without it."
)
@click.option("--demand-field", help="Count that weighs the demand; population without it.")
@click.option("--movable", is_flag=True, help="Today's points may go elsewhere too.")
@click.option("--closable", type=click.IntRange(0), default=0, show_default=True,
              help="How many of today's points, the weakest, may be placed anew.")  # fmt: skip
@click.option("--covers", type=click.IntRange(1), default=1, show_default=True,
              help="Points that people must have within the threshold to count (mclp, lscp).")  # fmt: skip
@click.option("--backup", type=click.FloatRange(0.0, 1.0), default=1.0, show_default=True,
              help="With --covers: share that counts at the last of them, the rest at the first (mclp).")  # fmt: skip
@click.option("--capacity", type=click.FloatRange(1.0), metavar="PEOPLE",
              help="Most people that a point serves (mclp, p-median).")  # fmt: skip
@click.option("--time-limit", type=click.FloatRange(0.1, siting.MOST_SECONDS), default=60.0, show_default=True,
              help="Seconds for the proof; then the best so far, with its gap.")  # fmt: skip
@click.option("--curve", type=click.IntRange(0, 60), default=0, show_default=True,
              help="Also the best cover with 0 to this many new sites.")  # fmt: skip
@click.option(
    "--share", type=click.FloatRange(0.01, 1.0), help="Also the fewest new sites that cover this share."
)
@json_option
@refusals
def site_command(source: str, movable: bool, as_json: bool, **given: Any) -> None:
    """Choose the best sites; the answer is a proven optimum, or says how far from one it can be."""
    covers = given["problem"] in (Problem.MCLP.value, Problem.LSCP.value)
    if covers:
        _require(given, ("within",))
    with opened() as district, progress("选址") as tell:
        question = _question(district, given)
        rest = {
            name: given[name]
            for name in (
                "problem",
                "count",
                "closable",
                "time_limit",
                "curve",
                "share",
                "covers",
                "backup",
                "capacity",
            )  # fmt: skip
        }
        asked = parse_siting({**rest, "candidates": source, "is_movable": movable}, question)
        found = siting.solve(district, OPERATOR, asked, tell=tell)
    for warning in found["warnings"]:
        say(f"提醒:{warning}")
    answer(found, _site_text(found), as_json=as_json)


def _site_text(found: dict[str, Any]) -> str:
    new = [one for one in found["sites"] if one["is_new"]]
    lines = [
        f"{found['problem_title']}:{found['objective_text']},{found['proof_text']}。{found['method']['sentence']}"
    ]
    if found["limits_text"]:
        lines.append(f"{found['limits_text']}。")
    lines.append(
        f"覆盖率 {found['before']['covered_share']:.1%} → {found['after']['covered_share']:.1%},新增 {len(new)} 处:"
    )
    lines += [
        f"  {one['name']}  {one['lon']:.5f}, {one['lat']:.5f}  新覆盖 {one['gained']:,.0f}"
        for one in new[:50]
    ]
    lines += [f"  不再设置:{one['name']}" for one in found["closed"][:50]]
    lines += [
        f"  {p} 处:{people:,.0f}{'' if proven else '(未证明最优)'}" for p, people, proven in found["curve"]
    ]
    if found["fewest"]:
        fewest = found["fewest"]
        what = "候选点全部开放也达不到" if fewest["sites"] is None else f"最少新增 {fewest['sites']} 处"
        lines.append(f"覆盖 {fewest['share']:.0%}:{what}{'' if fewest['is_optimal'] else '(未证明最少)'}")
    return "\n".join(lines)


COMMANDS: tuple[click.Command, ...] = (coverage_command, site_command)
