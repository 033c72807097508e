"""Fixtures of the e-mails."""

from collections.abc import Iterator

import pytest

from config.endpoints import SmtpServer
from tests.smtp import Post, post_office


@pytest.fixture
def post() -> Iterator[tuple[Post, SmtpServer]]:
    with post_office() as opened:
        yield opened
