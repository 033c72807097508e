"""The queue uses the Redis of the records, in every form of its URL."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import redis
import trustme

from service.queue import check_connection, make_app
from service.records.redis import connect
from service.surveys.states import Journey
from tests.polling import eventually
from tests.processes import Afterword, RedisServer, settings_for
from tests.sentinels import watched
from tests.tasks import KEY, push_task
from tests.tls import tls_front

PASSWORD = "p@ss/w:rd%41"


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """The socket of a Redis with a password."""
    path = tmp_path / "redis.sock"
    server = RedisServer(tmp_path, "--unixsocket", str(path))
    server.start()
    redis.Redis(port=server.port).config_set("requirepass", PASSWORD)
    yield path
    server.stop()


@pytest.mark.parametrize("url", ["unix://:{}@{}", "unix://default:{}@{}?db=3", "unix://{1}?password={0}&db=3"])
def test_queue_works_over_a_socket_with_a_password(socket: Path, url: str) -> None:
    written = url.format("p%40ss%2Fw%3Ard%2541", socket)
    assert connect(written).ping()
    check_connection(make_app(written))


@pytest.mark.parametrize("url", ["redis://h", "redis://u:p@h:6379/15", "redis://[::1]:6379/1", "redis:///2"])
def test_url_without_options_is_unchanged(url: str) -> None:
    assert make_app(url).conf.broker_url == url


@pytest.mark.parametrize("given", ["", "&db=3", "&username=default&password=p%40ss%2Fw%3Ard%2541"])
def test_web_and_worker_work_with_a_redis_without_hello(own_redis: RedisServer, tmp_path: Path, given: str) -> None:
    """`protocol=2` avoids HELLO, which some proxies don't support."""
    client = redis.Redis(port=own_redis.port, protocol=2)
    client.acl_setuser(
        "default", enabled=True, passwords=[f"+{PASSWORD}"] if "pass" in given else [], commands=["-hello"]
    )
    assert_both_work(f"redis://127.0.0.1:{own_redis.port}?protocol=2{given}", tmp_path)


def test_web_and_worker_work_with_a_private_ca_and_client_certificate(own_redis: RedisServer, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("redis.example").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue_cert("afterword.example")
    files = {name: tmp_path / f"{name} 1.pem" for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")}
    authority.cert_pem.write_to_path(str(files["ssl_ca_certs"]))
    ours.cert_chain_pems[0].write_to_path(str(files["ssl_certfile"]))
    ours.private_key_pem.write_to_path(str(files["ssl_keyfile"]))
    with tls_front(context, own_redis.port) as port:
        # The certificate has another host name.
        options = urlencode(files | {"ssl_check_hostname": "false", "protocol": "3"})
        assert_both_work(f"rediss://127.0.0.1:{port}/1?{options}", tmp_path)


def test_web_and_worker_work_with_an_unchecked_certificate(own_redis: RedisServer, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("redis.example").configure_cert(context)
    with tls_front(context, own_redis.port) as port:
        assert_both_work(f"rediss://127.0.0.1:{port}/1?ssl_cert_reqs=none", tmp_path)


def test_web_and_worker_work_with_sentinels(tmp_path: Path) -> None:
    with watched(tmp_path / "nodes") as nodes:
        assert_both_work(nodes.url, tmp_path)


def assert_both_work(url: str, folder: Path) -> None:
    """redis-py queues a task, and kombu takes it in another process."""
    assert settings_for(url).redis_url == url
    client = connect(url)
    push_task(client, Journey.OFFER, "48201")
    afterword = Afterword(folder, {"REDIS_URL": url}).start("worker")
    try:
        eventually(lambda: client.llen(KEY) == 0)
        assert "redis.unavailable" not in afterword.log
    finally:
        afterword.stop()
