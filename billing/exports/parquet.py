"""Parquet: the rows that PostgreSQL writes as CSV, taken in by pyarrow, a row group for each stretch.

The wheel of pyarrow has 55 MB and nothing else of the product needs it: it is there only where requirements-parquet.txt was
installed.
"""

import importlib.util
import io
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from billing.exports.columns import COLUMNS, NAMES, Kind
from billing.exports.formats import Format
from billing.exports.snapshots import Snapshot
from billing.exports.texts import Layout, Tally, layout_of, rows_of
from billing.money import PLACES

if TYPE_CHECKING:
    import pyarrow  # noqa: ICN001 - by its own name, as everywhere here


@cache
def is_available() -> bool:
    """Tell whether this installation can write Parquet."""
    return importlib.util.find_spec("pyarrow") is not None


def write(snapshot: Snapshot, sink: BinaryIO, tally: Tally) -> None:
    """Write the file; a stretch of lines is in memory at a time."""
    import pyarrow.parquet  # noqa: PLC0415 - optional

    layout = layout_of(Format.CSV, snapshot)
    schema = _schema().with_metadata({"tenant_id": str(snapshot.selection.tenant_id), "as_of": f"{snapshot.selection.as_of}"})
    with pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for stretch in snapshot.stretches():
            rows = b"".join(rows_of(snapshot, layout, stretch, tally))
            if rows:
                writer.write_table(_table(rows, layout, schema))
            tally.told(tally)


def _table(rows: bytes, layout: Layout, schema: "pyarrow.Schema") -> Any:
    from pyarrow import csv  # noqa: PLC0415 - optional

    return csv.read_csv(
        io.BytesIO(layout.head + rows),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            include_columns=list(NAMES),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    ).cast(schema)


def _schema() -> "pyarrow.Schema":
    import pyarrow  # noqa: PLC0415, ICN001 - optional

    types = {
        Kind.WORD: pyarrow.string(),
        Kind.TYPED: pyarrow.string(),
        Kind.MOMENT: pyarrow.timestamp("ms", "UTC"),
        Kind.DAY: pyarrow.date32(),
        Kind.WHOLE: pyarrow.int64(),
        Kind.FLAG: pyarrow.bool_(),
        Kind.AMOUNT: pyarrow.decimal128(38, PLACES),
    }
    return pyarrow.schema([(column.name, types[column.kind]) for column in COLUMNS])
