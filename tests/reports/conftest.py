import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, insert

from service.archive.schema import METADATA, SURVEY
from tests.postgres import open_postgres


class FilledArchive:
    """An archive that is filled again for each example."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        METADATA.create_all(engine)

    def fill(self, rows: Sequence[dict[str, Any]]) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(SURVEY))
            if rows:
                connection.execute(insert(SURVEY), rows)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledArchive]:
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('archive')}/archive.db")
        yield FilledArchive(engine)
        engine.dispose()
        return
    with open_postgres() as server:
        if server is None:
            if os.environ.get("CI"):
                pytest.fail("PostgreSQL is not installed.")
            pytest.skip("PostgreSQL is not installed.")
        engine = create_engine(server.make_database().replace("postgresql:", "postgresql+psycopg:"))
        yield FilledArchive(engine)
        engine.dispose()
