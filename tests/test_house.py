"""The house stands: imports go one way, Streamlit stays on its floor, and no file leads out of the building."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Floors from left to right; a module imports only from floors to the left of its own. Rooms of one floor
# (the braces in the design) never import one another.
FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"errors"}),
    frozenset({"settings"}),
    frozenset({"setup"}),
    frozenset({"domain"}),
    frozenset({"storage", "exchange", "validation", "analysis", "demo"}),
    frozenset({"maps"}),
    frozenset({"services"}),
    frozenset({"api", "ui", "cli"}),
    frozenset({"pages"}),
    frozenset({"streamlit_app"}),
)
HEIGHT = {room: height for height, floor in enumerate(FLOORS) for room in floor}
# The package's own top is below everything: it holds the version.
GROUND = {"__init__", "__main__"}


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), filename=str(file))


def _sources() -> list[Path]:
    files = [*ROOT.glob("gridmap/**/*.py"), *ROOT.glob("pages/**/*.py"), *ROOT.glob("streamlit_app.py")]
    return sorted(files)


def _module(file: Path) -> tuple[str, ...]:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _room(module: tuple[str, ...]) -> str:
    """The room a module belongs to: the part after `gridmap`, or the top-level name itself."""
    if module[0] != "gridmap":
        return module[0]
    return module[1] if len(module) > 1 else "__init__"


def _imported(file: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every module that a file imports, at its top or inside a function, with the line."""
    package = _module(file) if file.name == "__init__.py" else _module(file)[:-1]
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            named = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield node.lineno, (*base, *named, alias.name)


def upward_imports(file: Path) -> list[str]:
    """Imports of `file` that go to the right, or sideways into another room of the same floor."""
    room = _room(_module(file))
    if room in GROUND:
        return []
    wrong = []
    for line, target in _imported(file):
        if target[0] not in {"gridmap", "pages", "streamlit_app"}:
            continue
        other = _room(target)
        # `from gridmap import __version__` names no room.
        if other in GROUND or other.startswith("__") or other == room:
            continue
        if other not in HEIGHT or HEIGHT[other] >= HEIGHT[room]:
            wrong.append(f"{file.relative_to(ROOT)}:{line} {room} imports {other}")
    return wrong


@pytest.mark.parametrize("file", _sources(), ids=lambda f: f.relative_to(ROOT).as_posix())
def test_imports_go_only_to_the_left(file: Path) -> None:
    assert _room(_module(file)) in HEIGHT.keys() | GROUND, "a new floor needs its place in FLOORS"
    assert upward_imports(file) == []


def test_streamlit_stays_in_the_user_interface() -> None:
    may = {"ui", "pages", "streamlit_app"}
    strays = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in _sources()
        if _room(_module(file)) not in may
        for line, target in _imported(file)
        if target[0] in {"streamlit", "streamlit_folium"}
    ]
    assert strays == []


def test_analysis_needs_no_database_and_no_map() -> None:
    banned = {"sqlalchemy", "psycopg", "sqlite3", "folium", "streamlit", "pyogrio"}
    strays = [
        f"{file.relative_to(ROOT)}:{line} {target[0]}"
        for file in ROOT.glob("gridmap/analysis/**/*.py")
        for line, target in _imported(file)
        if target[0] in banned
    ]
    assert strays == []


def test_nothing_imports_ortools_beside_highspy() -> None:
    strays = [
        str(f.relative_to(ROOT)) for f in _sources() for _, target in _imported(f) if target[0] == "ortools"
    ]
    assert strays == []


def _writes_session_state(node: ast.AST) -> bool:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Delete):
        targets = node.targets
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in {"update", "setdefault", "pop", "clear", "__setitem__"}:
            return ast.unparse(node.func.value).endswith("session_state")
        return False
    return any(
        isinstance(t, ast.Subscript | ast.Attribute) and ast.unparse(t.value).endswith("session_state")
        for t in targets
    )


def test_session_state_is_written_in_one_file() -> None:
    home = ROOT / "gridmap" / "ui" / "state.py"
    writers = {
        f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for file in _sources()
        if file != home
        for node in ast.walk(_tree(file))
        if _writes_session_state(node)
    }
    assert writers == set()


def test_no_other_file_names_the_session_state() -> None:
    home = ROOT / "gridmap" / "ui" / "state.py"
    strays = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in _sources()
        if file != home
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Attribute) and node.attr == "session_state"
    }
    assert strays == set()


def _reads_environment(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv", "os.environb"}


def test_the_environment_is_read_in_one_file() -> None:
    # Set-up runs before there are settings, and hands its own environment on to programs.
    readers = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in _sources()
        if _room(_module(file)) not in {"settings", "setup"}
        for node in ast.walk(_tree(file))
        if _reads_environment(node)
    }
    assert readers == set()


def test_every_variable_is_in_the_example() -> None:
    names = set(re.findall(r"GRIDMAP_[A-Z_]+", (ROOT / "gridmap" / "settings.py").read_text("utf-8")))
    example = (ROOT / ".env.example").read_text("utf-8")
    assert sorted(n for n in names if n not in example) == []


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {
        re.split(r"[\[<>=~! ]", line)[0].lower().replace("_", "-") for line in project["dependencies"]
    }
    distributions = packages_distributions()
    undeclared = set()
    for file in _sources():
        for line, target in _imported(file):
            top = target[0]
            if top in sys.stdlib_module_names or top in {"gridmap", "pages", "streamlit_app"}:
                continue
            names = {name.lower().replace("_", "-") for name in distributions.get(top, [top])}
            if not names & declared:
                undeclared.add(f"{file.relative_to(ROOT)}:{line} {top}")
    assert undeclared == set()


# --- What no file of the project may hold ------------------------------------------------------------------

TEXT_KINDS = {
    ".py",
    ".js",
    ".css",
    ".html",
    ".toml",
    ".json",
    ".md",
    ".sh",
    ".lock",
    ".txt",
    ".cfg",
    ".ini",
    ".mako",
    "",
}
# Written in pieces, so that this file does not hold what it looks for.
REGISTRIES = re.compile(
    "|".join(
        ["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", "npmjs" + r"\.(?:org|com)"]
    )
)
MACHINE_PATHS = re.compile(
    "|".join(
        [
            r"/wor" + r"k/",
            r"/roo" + r"t/",
            r"/hom" + r"e/[a-z]",
            r"/Use" + r"rs/[a-z]",
            r"[A-Z]:\\Use" + r"rs",
        ]
    )
)
FOREIGN_URL = re.compile(r"(?:https?|wss?):" + r"//(?P<host>[A-Za-z0-9.\-\[\]:]+)|url\(\s*['\"]?//")
# Names, not addresses: XML namespaces are identifiers, reserved examples lead nowhere, loopback is this machine.
NAMES_ONLY = re.compile(
    r"^(www\.w3\.org|127\.0\.0\.1(:\d+)?|localhost(:\d+)?|\[::1\](:\d+)?|([a-z0-9-]+\.)*example(\.(com|org|net))?)$"
)


@cache
def _tracked() -> tuple[Path, ...]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git work tree: what is tracked cannot be told")
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return tuple(f for f in files if f.is_file())


def _texts() -> Iterator[tuple[str, str]]:
    for file in _tracked():
        if file.suffix in TEXT_KINDS:
            yield file.relative_to(ROOT).as_posix(), file.read_text("utf-8")


def _lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number} {line.strip()[:100]}"
        for name, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert _lines_with(REGISTRIES) == []


def test_no_file_holds_a_path_of_somebodys_machine() -> None:
    assert _lines_with(MACHINE_PATHS) == []


def test_no_script_style_or_page_of_ours_names_another_host() -> None:
    found = [
        f"{name}: {match.group(0)}"
        for name, text in _texts()
        if name.endswith((".js", ".css", ".html")) and not name.startswith("tests/")
        for match in FOREIGN_URL.finditer(text)
        if not NAMES_ONLY.match(match.group("host") or "")
    ]
    assert found == []


def test_what_set_up_makes_is_not_tracked() -> None:
    made = ("gridmap/assets/vendor/", "node_modules/", ".venv/", "var/", ".gridmap/", "dist/")
    names = [file.relative_to(ROOT).as_posix() for file in _tracked()]
    assert [n for n in names if n.startswith(made) or n.endswith((".gpkg", ".pyc", ".egg-info"))] == []


def test_no_secret_is_tracked() -> None:
    assert [f.name for f in _tracked() if f.name in {".env", "secrets.toml", "secret"}] == []


# --- The rules themselves ------------------------------------------------------------------------------------


def _planted(where: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    file = tmp_path / where
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(line + "\n", "utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    return file


@pytest.mark.parametrize(
    ("where", "line", "wrong"),
    [
        ("gridmap/domain/x.py", "from gridmap.services import y", True),
        ("gridmap/domain/x.py", "def f():\n    import gridmap.storage.engine", True),
        ("gridmap/analysis/x.py", "from gridmap import storage", True),
        ("gridmap/analysis/x.py", "from ..validation import topology", True),
        ("gridmap/api/x.py", "from gridmap.ui import gate", True),
        ("gridmap/storage/x.py", "from gridmap.storage import engine", False),
        ("gridmap/storage/x.py", "from . import engine", False),
        ("gridmap/services/x.py", "from gridmap.maps import shell", False),
        ("gridmap/cli.py", "from gridmap import __version__", False),
        ("pages/x.py", "from gridmap.ui import gate", False),
        ("gridmap/ui/x.py", "import pages.map", True),
    ],
)
def test_the_rule_on_imports_sees_each_direction(where, line, wrong, monkeypatch, tmp_path) -> None:
    assert bool(upward_imports(_planted(where, line, monkeypatch, tmp_path))) is wrong


@pytest.mark.parametrize(
    ("line", "writes"),
    [
        ("st.session_state['a'] = 1", True),
        ("st.session_state.a = 1", True),
        ("session_state['n'] += 1", True),
        ("del st.session_state['a']", True),
        ("st.session_state.pop('a')", True),
        ("x = st.session_state['a']", False),
        ("x = st.session_state.get('a')", False),
    ],
)
def test_the_rule_on_session_state_sees_each_form(line: str, writes: bool) -> None:
    assert any(_writes_session_state(node) for node in ast.walk(ast.parse(line))) is writes
