"""A report and the stamp are of one moment, whatever is written meanwhile."""

from typing import Any

import pytest
from sqlalchemy import func, select

from service.archive.engine import ArchiveUnavailable, open_engine
from service.archive.schema import SURVEY
from service.reports.reading import read_report
from tests.reports.conftest import FilledArchive
from tests.reports.random_rows import NOW
from tests.reports.rows import row_with


def test_queries_of_a_report_see_the_same_rows(archive: FilledArchive) -> None:
    count = select(func.count()).select_from(SURVEY)

    def read(connection: Any) -> list[int]:
        first = connection.execute(count).scalar_one()
        archive.fill([row_with(survey_id="1", survey="default", state="waiting", closed_at=NOW)])
        return [first, connection.execute(count).scalar_one()]

    archive.fill([])
    assert read_report(archive.engine, read).report == [0, 0]
    assert read_report(archive.engine, lambda connection: connection.execute(count).scalar_one()).report == 1


def test_database_without_tables_is_no_archive(tmp_path: Any) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(ArchiveUnavailable):
        read_report(open_engine(f"sqlite:///{tmp_path}/empty.db"), lambda connection: None)
