"""The command line: every command described, one JSON document on stdout, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from gridmap.cli import root
from gridmap.services import accounts
from gridmap.services.district import assemble
from gridmap.settings import load_settings
from gridmap.storage import elements as stored
from gridmap.storage import migrate
from gridmap.storage.elements import Query
from tests.support.clock import FakeClock
from tests.support.district import make_district, seed

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "cli.md").read_text("utf-8")
SECRET = "a secret of the tests, long enough"
STATIONS = "编码,名称,开放时间,民警数,经度,纬度\n"
GOOD = STATIONS + "JWZ21,新一站,24小时,4,121.45,30.92\nJWZ22,新二站,24小时,2,121.46,30.96\n"
BAD = GOOD + "坏,三站,24小时,2,121.46,30.98\n"


def _commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(_commands(root))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seeded district's home, made once and closed."""
    home = tmp_path_factory.mktemp("template")
    district = make_district(f"sqlite:///{home / 'district.gpkg'}", home, FakeClock())
    seed(district)
    district.close()
    return home


class Terminal:
    """Runs commands against one home, as a shell would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {"GRIDMAP_HOME": str(home), "GRIDMAP_SECRET": SECRET, "GRIDMAP_DATABASE_URL": ""}

    def __call__(self, *arguments: str | Path, code: int = 0) -> Result:
        result = CliRunner().invoke(root, [str(one) for one in arguments], env=self.env)
        said = result.stdout + result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit), said + repr(
            result.exception
        )
        assert result.exit_code == code, said
        return result

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """The answer of a command with --json; stdout must be that document and nothing else."""
        return json.loads(self(*arguments, "--json", code=code).stdout)

    def elements(self, layer: str = "workstation") -> dict[str, stored.Element]:
        district = assemble(load_settings({**self.env}))
        with district.database.read() as connection:
            found = {one.code or one.name: one for one in stored.find(connection, Query(layer))}
        district.close()
        return found


@pytest.fixture
def terminal(template: Path, tmp_path: Path) -> Terminal:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(template / "district.gpkg", home)
    return Terminal(home)


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "bare")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


# --- described ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_and_option_has_help_and_is_in_the_guide(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert (command.help or "").strip(), "a command without help"
    assert path[0] in GUIDE
    assert path[-1] in GUIDE
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert any(f"`{name}" in GUIDE or f" {name}" in GUIDE for name in parameter.opts), parameter.opts


def test_the_guide_names_no_command_that_is_not_there() -> None:
    listed = [line.split("|")[1] for line in GUIDE.splitlines() if line.startswith("| `")]
    named = {
        word.strip("` ")
        for cell in listed
        for word in cell.split(",")
        if not word.strip("` ").startswith("-")
    }
    assert named - {" ".join(path[:2]) for path in COMMANDS} - set(root.commands) == set()


def test_the_program_runs_as_a_module(tmp_path: Path) -> None:
    env = {**os.environ, "GRIDMAP_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "gridmap.cli", "--version"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "gridmap,")


# --- usage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["import"],
        ["import", "missing.csv", "--layer", "workstation", "--datum", "wgs84"],
        ["import", __file__, "--layer", "workstation"],
        ["import", __file__, "--layer", "workstation", "--datum", "wgs84", "--mode", "some"],
        ["import", __file__, "--layer", "workstation", "--datum", "wgs84", "--map", "列"],
        ["import", __file__, "--layer", "workstation", "--datum", "wgs84", "--value", "class=x"],
        ["export", "--layer", "road"],
        ["export", "--layer", "road", "--to", "x.csv", "--as-of", "yesterday"],
        ["export", "--layer", "road", "--to", "x.csv", "--grid", "police_grid"],
        ["export", "--to", "x.gpkg", "--grid", "police_grid:1"],
        ["export", "--to", "x.csv"],
        ["export", "--layer", "road", "--to", "x.shp"],
        ["export", "--layer", "road", "--to", "x.kmz"],
        ["init", "--district", __file__],
        ["coverage", "--run", __file__, "--points", "workstation"],
        ["coverage", "--run", __file__, "--gaps"],
        ["serve", "--port", "0"],
        ["user", "add", "x", "--role", "king"],
        ["token", "create", "x", "--days", "0"],
        ["redact", "x", "1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two(terminal: Terminal, arguments: list[str]) -> None:
    result = terminal(*arguments, code=2)
    assert result.stdout == ""
    assert result.stderr


def test_what_is_refused_ends_with_one_and_says_why(terminal: Terminal, tmp_path: Path) -> None:
    file = write(tmp_path, "stations.csv", GOOD)
    result = terminal("import", file, "--layer", "nothing", "--datum", "wgs84", code=1)
    assert result.stdout == ""
    assert "没有图层" in result.stderr

    problem = terminal.json("import", file, "--layer", "workstation", "--datum", "mars", code=1)
    assert (problem["type"], problem["status"]) == ("/problems/crs-unknown-error", 422)
    assert terminal.json("export", "--layer", "road", "--to", tmp_path / "x.pdf", code=1)["status"] == 415


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "--layer", "workstation", "--grid", "police_grid:999"], "没有编码“999”。现有"),
        (["export", "--layer", "workstation", "--grid", "workstation:JWZ01"], "不是网格图层"),
        (["export", "--layer", "workstation", "--grid", "nolayer:1"], "没有图层“nolayer”"),
        (["export", "--layer", "workstation", "--encoding", "utf-8"], "没有“文字编码”这一选项"),
    ],
)
def test_an_export_of_what_is_not_there_writes_no_file(
    terminal: Terminal, tmp_path: Path, arguments: list[str], words: str
) -> None:
    result = terminal(*arguments, "--to", tmp_path / "x.geojson", code=1)
    assert words in result.stderr
    assert list(tmp_path.glob("x.*")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--value", "colour:red=1"], "没有字段“colour”。可用字段:"),
        (["--sheet", "Sheet1"], "没有“图层或工作表”这一选项"),
        (["--encoding", "martian"], "没有名为“martian”的编码"),
        (["--lon-column", "东经"], "没有名为“东经”的列"),
        (["--where", "镇=东镇"], "没有“镇”列"),
    ],
)
def test_an_import_that_names_what_is_not_there_is_refused(
    terminal: Terminal, tmp_path: Path, arguments: list[str], words: str
) -> None:
    file = write(tmp_path, "stations.csv", GOOD)
    result = terminal("import", file, "--layer", "workstation", "--datum", "wgs84", *arguments, code=1)
    assert words in result.stderr
    assert "JWZ21" not in terminal.elements()


def test_commands_without_a_district_say_how_to_make_one(bare: Terminal) -> None:
    result = bare("validate", code=1)
    assert "gridmap init" in result.stderr


# --- init, demo, serve ---------------------------------------------------------------------------------------


def test_init_makes_an_empty_district_and_may_be_repeated(bare: Terminal) -> None:
    assert bare.json("init") == {"database": str(bare.home / "district.gpkg"), "sequence": 0}
    assert bare.json("init")["sequence"] == 0
    assert (bare.home / "district.gpkg").stat().st_mode & 0o777 == 0o600


OUTLINE = json.dumps(
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"adcode": code, "name": name},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[x, 30], [x + 1, 30], [x + 1, 31], [x, 31], [x, 30]]],
                },
            }
            for code, name, x in ((310120, "甲区", 121), (310199, "乙区", 122))
        ],
    },
    ensure_ascii=False,
)


def test_init_takes_the_boundary_that_was_chosen(bare: Terminal, tmp_path: Path) -> None:
    file = write(tmp_path, "outline.geojson", OUTLINE)
    refused = bare("init", "--district", file, "--datum", "wgs84", code=1)
    assert "--where" in refused.stderr
    assert bare.elements("district") == {}

    made = bare.json("init", "--district", file, "--datum", "gcj02", "--where", "name=乙区")
    assert made["receipt"]["new"] == 1
    [one] = bare.elements("district").values()
    assert (one.code, one.name) == ("310199", "乙区")
    assert abs(one.geometry.bounds[0] - 122) > 0.001


def test_the_demo_installs_once_and_shows_its_passwords(bare: Terminal) -> None:
    made = bare.json("demo", "--scale", "0.2")
    assert made["counts"]["workstation"] == 40
    assert {"admin", "viewer"} <= set(made["passwords"])
    refused = bare.json("demo", code=1)
    assert refused["status"] == 409
    # nobody from elsewhere may use accounts whose passwords were printed
    assert "演示账号" in bare("serve", "--host", "0.0.0.0", code=1).stderr


# --- files -------------------------------------------------------------------------------------------------


def test_a_dry_run_reports_and_stores_nothing(terminal: Terminal, tmp_path: Path) -> None:
    file = write(tmp_path, "stations.csv", BAD)
    report = terminal.json("import", file, "--layer", "workstation", "--datum", "wgs84", "--dry-run", code=1)

    assert (report["new"], report["refused"], report["receipt"], report["is_dry_run"]) == (2, 1, None, True)
    assert [(one["row"], one["field"], one["rule"]) for one in report["problems"]] == [(4, "code", "pattern")]
    assert "JWZ21" not in terminal.elements()
    clean = write(tmp_path, "good.csv", GOOD)
    assert (
        terminal.json("import", clean, "--layer", "workstation", "--datum", "wgs84", "--dry-run")["refused"]
        == 0
    )


def test_an_import_is_all_or_nothing_unless_asked(terminal: Terminal, tmp_path: Path) -> None:
    file = write(tmp_path, "stations.csv", BAD)
    refused = terminal("import", file, "--layer", "workstation", "--datum", "wgs84", code=1)
    assert "第 4 行" in refused.stderr
    assert refused.stdout == ""
    assert "JWZ21" not in terminal.elements()

    done = terminal.json("import", file, "--layer", "workstation", "--datum", "wgs84", "--mode", "good")
    assert (done["receipt"]["new"], done["receipt"]["refused"]) == (2, 1)
    again = terminal.json("import", file, "--layer", "workstation", "--datum", "wgs84", "--mode", "good")
    assert (again["receipt"]["unchanged"], again["receipt"]["sequence"]) == (2, None)
    assert terminal.elements()["JWZ21"].created_by == "cli"


def test_columns_values_and_rows_can_be_told(terminal: Terminal, tmp_path: Path) -> None:
    file = write(
        tmp_path, "roads.csv",
        'mc,kind,keep,note,WKT\n甲路,trunk,y,x,"LINESTRING(121.41 30.91, 121.45 30.91)"\n'
        '乙路,trunk,n,x,"LINESTRING(121.41 30.92, 121.45 30.92)"\n',
    )  # fmt: skip
    done = terminal.json(
        "import", file, "--layer", "road", "--datum", "wgs84", "--map", "kind=class", "--map", "note=",
        "--value", "class:trunk=primary", "--where", "keep=y", "--simulated",
    )  # fmt: skip
    assert (done["receipt"]["new"], done["mapping"]) == (1, {"mc": "name", "kind": "class"})
    road = terminal.elements("road")["甲路"]
    assert (road.properties["class"], road.source.value) == ("primary", "simulated")


def test_what_is_exported_comes_back(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    report = terminal.json("export", "--layer", "workstation", "--to", file, "--datum", "gcj02")
    assert (report["rows"], report["suggested_name"]) == ({"workstation": 6}, "警务站_gcj02.csv")
    back = terminal.json("import", file, "--layer", "workstation", "--datum", "gcj02")
    assert back["receipt"]["unchanged"] == 6

    whole = terminal.json("export", "--to", tmp_path / "all.gpkg")
    assert whole["rows"]["police_grid"] == 4
    past = terminal.json(
        "export", "--layer", "road", "--to", tmp_path / "r.geojson", "--as-of", "2020-01-01T00:00:00Z"
    )
    assert past["rows"] == {"road": 0}
    part = terminal.json(
        "export",
        "--layer",
        "workstation",
        "--to",
        tmp_path / "p.xlsx",
        "--grid",
        "police_grid:310199102001001",
    )
    assert part["rows"] == {"workstation": 2}


def test_validate_ends_with_one_where_a_rule_is_broken(terminal: Terminal) -> None:
    assert terminal.json("validate")["is_clean"] is True
    connection = assemble(load_settings({**terminal.env}))
    with connection.database.write() as write_:
        write_.exec_driver_sql("UPDATE element SET name = '' WHERE code = 'JWZ01'")
    connection.close()

    report = terminal.json("validate", "--layer", "workstation", code=1)
    [layer] = report["layers"]
    assert [(one["code"], one["field"], one["rule"]) for one in layer["problems"]] == [
        ("JWZ01", "name", "required")
    ]
    assert terminal("validate", "--layer", "road").stdout.strip().endswith("0 个问题,0 条提醒。")


# --- the history -------------------------------------------------------------------------------------------


def test_the_history_verifies_until_it_is_touched(terminal: Terminal) -> None:
    # the template's history was made with another secret
    assert terminal.json("audit", "verify", code=1)["is_valid"] is False
    terminal.env["GRIDMAP_SECRET"] = "a secret of the tests"
    assert terminal.json("audit", "verify")["is_valid"] is True


def test_a_revision_can_be_redacted_but_not_the_present_one(terminal: Terminal, tmp_path: Path) -> None:
    terminal.env["GRIDMAP_SECRET"] = "a secret of the tests"
    one = terminal.elements()["JWZ01"].id
    terminal("redact", one, "1", "--reason", "误录", code=1)
    file = write(tmp_path, "stations.csv", STATIONS + "JWZ01,改名,24小时,3,121.42,30.92\n")
    terminal("import", file, "--layer", "workstation", "--datum", "wgs84")

    terminal("redact", one, "1", "--reason", "误录")
    assert terminal.json("audit", "verify")["redacted"] == 1


# --- people, store -----------------------------------------------------------------------------------------


def test_accounts_are_made_listed_reset_and_closed(terminal: Terminal) -> None:
    made = terminal.json("user", "add", "chief", "--role", "admin", "--display-name", "示例管理员")
    assert len(made["password"]) >= 10
    terminal("user", "add", "guard", "--role", "officer", "--area", "310199101", "--layer", "workstation")
    assert terminal.json("user", "add", "chief", "--role", "admin", code=1)["status"] == 409
    assert terminal.json("user", "reset", "guard")["password"] != made["password"]
    terminal("user", "deactivate", "guard")

    listed = {one["username"]: one for one in terminal.json("user", "list")["accounts"]}
    assert (listed["guard"]["area"], listed["guard"]["layers"], listed["guard"]["is_active"]) == (
        ["310199101"], ["workstation"], False,
    )  # fmt: skip
    terminal("user", "activate", "guard")
    assert all(one["is_active"] for one in terminal.json("user", "list")["accounts"])


def test_tokens_are_made_listed_and_revoked(terminal: Terminal) -> None:
    terminal("user", "add", "qgis", "--role", "viewer")
    token = terminal("token", "create", "qgis", "--label", "QGIS", "--days", "30").stdout.strip()
    [listed] = terminal.json("token", "list")["tokens"]
    assert token not in json.dumps(listed)
    terminal("token", "revoke", listed["id"])
    assert terminal.json("token", "list")["tokens"][0]["is_valid"] is False


def test_a_backup_restores_only_with_force(terminal: Terminal, tmp_path: Path) -> None:
    terminal.env["GRIDMAP_SECRET"] = "a secret of the tests"
    made = terminal.json("backup", "--to", tmp_path / "backups")
    file = write(tmp_path, "stations.csv", GOOD)
    terminal("import", file, "--layer", "workstation", "--datum", "wgs84")

    terminal("restore", made["file"], code=1)
    assert "JWZ21" in terminal.elements()
    back = terminal.json("restore", made["file"], "--force")
    assert back["chain_head"] == made["chain_head"]
    assert "JWZ21" not in terminal.elements()


def test_migrate_and_doctor_answer(terminal: Terminal, bare: Terminal) -> None:
    assert terminal.json("migrate")["sequence"] > 0
    assert "无需升级" in terminal("migrate").stdout
    # a test machine may lack what only tests need, but the store is there
    result = CliRunner().invoke(root, ["doctor", "--json"], env=terminal.env)
    checks = {one["check"]: one for one in json.loads(result.stdout)["findings"]}
    assert checks["database"]["health"] == "ok"
    broken = CliRunner().invoke(root, ["doctor", "--json"], env=bare.env)
    assert broken.exit_code == 1


def _with_form(terminal: Terminal, form: str | None) -> None:
    """Bring the store back to an earlier form, or name one that no program of today knows."""
    district = assemble(load_settings({**terminal.env}))
    if form is None:
        with district.database.write() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999_from_tomorrow'")
    else:
        migrate.downgrade(district.database, form)
    district.close()


def test_migrate_says_from_which_form_to_which(terminal: Terminal) -> None:
    _with_form(terminal, "0006")
    assert "gridmap migrate" in terminal("validate", code=1).stderr
    done = terminal.json("migrate")
    assert (done["before"], done["after"]) == ("0006", migrate.newest())
    assert done["database"] == str(terminal.home / "district.gpkg")
    assert terminal.elements()


def test_migrate_makes_no_store_where_there_is_none(bare: Terminal) -> None:
    problem = bare.json("migrate", code=1)
    assert str(bare.home / "district.gpkg") in problem["detail"]
    assert "gridmap init" in problem["detail"]
    assert not (bare.home / "district.gpkg").exists()


@pytest.mark.parametrize("command", ["migrate", "init", "validate"])
def test_a_store_of_a_newer_program_is_left_alone(terminal: Terminal, command: str) -> None:
    _with_form(terminal, None)
    assert "请先升级程序" in terminal(command, code=1).stderr


@pytest.mark.parametrize(
    "command",
    [["export", "--layer", "road"], ["backup"], ["report"]],
    ids=["export", "backup", "report"],
)
def test_a_place_that_cannot_be_written_is_refused_in_one_document(
    terminal: Terminal, tmp_path: Path, command: list[str]
) -> None:
    wall = tmp_path / "wall"
    wall.write_text("a file, no folder")
    answer = terminal.json(*command, "--to", wall / "x" / "y.csv", code=1)
    assert answer["status"] < 500
    assert answer["detail"]


def test_a_file_that_is_no_database_is_refused_in_one_document(terminal: Terminal) -> None:
    (terminal.home / "district.gpkg").write_bytes(b"garbage " * 4000)
    for command in (["validate"], ["audit", "verify"], ["export", "--layer", "road", "--to", "x.csv"]):
        assert "gridmap doctor" in terminal.json(*command, code=1)["detail"]


def test_a_token_made_on_the_command_line_serves_before_the_first_sign_in(terminal: Terminal) -> None:
    terminal("user", "add", "robot", "--role", "analyst", "--display-name", "接口账号")
    token = terminal.json("token", "create", "robot", "--label", "试用")["token"]
    district = assemble(load_settings({**terminal.env}))
    user = accounts.user_of_token(district, token)
    assert (user.username, user.must_change_password) == ("robot", False)
    district.close()
