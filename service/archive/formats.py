"""Writes extracts as CSV, JSON lines or Parquet, with the columns in their order. Times are ISO 8601, in UTC."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO, Final

from sqlalchemy import JSON, Boolean

from service.archive.extract import Extract, Row
from service.archive.schema import SURVEY, Moment

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins with one of these for a formula (OWASP: CSV injection)."""
_ROWS_OF_A_GROUP: Final = 10_000
_INTEGERS: Final = {"conversation_id", "seconds_to_delivery", "seconds_to_dixa", "csat", "nps", "thumbs"}


class ParquetMissing(Exception):
    """pyarrow isn't installed."""


def jsonable(extract: Extract, row: Row) -> dict[str, Any]:
    """Return a row as JSON has it."""
    return {name: _text(value) if isinstance(value := row[name], datetime) else value for name in extract.columns}


def write_json_lines(extract: Extract, rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield one JSON object a line."""
    for row in rows:
        yield json.dumps(jsonable(extract, row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def write_csv(extract: Extract, rows: Iterable[Row], *, with_header: bool = True) -> Iterator[bytes]:
    """Yield CSV as RFC 4180 has it. The header begins with a BOM, without which Excel misreads UTF-8."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    if with_header:
        buffer.write("\ufeff")
        writer.writerow(extract.columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in extract.columns])
        yield _take(buffer)
    if rest := _take(buffer):
        yield rest


def write_parquet(extract: Extract, rows: Iterable[Row], target: BinaryIO) -> None:
    """Write a Parquet file in row groups. Raises ParquetMissing."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - 100 MB, an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise ParquetMissing from None
    types = {Moment: pa.timestamp("ms", tz="UTC"), Boolean: pa.bool_(), JSON: pa.string()}
    kinds = {
        name: pa.list_(pa.string())
        if name == "tags"
        else pa.int64()
        if name in _INTEGERS
        else types.get(type(SURVEY.c[name].type), pa.string())
        if name in SURVEY.c
        else pa.string()
        for name in extract.columns
    }
    schema = pa.schema(list(kinds.items()))
    remaining = iter(rows)
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        while group := list(islice(remaining, _ROWS_OF_A_GROUP)):
            columns = {name: [_parquet(name, row[name]) for row in group] for name in extract.columns}
            writer.write_table(pa.table(columns, schema=schema))


def _parquet(name: str, value: Any) -> Any:
    return json.dumps(value) if name == "mismatches" and value is not None else value


def _cell(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, int):
        return value
    text = value if isinstance(value, str) else _joined(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _joined(values: Sequence[Any]) -> str:
    """Return tags separated by semicolons, or rule mismatches as JSON."""
    return "; ".join(values) if all(isinstance(each, str) for each in values) else json.dumps(values)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _take(buffer: io.StringIO) -> bytes:
    found = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return found
