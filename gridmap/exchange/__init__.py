"""
Files to tables and back: GeoJSON, GeoPackage, Shapefile, KML, CSV, XLSX.

Reading gives what the file says, row by row, in the file's own coordinates; whether that is right is judged
elsewhere. Files from outside are opened from a private copy, by the reader of their format alone.
"""

from gridmap.exchange.errors import (
    ColumnMissing,
    EncodingUnknown,
    FileBroken,
    FormatCannotHold,
    FormatMismatch,
    FormatUnknown,
    LayerMissing,
    LiveFileRefused,
    OptionUseless,
)
from gridmap.exchange.formats import Format, parse_format, suggested_name
from gridmap.exchange.reading import list_layers, read_table
from gridmap.exchange.suspicion import Suspicion, datum_suspicion
from gridmap.exchange.table import Limits, RowProblem, SourceTable, WriteReport
from gridmap.exchange.writing import write_layers, write_table

__all__ = [
    "ColumnMissing",
    "EncodingUnknown",
    "FileBroken",
    "Format",
    "FormatCannotHold",
    "FormatMismatch",
    "FormatUnknown",
    "LayerMissing",
    "Limits",
    "LiveFileRefused",
    "OptionUseless",
    "RowProblem",
    "SourceTable",
    "Suspicion",
    "WriteReport",
    "datum_suspicion",
    "list_layers",
    "parse_format",
    "read_table",
    "suggested_name",
    "write_layers",
    "write_table",
]
