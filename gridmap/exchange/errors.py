"""What can be wrong with a file, each with a sentence for the person who chose it."""

from __future__ import annotations

from gridmap.errors import InvalidInput, PermissionDenied


class FileBroken(InvalidInput):
    """The file is empty, cut off, damaged, dangerous, or something else than it seems."""

    title = "文件无法读取"


class FormatUnknown(InvalidInput):
    """The content is in no format that can be read."""

    status = 415
    title = "不支持的文件格式"


class FormatMismatch(FileBroken):
    """
    The name promises one format, the content is another.

    Attributes
    ----------
    extension : what the name ends with
    content : title of the format found
    """

    title = "扩展名与内容不符"


class EncodingUnknown(InvalidInput):
    """The text is in no encoding that fits, or not in the one that was named."""

    title = "无法识别文字编码"


class ColumnMissing(InvalidInput):
    """
    A column that was asked for, or that a format cannot do without, is not there.

    Attributes
    ----------
    column : the name asked for
    columns : names of the columns that are there
    """

    title = "缺少列"


class LayerMissing(InvalidInput):
    """
    The file holds several layers and none, or one that is not there, was chosen.

    Attributes
    ----------
    layers : names of the layers that are there
    """

    title = "请选择图层"


class OptionUseless(InvalidInput):
    """
    An option was given that says nothing about a file of this format: better refused than passed over.

    Attributes
    ----------
    option : what was asked for
    format : title of the format
    """

    title = "选项不适用"

    def __init__(self, option: str, chinese: str, format: str) -> None:
        super().__init__(
            f"{option} says nothing about a file of format {format}; leave it out",
            zh=f"{format}没有“{chinese}”这一选项,请去掉后重试。",
            option=option,
            format=format,
        )


class FormatCannotHold(InvalidInput):
    """The format has no place for something in the table: mixed geometry, long texts, too many rows."""

    title = "该格式无法保存这些数据"


class LiveFileRefused(PermissionDenied):
    """The path is the live database, which nothing but the store itself may open."""

    title = "不能读写正在使用的数据库文件"
