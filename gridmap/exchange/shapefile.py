"""
Shapefiles in a zip archive: GBK or UTF-8, and more than the format can hold by itself.

A DBF field name has ten bytes (three Chinese characters), a text 254 bytes, and there are no truth values,
times or empty texts. What does not fit travels beside it in two small tables of the same archive
(`字段说明.csv`, `长文本.csv`): readable for a person, and put back where it belongs when we read it.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gridmap.domain.crs import Datum
from gridmap.exchange.cells import text_of
from gridmap.exchange.delimited import csv_text, read_csv
from gridmap.exchange.errors import EncodingUnknown, FileBroken, FormatCannotHold, LayerMissing
from gridmap.exchange.gdal import common_type, read_layer, write_layer
from gridmap.exchange.source import Entry, Source, opened_archive, private_folder, unpack
from gridmap.exchange.table import Draft, Limits, RowProblem, unique_names
from gridmap.exchange.text import best_encoding, decode, python_encoding

FIELDS_TABLE, TEXTS_TABLE, REMARKS_FILE = "字段说明.csv", "长文本.csv", "说明.txt"
NAME_BYTES, TEXT_BYTES = 10, 254
_KINDS = {bool: "是否", int: "整数", float: "小数", str: "文本", "date": "日期", "datetime": "时间"}
_LATIN = "ISO-8859-1"  # every byte is one character: GDAL hands the bytes through, and we decode them
_CHINESE_LDID = 0x4D
_WESTERN = ("iso8859-1", "cp1252", "latin-1", "ascii")


def shapefile_names(source: Source, limits: Limits) -> tuple[str, ...]:
    """Names of the shapefiles in the archive."""
    with opened_archive(source, limits) as (_, entries):
        return tuple(entry.stem for entry in entries if entry.ending == ".shp")


def read_shapefile(
    source: Source, *, limits: Limits, layer_name: str | None = None, encoding: str | None = None
) -> Draft:
    """
    The features of one shapefile of the archive: the named one, or the only one.

    The encoding is `encoding` where given, else what the `.cpg` file or the DBF header say if all texts fit
    it, else whichever of UTF-8 and GB18030 they do fit.
    """
    with opened_archive(source, limits) as (archive, entries), private_folder() as folder:
        parts, beside = _chosen(entries, layer_name)
        contents = {ending: unpack(archive, entry) for ending, entry in parts.items()}
        _check_whole(contents)
        for ending in (".shp", ".shx", ".dbf"):
            (folder / f"data{ending}").write_bytes(contents[ending])
        if ".prj" in contents:
            (folder / "data.prj").write_text(_projection(contents[".prj"]), encoding="utf-8")
        draft = read_layer(folder / "data.shp", limits, encoding=_LATIN)
        _decode_texts(draft, contents, encoding)
        _restore(draft, archive, beside, limits)
    return draft


def _chosen(entries: list[Entry], layer_name: str | None) -> tuple[dict[str, Entry], dict[str, Entry]]:
    """The files of one shapefile by their ending, and the tables that lie beside it by name."""
    shapes = [entry for entry in entries if entry.ending == ".shp"]
    names = [entry.stem for entry in shapes]
    if (layer_name is None and len(shapes) > 1) or (layer_name is not None and layer_name not in names):
        what = f"没有名为“{layer_name}”的图层" if layer_name else f"压缩包里有 {len(shapes)} 个图层"
        raise LayerMissing(
            f"choose one of {', '.join(names)}",
            zh=f"{what}。请选择其中一个:{'、'.join(names[:30])}。",
            layers=names,
        )
    shape = shapes[names.index(layer_name) if layer_name else 0]
    folder, stem = _place(shape)
    parts = {entry.ending: entry for entry in entries if _place(entry) == (folder, stem)}
    missing = [ending for ending in (".shx", ".dbf") if ending not in parts]
    if missing:
        raise FileBroken(
            f"{shape.name} comes without {', '.join(missing)}",
            zh=f"压缩包里缺少与 .shp 同名的 {'、'.join(missing)} 文件。请把同名的 .shp、.shx、.dbf、.prj 一起打包。",
        )
    beside = {Path(entry.name).name: entry for entry in entries if _place(entry)[0] == folder}
    return parts, beside


def _place(entry: Entry) -> tuple[str, str]:
    folder, _, name = entry.name.replace("\\", "/").rpartition("/")
    return folder.casefold(), name.rpartition(".")[0].casefold()


def _projection(data: bytes) -> str:
    """The projection's text; names in it may be Chinese, in GBK, which GDAL's wrapper stumbles over."""
    try:
        return decode(data)[0]
    except (EncodingUnknown, FileBroken):
        return ""


def _check_whole(contents: dict[str, bytes]) -> None:
    """GDAL reads a cut-off file as far as it goes, so the sizes in the headers are compared first."""
    for ending in (".shp", ".shx"):
        data = contents[ending]
        stated = int.from_bytes(data[24:28], "big") * 2
        if len(data) < 100 or data[:4] != b"\x00\x00\x27\x0a" or stated > len(data):
            raise _damaged(ending)
    dbf = contents[".dbf"]
    records, header, width = (int.from_bytes(dbf[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
    if len(dbf) < 32 or header + records * width > len(dbf) + 1:
        raise _damaged(".dbf")


def _damaged(ending: str) -> FileBroken:
    return FileBroken(
        f"the {ending} file is cut off or damaged",
        zh=f"{ending} 文件不完整或已损坏。请重新导出或下载后重试。",
    )


# --- texts ------------------------------------------------------------------------------------------------


def _decode_texts(draft: Draft, contents: dict[str, bytes], encoding: str | None) -> None:
    names = [_raw(name) for name in draft.columns]
    texts = {_raw(value) for one in draft.columns.values() for value in one if isinstance(value, str)}
    codec = _encoding([one for one in {*texts, *names} if not one.isascii()], contents, encoding, draft)
    draft.encoding = codec
    titles = unique_names([_text(name, codec)[0] or "" for name in names])
    decoded: dict[str, list[Any]] = {}
    for title, values in zip(titles, draft.columns.values(), strict=True):
        decoded[title] = [
            _cell(value, codec, row, title, draft) if isinstance(value, str) else value
            for row, value in enumerate(values, 1)
        ]
    draft.columns = decoded


def _raw(text: str) -> bytes:
    """The bytes of a text that GDAL was told to read as Latin-1; a name that we made up ourselves is none."""
    return text.encode("latin-1", "ignore")


def _encoding(raw: list[bytes], contents: dict[str, bytes], encoding: str | None, draft: Draft) -> str:
    if encoding is not None:
        codec = python_encoding(encoding)
        if not _fits(raw, codec):
            raise EncodingUnknown(
                f"the texts are not {codec}", zh=f"属性文字不是 {codec} 编码。请选择其他编码后重试。"
            )
        return codec
    declared = _declared_codec(contents)
    if declared is not None and declared not in _WESTERN:
        if _fits(raw, declared):
            return declared
        draft.notes.append(f"文件声明的编码({declared})与内容不符,已按内容识别。")
    fitting = best_encoding(raw) or next((one for one in ("utf-8", "gb18030") if _fits(raw, one)), None)
    if fitting is None:
        raise EncodingUnknown(
            "the texts are neither UTF-8 nor GB18030",
            zh="属性文字既不是 UTF-8 也不是 GBK/GB18030 编码。请指定编码,或重新导出为 UTF-8 的 Shapefile。",
        )
    return fitting


def _declared_codec(contents: dict[str, bytes]) -> str | None:
    page = contents.get(".cpg", b"").decode("ascii", "ignore").strip()
    if page:
        try:
            return python_encoding(page)
        except EncodingUnknown:
            return None
    return "gb18030" if contents[".dbf"][29] == _CHINESE_LDID else None


def _fits(texts: list[bytes], codec: str) -> bool:
    return all(_text(text, codec)[0] is not None for text in texts)


def _text(data: bytes, codec: str) -> tuple[Any, bool]:
    """The text, and whether it ended inside a character (other software cuts at 254 bytes, not characters)."""
    try:
        return data.decode(codec), False
    except UnicodeDecodeError as error:
        if (
            error.start > 0
            and error.start >= len(data) - 3
            and ("end of data" in error.reason or "incomplete" in error.reason)
        ):
            return data[: error.start].decode(codec), True
        return None, False


def _cell(value: str, codec: str, row: int, name: str, draft: Draft) -> str:
    text, is_cut = _text(_raw(value), codec)
    if is_cut:
        draft.problems.append(RowProblem(row, name, "文字在末尾被截断(半个汉字),缺失部分无法恢复。"))
    return text


# --- what travels beside ----------------------------------------------------------------------------------


def _restore(draft: Draft, archive: zipfile.ZipFile, beside: dict[str, Entry], limits: Limits) -> None:
    """Give the columns their full names, types and texts back, where the tables are there and fit."""
    kinds: dict[str, tuple[str, str]] = {}
    if FIELDS_TABLE in beside:
        table = _table(unpack(archive, beside[FIELDS_TABLE]), ("短名", "全名", "类型"), limits)
        kinds = {short: (full, kind) for short, full, kind in table if short in draft.columns and full}
    if TEXTS_TABLE in beside:
        for row, name, text in _table(unpack(archive, beside[TEXTS_TABLE]), ("行号", "短名", "全文"), limits):
            values = draft.columns.get(name or "", [])
            place = int(row) - 1 if row and row.isdecimal() else -1
            if 0 <= place < len(values) and text is not None and _is_rest_of(values[place], text):
                values[place] = text
                draft.problems = [one for one in draft.problems if (one.row, one.column) != (place + 1, name)]
    restored = {}
    for short, values in draft.columns.items():
        full, kind = kinds.get(short, (short, ""))
        restored[full] = _converted(values, _READERS.get(kind))
    if len(restored) == len(draft.columns):
        draft.columns = restored


def _table(data: bytes, headings: tuple[str, ...], limits: Limits) -> list[tuple[str | None, ...]]:
    columns = read_csv(data, limits=limits).columns
    if not set(headings) <= columns.keys():
        return []
    return list(zip(*(columns[name] for name in headings), strict=True))


def _is_rest_of(value: Any, text: str) -> bool:
    """Whether nobody changed the cut text since it was cut off from `text`."""
    return (
        text.strip(" ").startswith(value)
        if isinstance(value, str)
        else value is None and text.strip(" ") == ""
    )


def _converted(values: list[Any], read: Callable[[Any], Any] | None) -> list[Any]:
    if read is None:
        return values
    try:
        return [None if value is None else read(value) for value in values]
    except (ValueError, TypeError, KeyError):
        return values


def _whole(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "是否": lambda value: {0: False, 1: True}[int(value)],
    "整数": _whole,
    "小数": float,
    "时间": datetime.fromisoformat,
    "日期": lambda value: value if isinstance(value, date) else date.fromisoformat(value),
}


# --- writing ----------------------------------------------------------------------------------------------


def write_shapefile(
    path: Path,
    columns: dict[str, tuple[Any, list[Any]]],
    geometry: np.ndarray[Any, Any],
    *,
    stem: str,
    datum: Datum,
    remarks: Sequence[tuple[str, str]],
) -> list[str]:
    """
    Write one shapefile into a new zip archive; the notes on what travels beside it.

    Raises FormatCannotHold for a mixture of points, lines and areas, or for geometry collections.
    """
    kind, _ = common_type(geometry)
    if kind == "Unknown" and any(one is not None for one in geometry):
        raise FormatCannotHold(
            "a shapefile holds points, or lines, or areas, not a mixture",
            zh="Shapefile 只能保存同一类图形(点、线或面),数据中混有多类。请改用 GeoPackage 或 GeoJSON。",
        )
    shorts = short_names(list(columns))
    texts: list[tuple[int, str, str]] = []
    fields = {
        short: _stored(values, one, short, texts)
        for short, (one, values) in zip(shorts, columns.values(), strict=True)
    }
    with private_folder() as folder:
        write_layer(
            folder / "data.shp",
            fields,
            geometry,
            driver="ESRI Shapefile",
            layer="data",
            datum=datum,
            options={"encoding": "UTF-8"},
        )
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
            for ending in (".shp", ".shx", ".dbf", ".prj", ".cpg"):
                part = folder / f"data{ending}"
                if part.exists():
                    archive.write(part, f"{stem}{ending}")
            described = zip(shorts, columns, (_KINDS[one] for one, _ in columns.values()), strict=True)
            archive.writestr(FIELDS_TABLE, _csv(("短名", "全名", "类型"), described))
            if texts:
                archive.writestr(TEXTS_TABLE, _csv(("行号", "短名", "全文"), texts))
            if remarks:
                archive.writestr(REMARKS_FILE, "\r\n".join(f"{key}:{text}" for key, text in remarks))
    return _notes(shorts, list(columns), texts)


def _csv(headings: Sequence[str], rows: Any) -> bytes:
    buffer = io.BytesIO(b"\xef\xbb\xbf")
    buffer.seek(3)
    for line in csv_text(headings, iter(rows)):
        buffer.write(line.encode())
    return buffer.getvalue()


def _notes(shorts: list[str], names: list[str], texts: list[tuple[int, str, str]]) -> list[str]:
    notes = []
    if shorts != names:
        notes.append(f"Shapefile 字段名最多 10 个字节,已缩短;完整名称在压缩包内的“{FIELDS_TABLE}”。")
    long = sum(len(text.encode()) > TEXT_BYTES for _, _, text in texts)
    if long:
        notes.append(f"有 {long} 处文字超过 254 个字节,Shapefile 中已截短;全文在压缩包内的“{TEXTS_TABLE}”。")
    return notes


def short_names(names: list[str]) -> list[str]:
    """The names in at most ten bytes of UTF-8, different from each other whatever their case."""
    kept = [name if len(name.encode()) <= NAME_BYTES else None for name in names]
    taken: set[str] = set()
    result = []
    for name, whole in zip(names, kept, strict=True):
        candidate, number = whole or _cut(name, NAME_BYTES), 1
        later = {one.casefold() for one in kept if one and one != whole}
        while candidate.casefold() in taken or (whole is None and candidate.casefold() in later):
            ending = f"_{number}"
            candidate, number = _cut(name, NAME_BYTES - len(ending)) + ending, number + 1
        taken.add(candidate.casefold())
        result.append(candidate)
    return result


def _cut(text: str, size: int) -> str:
    """The beginning of a text that fits `size` bytes of UTF-8, cut between characters."""
    return text.encode()[:size].decode(errors="ignore")


def _stored(
    values: list[Any], kind: Any, short: str, texts: list[tuple[int, str, str]]
) -> tuple[Any, list[Any]]:
    """A column in a type that DBF has, and what of it has to travel beside."""
    if kind is bool:
        return int, [None if value is None else int(value) for value in values]
    if kind == "datetime" or (kind is int and any(abs(v) >= 10**17 for v in values if v is not None)):
        return str, [text_of(value) for value in values]
    if kind is float and not all(_fits_decimal(value) for value in values):
        return str, [text_of(value) for value in values]
    if kind is not str:
        return kind, values
    stored = []
    for row, text in enumerate(map(text_of, values), 1):
        short_text = None if text is None else _cut(text.replace("\x00", ""), TEXT_BYTES).strip(" ")
        if text is not None and (text != short_text or text == ""):  # an empty text is lost like a long one
            texts.append((row, short, text))
        stored.append(short_text)
    return str, stored


def _fits_decimal(value: float | None) -> bool:
    """Whether a DBF number of 24 characters with 15 decimals reads back as the same number."""
    if value is None:
        return True
    text = f"{value:.15f}"
    return len(text) <= 24 and float(text) == value
