"""The formats, how they are named, and how a file's content tells which one it is."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import PurePath

from gridmap.domain.crs import Datum
from gridmap.exchange.errors import FileBroken, FormatMismatch, FormatUnknown


class Format(Enum):
    """A file format that tables are read from and written to."""

    GEOJSON = "geojson"
    GEOPACKAGE = "gpkg"
    SHAPEFILE = "shapefile"
    KML = "kml"
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def title(self) -> str:
        """The words a person reads."""
        return {
            "geojson": "GeoJSON", "gpkg": "GeoPackage", "shapefile": "Shapefile(zip 压缩包)",
            "kml": "KML", "csv": "CSV 表格", "xlsx": "Excel 工作簿(XLSX)",
        }[self.value]  # fmt: skip

    @property
    def extension(self) -> str:
        """How a file of this format is named, with the dot."""
        return ".zip" if self is Format.SHAPEFILE else f".{self.value}"

    @property
    def media_type(self) -> str:
        """For the HTTP header of a download."""
        return {
            "geojson": "application/geo+json",
            "gpkg": "application/geopackage+sqlite3",
            "shapefile": "application/zip",
            "kml": "application/vnd.google-earth.kml+xml",
            "csv": "text/csv",
            "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }[self.value]


# Endings under which a format is found; the first is the usual one.
_EXTENSIONS = {
    Format.GEOJSON: (".geojson", ".json"),
    Format.GEOPACKAGE: (".gpkg",),
    Format.SHAPEFILE: (".zip", ".shp", ".shz"),
    Format.KML: (".kml", ".kmz", ".xml"),
    Format.CSV: (".csv", ".txt", ".tsv"),
    Format.XLSX: (".xlsx", ".xlsm"),
}
_BY_EXTENSION = {ending: one for one, endings in _EXTENSIONS.items() for ending in endings}
READABLE = "GeoJSON、GeoPackage、Shapefile(zip)、KML/KMZ、CSV、XLSX"

# Beginnings of files that people take for maps and tables.
_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "旧版 Excel(.xls)或加密的工作簿", "请用 Excel 或 WPS 另存为不带密码的 .xlsx 文件"),
    (b"%PDF", "PDF 文档", "请使用原始数据文件"),
    (b"\x89PNG", "图片", "请使用原始数据文件"),
    (b"\xff\xd8\xff", "图片", "请使用原始数据文件"),
    (b"Rar!", "RAR 压缩包", "请解压后重新打包为 zip"),
    (b"7z\xbc\xaf", "7z 压缩包", "请解压后重新打包为 zip"),
    (b"\x1f\x8b", "gzip 压缩文件", "请解压后再导入"),
    (b"\x00\x00\x27\x0a", "单个 .shp 或 .shx 文件", "请把同名的 .shp、.shx、.dbf、.prj 一起打包成 zip"),
)


def parse_format(text: str | Format | PurePath) -> Format:
    """The format with this id, title or file extension (`"csv"`, `".gpkg"`, `"out.zip"`); else FormatUnknown."""
    if isinstance(text, Format):
        return text
    words = str(text).strip().lower()
    for one in Format:
        if words in (one.value, one.name.lower(), one.title.lower()):
            return one
    ending = PurePath(words).suffix or (words if words.startswith(".") else f".{words}")
    if ending in _BY_EXTENSION:
        return _BY_EXTENSION[ending]
    raise FormatUnknown(
        f"{text} names no known format; known are {', '.join(one.value for one in Format)}",
        zh=f"无法识别格式“{PurePath(words).name[:80]}”。可用格式:{READABLE}。",
    )


def suggested_name(title: str, format: Format, datum: Datum) -> str:
    """A file name for a download: the title, the datum where it is not WGS 84, the extension."""
    return f"{safe_name(title)}{datum.suffix}{format.extension}"


def safe_name(title: str) -> str:
    """The title as a name that every file system takes."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]+', "_", title).strip(" ._")
    return name[:60].rstrip(" ._") or "导出"


def detect_format(head: bytes, entries: tuple[str, ...] | None, filename: str) -> Format:
    """
    The format that the content is in.

    Parameters
    ----------
    head : the first bytes (some kilobytes) of the file
    entries : names inside, where the file is a readable zip archive; else None
    filename : decides nothing but what a mismatch is called

    Raises
    ------
    FileBroken, FormatMismatch, FormatUnknown
    """
    found = _format_of_content(head, entries, filename)
    ending = PurePath(filename).suffix.lower()
    promised = _BY_EXTENSION.get(ending)
    if promised is not None and promised is not found:
        raise FormatMismatch(
            f"{filename} ends with {ending}, but its content is {found.value}",
            zh=f"文件扩展名是 {ending},内容却是{found.title}。请改正扩展名(应为 {found.extension})后重试。",
            extension=ending,
            content=found.title,
        )
    return found


def _format_of_content(head: bytes, entries: tuple[str, ...] | None, filename: str) -> Format:
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise FileBroken(f"{filename} is empty", zh="文件是空的。请检查是否导出成功后重试。")
    if entries is not None:
        return _format_of_archive(entries)
    if head.startswith(b"PK\x03\x04"):
        raise FileBroken(
            f"{filename} is a damaged archive", zh="压缩包已损坏或不完整。请重新下载或重新打包后重试。"
        )
    if head.startswith(b"SQLite format 3\x00"):
        return Format.GEOPACKAGE
    for beginning, what, advice in _FOREIGN:
        if head.startswith(beginning):
            raise FormatUnknown(f"{filename} is {what}", zh=f"文件是{what},无法直接导入。{advice}。")
    return _format_of_text(head, filename)


def _format_of_archive(entries: tuple[str, ...]) -> Format:
    names = [name.lower() for name in entries]
    if "xl/workbook.xml" in names:
        return Format.XLSX
    if any(name.endswith(".shp") for name in names):
        return Format.SHAPEFILE
    if any(name.endswith(".kml") for name in names):
        return Format.KML
    if any(name.endswith((".dbf", ".shx", ".prj")) for name in names):
        raise FileBroken(
            "the archive has no .shp", zh="压缩包里缺少 .shp 文件。请把 Shapefile 的各个文件一起打包。"
        )
    raise FormatUnknown(
        "the archive holds no shapefile",
        zh="压缩包里没有 Shapefile(.shp)。其他格式请不要压缩,直接导入文件本身。",
    )


def _format_of_text(head: bytes, filename: str) -> Format:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace").lstrip("\ufeff \t\r\n")
    else:
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip().decode("latin-1")
        if _looks_binary(head):
            raise FormatUnknown(
                f"{filename} is binary and in no known format",
                zh=f"无法识别文件格式。可导入的格式:{READABLE}。",
            )
    lower = text[:2000].lower()
    if lower.startswith(("{", "[")):
        return Format.GEOJSON
    if lower.startswith("<"):
        if "<kml" in lower or ":kml" in lower:
            return Format.KML
        if "<html" in lower or "<!doctype html" in lower:
            raise FileBroken(
                f"{filename} is a web page",
                zh="文件内容是网页,不是数据。可能下载时登录已失效,请重新下载后重试。",
            )
        raise FormatUnknown(
            f"{filename} is XML but not KML", zh=f"文件是 XML,但不是 KML。可导入的格式:{READABLE}。"
        )
    return Format.CSV


def _looks_binary(head: bytes) -> bool:
    control = sum(byte < 32 and byte not in b"\t\n\r\x0b\x0c\x1a\x1b" for byte in head)
    return b"\x00" in head or control > len(head) / 100
