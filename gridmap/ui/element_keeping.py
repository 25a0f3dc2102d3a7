"""
Edits that are not stored yet, kept on the server so that a reload or a restart loses none of them.

A browser tab's memory on the server ends with a reload. So each draft is a small file of its own, written when
it changes and gone once it is stored or given up. Whatever looks like personal data is never written down.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gridmap.domain.layers import Layer
from gridmap.domain.privacy import find_in_values
from gridmap.domain.roles import User
from gridmap.errors import GridmapError
from gridmap.services import elements
from gridmap.services.district import District
from gridmap.ui.element_work import Draft, TableWork

KEPT_DAYS = 14


def recall(district: District, user: User, layer: Layer, work: TableWork) -> None:
    """Bring back what this person left unsaved in the layer, once for each tab; `work.recalled` tells how many."""
    if work.recalled is not None:
        return
    for path in _files(_folder(district, user)):
        try:
            noted = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            path.unlink(missing_ok=True)
            continue
        if noted["layer"] != layer.id or noted["element"] in work.drafts:
            continue
        draft = _draft(district, user, layer, noted)
        if draft is None:
            path.unlink(missing_ok=True)
        else:
            work.drafts[draft.base.id] = draft
            work.kept[draft.base.id] = _text(layer, draft) or ""
    work.recalled = len(work.kept)


def keep(district: District, user: User, layer: Layer, work: TableWork) -> None:
    """Write down what has changed since the last time."""
    texts = {one: text for one, draft in work.drafts.items() if (text := _text(layer, draft))}
    if texts == work.kept:
        return
    folder = _folder(district, user)
    for element_id, text in texts.items():
        if work.kept.get(element_id) != text:
            _write(folder, f"{element_id}.json", text)
    for element_id in work.kept.keys() - texts.keys():
        (folder / f"{element_id}.json").unlink(missing_ok=True)
    work.kept = texts


def _folder(district: District, user: User) -> Path:
    name = hashlib.sha256(user.username.encode()).hexdigest()[:32]
    return district.settings.home / "drafts" / name


def _files(folder: Path) -> Iterator[Path]:
    """The files of drafts that are not too old; older ones are removed."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for path in sorted(folder.glob("*.json")):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
        else:
            yield path


def _text(layer: Layer, draft: Draft) -> str | None:
    """The draft as it is written down; None where nothing of it may be."""
    classes = {one.name: one.field_class for one in layer.fields} | {"code": "code"}
    changes = {
        name: value
        for name, value in draft.changes.items()
        if not any(find_in_values([value], field_class=classes.get(name)))
    }
    if not changes:
        return None
    noted = {"layer": layer.id, "element": draft.base.id, "revision": draft.base.revision, "changes": changes}
    return json.dumps(noted, ensure_ascii=False, sort_keys=True)


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder / f".{name}.{os.getpid()}"
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)
    os.replace(draft, folder / name)


def _draft(district: District, user: User, layer: Layer, noted: Mapping[str, Any]) -> Draft | None:
    """The draft on the revision that it was typed over; None where there is nothing left to save."""
    try:
        history = elements.history(district, user, layer.id, noted["element"])
    except GridmapError:
        return None
    base = next((one.element for one in history if one.revision == noted["revision"]), None)
    present = history[0].element
    if base is None or present is None:
        return None
    values = present.values()
    changes = {name: value for name, value in noted["changes"].items() if values.get(name) != value}
    return Draft(base, changes) if changes else None
