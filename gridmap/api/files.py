"""Files that need no session: our scripts and styles, and the vendored libraries."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

ASSETS = Path(__file__).resolve().parents[1] / "assets"
_YEAR = 365 * 24 * 3600


class Assets(StaticFiles):
    """`/assets/…`: kept by browsers for good when the address carries the file's version, else asked anew."""

    def __init__(self, folder: Path = ASSETS) -> None:
        super().__init__(directory=folder, check_dir=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_versioned = b"v=" in scope.get("query_string", b"")
        response.headers["Cache-Control"] = (
            f"public, max-age={_YEAR}, immutable"
            if is_versioned and response.status_code == 200
            else "no-cache"
        )
        return response
