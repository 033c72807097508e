"""Commands of concurrent requests share round trips, and nothing else: no error, no response, no end of a thread."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from service.records.auto_pipelining import AutoPipeliningRedis
from service.records.confirmation import Unconfirmed
from service.records.redis_pool import Pool
from tests.polling import eventually
from tests.processes import RedisServer
from tests.replicas import Pair, pair

SEVERAL = 8


class Interrupted(BaseException):
    """The end of a thread: as with a killed greenlet, no `except Exception` catches it."""


class Group:
    """A client, and threads that use it while the first round trip is held back."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.client = AutoPipeliningRedis(connection_pool=Pool.from_url(server.url, decode_responses=True))
        self.other = redis.Redis.from_url(server.url, decode_responses=True)
        self.threads = ThreadPoolExecutor(SEVERAL + 2)

    def begin(self, waiting: Callable[[], Any] | None = None) -> Future[Any]:
        """Begin a round trip that lasts until `end`."""
        held = self.threads.submit(waiting or (lambda: self.client.blpop("gate")))
        eventually(lambda: self.other.info("clients")["blocked_clients"] == 1)
        return held

    def end(self) -> None:
        self.other.rpush("gate", "open")

    def gather(self, *calls: Callable[[], Any]) -> list[Future[Any]]:
        """Call in threads. Return when all calls wait for the round trip to end."""
        before = self.waiting()
        futures = [self.threads.submit(call) for call in calls]
        eventually(lambda: self.waiting() == before + len(calls))
        return futures

    def waiting(self) -> int:
        # Nothing that Redis or a caller can see shows it.
        return len(self.client._gathered)

    def reads(self) -> int:
        return int(self.other.info("stats")["total_reads_processed"])


@pytest.fixture
def group(own_redis: RedisServer) -> Iterator[Group]:
    opened = Group(own_redis)
    yield opened
    own_redis.stop()  # A failed test leaves threads that wait for a response.
    opened.threads.shutdown()
    opened.client.close()
    opened.other.close()


def test_a_command_alone_is_sent_at_once(group: Group) -> None:
    assert group.client.set("a", 1) is True
    assert group.client.get("a") == "1"


def test_commands_that_gather_share_a_round_trip(group: Group) -> None:
    for n in range(SEVERAL):
        group.other.hset(f"hash-{n}", "field", n)
    group.begin()
    gathered = group.gather(*(lambda n=n: group.client.hgetall(f"hash-{n}") for n in range(SEVERAL)))
    before = group.reads()
    group.end()
    assert [each.result() for each in gathered] == [{"field": str(n)} for n in range(SEVERAL)]
    assert group.reads() - before == 3, "the end, all commands, and this question"


def test_each_command_has_its_own_error(group: Group) -> None:
    script = group.client.register_script("return 'ran'")
    group.other.set("text", "a")
    group.begin()
    wrong, unknown, right = group.gather(lambda: group.client.hgetall("text"), script, lambda: group.client.get("text"))
    group.end()
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        wrong.result()
    assert (unknown.result(), right.result()) == ("ran", "a")


def test_an_error_of_a_command_alone_is_its_own(group: Group) -> None:
    group.other.set("text", "a")
    wrong = group.begin(lambda: group.client.brpoplpush("gate", "text"))
    [right] = group.gather(lambda: group.client.get("text"))
    group.end()
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        wrong.result()
    assert right.result() == "a"


def test_an_argument_that_cannot_be_sent_fails_alone(group: Group) -> None:
    group.begin()
    with pytest.raises(UnicodeEncodeError):
        group.client.get("\ud800")
    [right] = group.gather(lambda: group.client.exists("text"))
    group.end()
    assert right.result() == 0


def test_without_redis_all_fail_together_and_the_next_command_tries_again(group: Group) -> None:
    held = group.begin()
    gathered = group.gather(*[lambda: group.client.get("a")] * SEVERAL)
    group.server.stop()
    error = held.exception()
    assert isinstance(error, redis.ConnectionError)
    assert all(each.exception() is error for each in gathered), "none has waited for a second failure"
    group.server.start()
    assert group.client.set("a", 1) is True


def test_when_a_sending_thread_ends_its_round_trip_fails_and_the_next_one_is_sent(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, end = threading.Event(), threading.Event()
    get_connection = group.client.connection_pool.get_connection

    def interrupt(*_args: object, **_options: object) -> None:
        monkeypatch.setattr(group.client.connection_pool, "get_connection", get_connection)
        entered.set()
        end.wait()
        raise Interrupted

    group.begin()
    sender, sent_with_it = group.gather(*[lambda: group.client.get("a")] * 2)
    monkeypatch.setattr(group.client.connection_pool, "get_connection", interrupt)
    group.end()
    assert entered.wait(240)
    gathered = group.gather(*[lambda: group.client.get("a")] * SEVERAL)
    end.set()
    with pytest.raises(Interrupted):
        sender.result()
    with pytest.raises(redis.ConnectionError, match="interrupted"):
        sent_with_it.result()
    assert [each.result() for each in gathered] == [None] * SEVERAL


def test_when_a_waiting_thread_ends_its_command_is_not_sent(group: Group) -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise Interrupted

    def interrupt_main_when_it_waits() -> None:
        eventually(lambda: group.waiting() == 1)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        held = group.begin()
        interrupting = group.threads.submit(interrupt_main_when_it_waits)
        with pytest.raises(Interrupted):
            group.client.set("a", 1)
        interrupting.result()
    finally:
        signal.signal(signal.SIGUSR1, before)
    group.end()
    held.result()
    assert group.client.get("a") is None


@pytest.fixture
def confirming(tmp_path: Path) -> Iterator[tuple[Pair, Group]]:
    """A group whose writes one replica has to confirm."""
    with pair(tmp_path) as servers:
        opened = Group(servers.primary)
        opened.client.replicas = 1
        yield servers, opened
        opened.threads.shutdown()
        opened.client.close()
        opened.other.close()


def test_one_wait_confirms_all_writes_of_a_round_trip(confirming: tuple[Pair, Group]) -> None:
    _, group = confirming
    group.begin()
    gathered = group.gather(*(lambda n=n: group.client.run_confirmed("SET", f"key-{n}", n) for n in range(SEVERAL)))
    before = {name: each["calls"] for name, each in group.other.info("commandstats").items()}
    group.end()
    assert [each.result() for each in gathered] == [True] * SEVERAL
    after = {name: each["calls"] for name, each in group.other.info("commandstats").items()}
    assert after["cmdstat_wait"] - before["cmdstat_wait"] == 1
    assert after["cmdstat_set"] - before["cmdstat_set"] == SEVERAL + 1


def test_without_the_replica_only_the_writes_to_be_confirmed_fail(
    confirming: tuple[Pair, Group],
) -> None:
    servers, group = confirming
    group.other.set("text", "a")
    group.begin()
    with servers.without_replica():
        confirmed, wrong, read, write = group.gather(
            lambda: group.client.run_confirmed("SET", "key", 1),
            lambda: group.client.run_confirmed("HSET", "text", "field", 1),
            lambda: group.client.get("text"),
            lambda: group.client.set("other", 1),
        )
        group.end()
        error = confirmed.exception()
        assert isinstance(error, Unconfirmed)
        assert error.response is True
        with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
            wrong.result()
        assert (read.result(), write.result()) == ("a", True)
        with pytest.raises(Unconfirmed):
            group.client.run_confirmed("SET", "alone", 1)
    assert group.client.run_confirmed("SET", "alone", 1) is True


def test_without_replicas_a_confirmed_write_is_a_plain_one(group: Group) -> None:
    assert group.client.run_confirmed("SET", "key", 1) is True
    assert group.other.keys("*") == ["key"]
