"""Commands on the store as a whole: init, demo, serve, migrate, backup, restore, doctor, bench."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from gridmap.cli.common import OPERATOR, answer, json_option, opened, progress, refusals, say
from gridmap.cli.files import pairs
from gridmap.domain.elements import time_text
from gridmap.errors import GridmapError, InvalidInput, PermissionDenied
from gridmap.services import accounts, backup, imports
from gridmap.services import demo as demos
from gridmap.services.backup import BackupReport
from gridmap.services.district import District, assemble, migrate_store, open_district, prepare_store
from gridmap.settings import PROJECT_ROOT, Settings, load_settings, server_environment
from gridmap.setup import doctor as doctors
from gridmap.setup import vendor

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@click.command()
@click.option(
    "--district", "boundary", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the district's boundary; an empty district without it.",
)  # fmt: skip
@click.option("--datum", help="Datum of the boundary file: wgs84, cgcs2000, gcj02, bd09 or EPSG:n.")
@click.option(
    "--where", multiple=True, metavar="COLUMN=TEXT", help="Which area of the file, where it has several."
)
@json_option
@refusals
def init(boundary: Path | None, datum: str | None, where: tuple[str, ...], as_json: bool) -> None:
    """Make an empty district, ready for accounts and imports. Safe to repeat; never prompts."""
    if boundary and not datum:
        raise click.UsageError("--district needs --datum: nothing in a file says which datum it is in")
    chosen = pairs(where, "--where", "COLUMN=TEXT")
    settings = load_settings()
    district = assemble(settings)
    try:
        prepare_store(district)
        document: dict[str, Any] = {"database": _place(settings), "sequence": district.database.sequence()}
        if boundary:
            table = imports.read(district, boundary, filename=boundary.name)
            plan = imports.plan(
                district, OPERATOR, "district", table, datum=datum or "", filename=boundary.name, where=chosen
            )
            if len(plan.table) > 1:
                names = "、".join(one.element.name for one in plan.writes)
                raise InvalidInput(
                    f"{boundary.name} has {len(plan.table)} areas; choose one with --where COLUMN=TEXT",
                    zh=f"文件中有 {len(plan.table)} 个区域({names[:100]}),请用 --where 列=值 选择其中一个。",
                )
            receipt = imports.apply(district, OPERATOR, plan)
            document |= {"sequence": district.database.sequence(), "receipt": receipt.document()}
            for warning in plan.warnings:
                say(f"提醒:{warning}")
    finally:
        district.close()
    answer(document, f"已建立:{document['database']}", as_json=as_json)


def _place(settings: Settings) -> str:
    return (
        str(settings.database_file)
        if settings.is_embedded
        else doctors.without_password(settings.database_url)
    )


@click.command()
@click.option("--seed", default=1, show_default=True, help="Another seed makes another district.")
@click.option("--scale", default=1.0, show_default=True, help="0.2 makes a thinner one quickly.")
@json_option
@refusals
def demo(seed: int, scale: float, as_json: bool) -> None:
    """Fill an empty district with 示范区 (模拟数据) and make one account per role; passwords show once."""
    settings = load_settings()
    district = assemble(settings)
    try:
        prepare_store(district)
        with progress("示范区") as tell:
            report = demos.install(district, seed=seed, scale=scale, progress=tell)
    finally:
        district.close()
    lines = [f"  {name:<10} {password}" for name, password in report.passwords.items()]
    total = sum(report.counts.values())
    text = "\n".join([f"示范区已装入:{total:,} 个要素(模拟数据)。演示账号与密码,只显示这一次:", *lines])
    answer(
        {"counts": report.counts, "passwords": report.passwords, "sequence": report.sequence},
        text,
        as_json=as_json,
    )


@click.command()
@click.option("--port", default=8501, show_default=True, type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@refusals
def serve(port: int, host: str) -> None:
    """Serve the map. Refuses other addresses than loopback while demo accounts exist."""
    vendor.require_assets()
    with opened() as district:
        if host not in _LOOPBACK and accounts.has_demo_accounts(district):
            raise PermissionDenied(
                f"demo accounts exist, so the server listens on loopback only, not on {host}; remove them first",
                zh="存在演示账号,只能在本机(127.0.0.1)上提供服务。请先停用演示账号。",
            )
    say(f"警务网格一张图:http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}")
    arguments = [
        "--server.port", str(port), "--server.address", host, "--browser.serverAddress", host,
        "--server.headless", "true",
    ]  # fmt: skip
    command = [sys.executable, "-m", "streamlit", "run", str(PROJECT_ROOT / "streamlit_app.py"), *arguments]
    os.chdir(PROJECT_ROOT)  # Streamlit looks for .streamlit/config.toml where it is started
    os.execve(command[0], command, server_environment())


@click.command()
@json_option
@refusals
def migrate(as_json: bool) -> None:
    """Bring the store to the form that this program needs; there must be one. Make a backup first."""
    settings = load_settings()
    district = assemble(settings)
    try:
        before, after = migrate_store(district)
        sequence = district.database.sequence()
    finally:
        district.close()
    place = _place(settings)
    did = "已是最新结构,无需升级" if before == after else f"已从结构 {before} 升级到 {after}"
    answer(
        {"database": place, "before": before, "after": after, "sequence": sequence},
        f"{place}:{did}(第 {sequence} 次更新)。",
        as_json=as_json,
    )


def _told(report: BackupReport) -> dict[str, Any]:
    return {
        "file": str(report.file),
        "bytes": report.bytes,
        "sequence": report.sequence,
        "revisions": report.revisions,
        "chain_head": report.chain_head,
        "at": time_text(report.at),
    }


@click.command(name="backup")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder; default: backups in the home.",
)
@json_option
@refusals
def backup_command(folder: Path | None, as_json: bool) -> None:
    """Copy the store into a new file while people go on working. Keep the secret file apart."""
    with opened() as district:
        report = backup.backup(district, folder or district.settings.home / "backups")
    text = (
        f"已备份:{report.file}({report.bytes:,} 字节,第 {report.sequence} 次更新)\n"
        f"历史链头:{report.chain_head}\n请另行保管密钥文件(secret),恢复时需要同一密钥。"
    )
    if report.packs:
        text += f"\n另有材料包 {report.packs} 份,在同名的 .packs.tar 中,请一并保管。"
    answer(_told(report), text, as_json=as_json)


@click.command(name="restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the present store (it is kept beside the new one).")
@json_option
@refusals
def restore_command(file: Path, force: bool, as_json: bool) -> None:
    """Put a backup in place of the store, after checking it whole. Stop the server first."""
    report = backup.restore(load_settings(), file, force=force)
    text = f"已恢复到第 {report.sequence} 次更新,历史 {report.revisions:,} 条验证无误。"
    if report.packs:
        text += f"材料包 {report.packs} 份已放回。"
    answer(_told(report), text, as_json=as_json)


def _probe(settings: Settings) -> str:
    district: District = open_district(settings)
    try:
        return f"可用,第 {district.database.sequence()} 次更新"
    finally:
        district.close()


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Explain what is wrong with this installation, and what to do about it."""
    try:
        settings = load_settings()
    except GridmapError as error:
        say(error.chinese())
        sys.exit(1)
    findings = doctors.diagnose(
        database_probe=lambda: _probe(settings),
        database_url=settings.database_url,
        home=settings.home,
        secure_cookies=settings.secure_cookies,
    )
    broken = doctors.is_broken(findings)
    answer(
        {"is_broken": broken, "findings": [one.as_dict() for one in findings]},
        doctors.report(findings),
        as_json=as_json,
    )
    sys.exit(1 if broken else 0)


@click.command()
@click.argument("names", nargs=-1)
def bench(names: tuple[str, ...]) -> None:
    """Measure the budgets on this machine, beside a named baseline. NAMES choose some benchmarks."""
    folder = PROJECT_ROOT / "tests" / "benchmarks"
    if not folder.is_dir():
        say("基准测试不在安装包内,请在源代码目录运行。")
        sys.exit(1)
    sys.exit(
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks", *names], cwd=PROJECT_ROOT, check=False
        ).returncode
    )


COMMANDS: tuple[click.Command, ...] = (
    init, demo, serve, migrate, backup_command, restore_command, doctor, bench,
)  # fmt: skip
