"""Publishing to the same Redis that the records are in, however its URL is written."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from service.queue import CeleryQueue, make_app
from service.surveys.model import Journey
from service.surveys.store import connect
from tests.running import RedisServer

PASSWORD = "p@ss/w:rd%41"


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """The socket of a Redis that wants a password."""
    path = tmp_path / "redis.sock"
    server = RedisServer(tmp_path, "--unixsocket", str(path))
    server.start()
    redis.Redis(port=server.port).config_set("requirepass", PASSWORD)
    yield path
    server.stop()


@pytest.mark.parametrize("url", ["unix://:{}@{}", "unix://default:{}@{}?db=3", "unix://{1}?password={0}&db=3"])
def test_a_socket_with_a_password(socket: Path, url: str) -> None:
    written = url.format("p%40ss%2Fw%3Ard%2541", socket)
    assert connect(written).ping()
    queue = CeleryQueue(make_app(written))
    queue.publish(Journey.OFFER, "48201")
    assert queue.length() == 1
    assert connect(written).keys("*") != []
