"""A window with a filled archive: 90 plausible days until now."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert

from service.archive.engine import open_engine
from service.archive.schema import SURVEY
from service.archive.store import open_archive
from service.records.due_archive import DueArchive
from service.records.names import Names, NamesInDixa
from service.records.records import Records
from service.surveys.retention import ArchiveRetention
from tests.processes import patient
from tests.reports.rows import AGENTS, QUEUES, plausible_rows
from tests.web.operator.window_client import make_window

_FIRST = ("Ida", "Jonas", "Maja", "Emil", "Freja", "Anton", "Sofie", "Karl")
_LAST = ("Holm", "Lund", "Berg", "Dahl", "Krogh")
NAMES = NamesInDixa(
    {agent_id: f"{_FIRST[place % 8]} {_LAST[place // 8]}" for place, agent_id in enumerate(AGENTS)}, QUEUES
)


def fill(url: str, rows: Iterable[dict[str, Any]]) -> str:
    """Make an archive with these rows. Return its id."""
    made = open_archive(url, ArchiveRetention(timedelta(days=1000), timedelta(days=1000), None)).prepare()
    left = iter(rows)
    with open_engine(url, writes=True).begin() as connection:
        while batch := [*islice(left, 10_000)]:
            connection.execute(insert(SURVEY), batch)
    return made


def make_filled_window(redis_url: str, folder: Path, size: int = 6_000, **environ: str) -> FlaskClient:
    """Make a window with this number of surveys, and the names of their agents and queues."""
    now = datetime.now(UTC)
    url = f"sqlite:///{folder}/archive.db"
    archive = fill(url, plausible_rows(size, now - timedelta(days=90), now))
    records = Records(patient(redis_url), lease=timedelta(minutes=1), keep=timedelta(days=90))
    Names.beside(records).store(NAMES)
    DueArchive.beside(records).restart(archive)
    return make_window(redis_url, **{"ARCHIVE_URL": url, "DIXA_APP_URL": "https://northwind.dixa.com"} | environ)
