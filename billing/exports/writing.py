"""One file in one format, from one snapshot of the books."""

from typing import BinaryIO

from billing.exports import parquet, xlsx
from billing.exports.formats import Format
from billing.exports.snapshots import Snapshot
from billing.exports.texts import Tally, layout_of, pieces


def write(format_: Format, snapshot: Snapshot, sink: BinaryIO, tally: Tally) -> None:
    """Write the whole file to the sink, which need not seek; `tally` says then what is in it."""
    tally.totals = snapshot.totals()
    if format_ is Format.XLSX:
        xlsx.write(snapshot, sink, tally)
    elif format_ is Format.PARQUET:
        parquet.write(snapshot, sink, tally)
    else:
        sink.writelines(pieces(snapshot, layout_of(format_, snapshot), tally))
