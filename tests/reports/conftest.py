from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert

from service.archive.engine import open_engine
from service.archive.schema import SURVEY
from service.archive.store import open_archive
from service.surveys.retention import ArchiveRetention


class FilledArchive:
    """An archive that is filled again for each example."""

    def __init__(self, url: str) -> None:
        open_archive(url, ArchiveRetention(timedelta(days=1000), timedelta(days=1000), None)).prepare()
        self._writing = open_engine(url, writes=True)
        self.engine: Engine = open_engine(url)

    def fill(self, rows: Sequence[dict[str, Any]]) -> None:
        with self._writing.begin() as connection:
            connection.execute(delete(SURVEY))
            if rows:
                connection.execute(insert(SURVEY), rows)


@pytest.fixture
def archive(archive_url: str) -> FilledArchive:
    return FilledArchive(archive_url)
