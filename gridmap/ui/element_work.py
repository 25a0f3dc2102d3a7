"""What somebody is in the middle of on the elements page: edits not stored yet, an import not finished."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from gridmap.domain.elements import Element
from gridmap.exchange import SourceTable
from gridmap.services.imports import ImportPlan
from gridmap.services.merging import MergeConflict
from gridmap.ui.element_words import label_of


@dataclass(slots=True)
class Draft:
    """
    One row's edits that are not stored.

    Attributes
    ----------
    base : the element as it stood when the first of them was typed
    changes : new values by field; None clears a field
    conflict : what stands in the way since somebody else stored something else; a person has to choose
    """

    base: Element
    changes: dict[str, Any] = field(default_factory=dict)
    conflict: MergeConflict | None = None

    @property
    def label(self) -> str:
        """How a person knows the row."""
        return label_of(self.base)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row that was sent: `done` are the words for success, empty when nothing was stored."""

    label: str
    done: str = ""
    words: str = ""


Action = Callable[[], list[Outcome]]


@dataclass(slots=True)
class TableWork:
    """
    The table of one person.

    Attributes
    ----------
    drafts : edits that are not stored, by element id
    shown : the rows of the editor as it was last drawn, in its order; `editor` is its key
    ticked : ids of the rows that are ticked
    outcomes : what became of the rows that were sent last
    resets : how often the editor was told to forget its own memory; part of its key
    kept : drafts as they were last written down, by element id
    recalled : how many of them were found when the table was opened; None before it was
    asked : what a button asked for; done once everything that was typed before has arrived
    """

    drafts: dict[str, Draft] = field(default_factory=dict)
    shown: tuple[Element, ...] = ()
    editor: str = ""
    ticked: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)
    resets: int = 0
    kept: dict[str, str] = field(default_factory=dict)
    recalled: int | None = None
    asked: Action | None = None

    def ask(self, action: Action) -> None:
        """Have `action` done in the next run; what buttons call when they are pressed."""
        self.asked = action

    def reset(self) -> None:
        """Let the editor begin anew from what is stored and the drafts."""
        self.resets += 1
        self.editor, self.shown = "", ()


class Upload:
    """A file that somebody sent, in a folder that only this account can enter; gone with its owner."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name = PurePath(name.replace("\\", "/")).name or "上传的文件"
        self.size = len(content)
        folder = Path(tempfile.mkdtemp(prefix="gridmap-upload-"))
        self.path = folder / f"upload{PurePath(self.name).suffix[:10]}"
        self.path.write_bytes(content)
        self._finalizer = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    def discard(self) -> None:
        """Remove the file now."""
        self._finalizer()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read, where it leaves a choice."""

    layer_name: str | None = None
    encoding: str | None = None
    lon_column: str | None = None
    lat_column: str | None = None


@dataclass(slots=True)
class ImportWork:
    """
    One import on its way through the steps.

    Attributes
    ----------
    step : 1 file, 2 datum and columns, 3 dry run, 4 stored
    parts : names of the layers or sheets to choose from
    table : the file as read by `reading`; `fault` says why there is none
    mapping : field by column, as a person settled it; "" leaves a column out
    values : for a choice field, what the file's own words mean
    plan : the dry run, made here; `report` is its document, also of one made by job `job`
    problems : the bad rows as a CSV file
    receipt : what was stored
    """

    step: int = 1
    upload: Upload | None = None
    parts: tuple[str, ...] = ()
    reading: Reading = Reading()
    table: SourceTable | None = None
    fault: str = ""
    datum: str = ""
    is_simulated: bool = False
    mapping: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    plan: ImportPlan | None = None
    report: Mapping[str, Any] | None = None
    problems: bytes = b""
    job: str | None = None
    receipt: Mapping[str, Any] | None = None
    undone: str = ""

    def forget_plan(self) -> None:
        """What was found out by a dry run that no longer fits."""
        self.plan, self.report, self.problems, self.job = None, None, b"", None


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was made and waits to be taken; `asked` is what it was made from."""

    asked: tuple[Any, ...]
    name: str
    media_type: str
    content: bytes = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class ElementsWork:
    """
    Everything of one tab's elements page.

    Attributes
    ----------
    tables, imports : by layer
    imports_begun : how many files were begun with; part of the keys of an import's widgets
    download : the file that was made last
    open_table : the layer whose editor is on the screen
    has_waited : whether edits under way from that editor were waited for
    """

    tables: dict[str, TableWork] = field(default_factory=dict)
    imports: dict[str, ImportWork] = field(default_factory=dict)
    imports_begun: int = 0
    download: Download | None = None
    open_table: str | None = None
    has_waited: bool = False

    def table(self, layer: str) -> TableWork:
        """The table of a layer."""
        return self.tables.setdefault(layer, TableWork())

    def importing(self, layer: str) -> ImportWork:
        """The import into a layer."""
        return self.imports.setdefault(layer, ImportWork())

    def begin_import(self, layer: str) -> None:
        """Forget the import into a layer, its file included."""
        found = self.imports.pop(layer, None)
        if found is not None and found.upload is not None:
            found.upload.discard()
        self.imports_begun += 1
