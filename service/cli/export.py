"""`afterword export`: surveys or answers of the archive as a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from service.cli.archive_reader import read_names, reading_archive
from service.cli.context import open_settings
from service.cli.output import say

_MAKE_PARQUET = "pip install --require-hashes -r requirements-parquet.txt"


@click.command(short_help="Write surveys or answers to a file.")
@click.argument("what", type=click.Choice(["answers", "surveys"]))
@click.option("--since", metavar="TIME", help="Answered or closed since: 2026-11-01, or 30d. Default: all.")
@click.option("--csv", "kind", flag_value="csv", default=True, help="CSV for Excel and others. The default.")
@click.option("--json", "kind", flag_value="json", help="One JSON object a line.")
@click.option("--parquet", "kind", flag_value="parquet", help="Parquet, which needs an extra package.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file. Default: stdout.")
def export(what: str, since: str | None, kind: str, output: Path | None) -> None:
    """Write surveys or answers of the archive to stdout or a file, oldest first. See docs/exports.md."""
    # SQLAlchemy is large, and few commands need it.
    from service.archive.extract import EXTRACTS, read_since, stream  # noqa: PLC0415
    from service.archive.formats import ParquetMissing, write_csv, write_json_lines, write_parquet  # noqa: PLC0415

    settings = open_settings()
    try:
        begin = read_since(since, datetime.now(UTC)) if since else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    if kind == "parquet" and output is None and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text. Name a file: --output answers.parquet")
    extract = EXTRACTS[what]
    try:
        with reading_archive(settings) as engine, _target(output) as target:
            rows = stream(engine, extract, begin, read_names(settings))
            if kind == "parquet":
                write_parquet(extract, rows, target)
                return
            for part in (write_csv if kind == "csv" else write_json_lines)(extract, rows):
                target.write(part)
    except ParquetMissing:
        raise click.ClickException(f"Parquet needs pyarrow: {_MAKE_PARQUET}") from None


@contextmanager
def _target(output: Path | None) -> Iterator[BinaryIO]:
    """Yield stdout, or a file that gets its name once it is complete."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output} can't be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    say(f"Written: {output}", err=True)
