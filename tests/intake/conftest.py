"""Fixtures for the tests of the spool."""

from pathlib import Path

import pytest

from service.intake.spool import Spool
from tests.intake.folders import open_spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return open_spool(tmp_path / "spool")
