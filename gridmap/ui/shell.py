"""
The HTML page that Streamlit's front end starts in, made Chinese and ours.

Streamlit's own file is kept but for what a closed, Chinese network trips over: the document's language, the
title and icon of a strange program, its advice in English, an inline script, and the guessing of the server's
address, which asks for addresses that do not exist.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from streamlit import file_util

from gridmap.errors import Unavailable
from gridmap.maps.shell import frame_addresses
from gridmap.ui.words import APP_TITLE

ASSETS = Path(__file__).resolve().parents[1] / "assets" / "ui"
_SCRIPTS = ("host.js", "chinese.js", "page.js", "menu.js", "fullscreen.js", "outage.js")
_ANCHOR = '<script type="module"'
_NO_SCRIPT = "<p>本系统需要启用浏览器的 JavaScript,请在浏览器设置中打开后刷新本页。</p>"


def version() -> str:
    """A short fingerprint of the frame's scripts and styles: browsers keep them until it changes."""
    digest = hashlib.sha256()
    for file in sorted(ASSETS.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def page_html(base_path: str = "") -> str:
    """
    The page's HTML, the same for everybody.

    Raises
    ------
    Unavailable
        This Streamlit's page has another form than the one we know.
    """
    text = (Path(file_util.get_static_dir()) / "index.html").read_text("utf-8")
    return adapted(text, f"{base_path}/", version())


def adapted(text: str, root: str, version: str) -> str:
    """Streamlit's page `text` with our language, icon, styles and scripts; `root` is the application's path."""
    if _ANCHOR not in text or "<title>" not in text:
        raise Unavailable(
            "Streamlit's index.html has an unknown form; gridmap needs the version in requirements.lock",
            zh="页面框架的版本不符,请按 requirements.lock 安装依赖。",
        )
    ours = f'<link rel="stylesheet" href="{root}assets/ui/base.css?v={version}">'
    ours += "".join(f'<script src="{root}assets/ui/{one}?v={version}"></script>' for one in _SCRIPTS)
    icon = f'<link rel="shortcut icon" href="{root}assets/ui/icon.svg?v={version}" type="image/svg+xml">'
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<html[^>]*>", '<html lang="zh-CN">', text)
    text = re.sub(r"<title>.*?</title>", f"<title>{APP_TITLE}</title>{ours}", text, flags=re.DOTALL)
    text = re.sub(r'<link rel="shortcut icon"[^>]*>', icon, text)
    text = re.sub(r'<link rel="service-desc"[^>]*>', "", text)
    # the only inline script, a hint for crawlers
    text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    text = re.sub(r"<noscript>.*?</noscript>", f"<noscript>{_NO_SCRIPT}</noscript>", text, flags=re.DOTALL)
    # pages live one level below the root or at it; their parts always at the root
    return text.replace('"./', f'"{root}')


# What the first page asks for one after the other, once its script has run; names without their fingerprints.
_LATER = ("Html", "purify.es", "IFrameUtil", "urls", "withCalculatedWidth", "ComponentInstance")
_FONTS = ("SourceSansVF-Upright", "MaterialSymbols-Rounded")


@cache
def first_files(base_path: str = "") -> tuple[str, ...]:
    """
    Addresses of what the first page, the map, is made of: the sign-in page lets the browser fetch them while
    somebody types.
    """
    root, static = f"{base_path}/", Path(file_util.get_static_dir())
    named = re.findall(r'(?:href|src)="([^"]+\.(?:js|css)(?:\?[^"]*)?)"', page_html(base_path))
    chunks = [f for name in _LATER for f in sorted(static.glob(f"static/js/{name}.*.js"))]
    fonts = [f for name in _FONTS for f in sorted(static.glob(f"static/media/{name}*.woff2"))]
    later = [root + file.relative_to(static).as_posix() for file in (*chunks, *fonts)]
    return tuple(dict.fromkeys([*named, *later, *(root + one for one in frame_addresses())]))
