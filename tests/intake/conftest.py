"""A spool in a folder of the test."""

from pathlib import Path

import pytest

from service.intake.spool import Spool
from tests.intake.folders import opened


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return opened(tmp_path / "spool")
