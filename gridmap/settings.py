"""The settings of one deployment: one frozen value, made from the environment and nowhere else."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridmap.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parents[1]
DATA_FOLDER = PROJECT_ROOT / "data"


@dataclass(frozen=True, slots=True)
class TileSource:
    """
    An optional background map that the deployment's own network offers.

    `url` is an XYZ template with `{z}`, `{x}`, `{y}`. Tiles in `gcj02` are shifted on the map, so that they
    line up with the elements.
    """

    title: str
    url: str
    datum: str = "wgs84"
    max_zoom: int = 18
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """
    Everything that differs between deployments.

    `home` holds what the server writes: the embedded database, the secret, jobs' results, backups.
    """

    home: Path
    database_url: str
    layer_folders: tuple[Path, ...] = (DATA_FOLDER / "layers",)
    secret: bytes = field(default=b"", repr=False)
    session_idle_minutes: int = 30
    session_hours: int = 12
    max_upload_mb: int = 100
    max_import_rows: int = 500_000
    base_path: str = ""
    secure_cookies: bool = False
    tile_sources: tuple[TileSource, ...] = ()
    signins_per_minute: int = 10
    # whether a proxy of ours stands in front, whose X-Forwarded-* headers tell the truth
    trusts_proxy: bool = False
    # photos may show faces and plates, so a deployment decides to keep them
    allows_photos: bool = False

    @property
    def is_embedded(self) -> bool:
        """Whether the store is the embedded GeoPackage file."""
        return self.database_url.startswith("sqlite")

    @property
    def database_file(self) -> Path | None:
        """The embedded store's file; None on a server database."""
        return Path(self.database_url.removeprefix("sqlite:///")) if self.is_embedded else None

    @property
    def cookie_name(self) -> str:
        """Name of the session cookie; the prefix makes browsers insist on TLS where it is used."""
        return "__Host-gridmap" if self.secure_cookies and not self.base_path else "gridmap_session"


def child_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for another program: ours, and `extra` in place of what it names."""
    return {**os.environ, **extra}


def _integer(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise SettingsError(
            f"{name} must be a whole number above 0, not {text!r}", zh=f"环境变量 {name} 应为正整数。"
        )
    return value


def _tile_sources(text: str) -> tuple[TileSource, ...]:
    if not text.strip():
        return ()
    try:
        return tuple(TileSource(**entry) for entry in json.loads(text))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f'GRIDMAP_TILE_SOURCES must be a JSON list of {{"title", "url", "datum"}}: {error}',
            zh="环境变量 GRIDMAP_TILE_SOURCES 应为 JSON 列表,每项含 title、url、datum。",
        ) from error


def _secret(env: Mapping[str, str], home: Path) -> bytes:
    if env.get("GRIDMAP_SECRET"):
        return env["GRIDMAP_SECRET"].encode()
    path = home / "secret"
    if path.exists():
        return path.read_bytes()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process of ours made it first
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    return path.read_bytes()


def load_settings(env: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """
    The settings that the environment describes; `.env.example` lists the variables.

    The first call in a new home makes its secret, in a file only the owner may read, unless
    `GRIDMAP_SECRET` gives one.

    Raises
    ------
    SettingsError
        A variable makes no sense.
    """
    env = os.environ if env is None else env
    home = Path(env.get("GRIDMAP_HOME") or PROJECT_ROOT / ".gridmap").expanduser().absolute()
    extra = tuple(Path(one) for one in env.get("GRIDMAP_LAYERS", "").split(os.pathsep) if one)
    for folder in extra:
        if not folder.is_dir():
            raise SettingsError(
                f"GRIDMAP_LAYERS names {folder}, which is no folder",
                zh=f"环境变量 GRIDMAP_LAYERS 指向的文件夹不存在:{folder}",
            )
    values: dict[str, Any] = {
        "home": home,
        "database_url": env.get("GRIDMAP_DATABASE_URL") or f"sqlite:///{home / 'district.gpkg'}",
        "layer_folders": (DATA_FOLDER / "layers", *extra),
        "secret": overrides.get("secret") or _secret(env, home),
        "session_idle_minutes": _integer(env, "GRIDMAP_SESSION_IDLE_MINUTES", 30),
        "session_hours": _integer(env, "GRIDMAP_SESSION_HOURS", 12),
        "max_upload_mb": _integer(env, "GRIDMAP_MAX_UPLOAD_MB", 100),
        "max_import_rows": _integer(env, "GRIDMAP_MAX_IMPORT_ROWS", 500_000),
        "signins_per_minute": _integer(env, "GRIDMAP_SIGNINS_PER_MINUTE", 10),
        "base_path": env.get("GRIDMAP_BASE_PATH", "").rstrip("/"),
        "secure_cookies": env.get("GRIDMAP_SECURE_COOKIES", "") in {"1", "true", "yes"},
        "allows_photos": env.get("GRIDMAP_PHOTOS", "") in {"1", "true", "yes"},
        "trusts_proxy": env.get("GRIDMAP_TRUST_PROXY", "") in {"1", "true", "yes"},
        "tile_sources": _tile_sources(env.get("GRIDMAP_TILE_SOURCES", "")),
    }
    return Settings(**(values | overrides))


def server_environment() -> dict[str, str]:
    """
    The environment that the server is started in: this process' own, and two heaps for all threads.

    glibc gives each thread a heap of its own, which keeps what it held at most; two take a quarter less memory.
    """
    return {"MALLOC_ARENA_MAX": "2", **os.environ}
