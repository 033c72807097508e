from collections import Counter

import pytest

from tests.bench.load import Load, drive
from tests.receiver import DROP, Receiver, receiving


def posts(receiver: Receiver, length: int) -> tuple[int, list[bytes]]:
    port = int(receiver.url.rpartition(":")[2])
    head = "POST /load HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n{}"
    bodies = [f'{{"number": {number}}}' for number in range(length)]
    return port, [head.format(len(body), body).encode() for body in bodies]


@pytest.mark.parametrize("connections", [1, 3, 5])
def test_load_sends_every_request_once(connections: int) -> None:
    with receiving() as receiver:
        port, requests = posts(receiver, 4)
        load = drive(port, requests, connections=connections)
        assert sorted(post.body["number"] for post in receiver.posts) == list(range(4))
    assert load.statuses == {204: 4}
    assert len(load.latencies) == 4


def test_load_sends_a_request_again_if_the_server_closes_the_connection() -> None:
    with receiving() as receiver:
        receiver.next["/load"] = [DROP]
        port, requests = posts(receiver, 3)
        load = drive(port, requests, connections=1)
        assert [post.body["number"] for post in receiver.posts] == [0, 0, 1, 2]
    assert load.statuses == {204: 3}


def test_load_ends_when_its_time_is_up() -> None:
    with receiving() as receiver:
        port, requests = posts(receiver, 5)
        assert drive(port, requests, connections=2, seconds=0).statuses == {204: 2}


def test_load_counts_each_status() -> None:
    with receiving() as receiver:
        receiver.next["/load"] = [204, 503, 503]
        port, requests = posts(receiver, 4)
        load = drive(port, requests, connections=1)
    assert load.statuses == {204: 2, 503: 2}
    with pytest.raises(AssertionError):
        load.require(204)


def test_load_has_rate_and_latencies() -> None:
    load = Load(2.0, [number / 1000 for number in range(1, 101)], Counter({200: 100}), 0)
    assert load.rate == 50
    assert [load.latency_ms(share) for share in (0.5, 0.99, 1.0)] == [51, 100, 100]
