"""The search for missed closes in the worker: each stretch once, by one worker, again after a failure."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from service.dixa.errors import TokenRefused
from service.dixa.events import load_event
from service.records.missed import MissedBookmark
from service.records.records import Records
from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.model import Exchange
from service.sandbox.dixa.subscriptions import Subscription
from service.sandbox.server import Sandbox
from service.surveys.reasons import Reason
from service.surveys.states import FoundBy
from tests.polling import eventually
from tests.processes import PUBLIC_URL, WEBHOOK_SECRET, RedisServer, patient, settings_for
from workers.app import build
from workers.missed import MissedLoop

MINUTE = timedelta(minutes=1)
Open = Callable[..., MissedLoop]


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


@pytest.fixture
def keys(redis_url: str) -> Iterator[redis.Redis]:
    client = patient(redis_url)
    yield client
    client.close()


@pytest.fixture
def records(keys: redis.Redis) -> Records:
    return Records(keys, lease=MINUTE, keep=MINUTE)


@pytest.fixture
def open_loop(redis_url: str, dixa: Sandbox) -> Open:
    """Make the loop of a worker. Its steps are run by the test. Dixa has its subscription."""
    subscribe(dixa)

    def open_one(**environ: str) -> MissedLoop:
        quick = {"DIXA_PACE": "5000/100", "DIXA_LAG": "1ms", "DIXA_API_URL": dixa.api_url, "TOKEN_RETRY_AFTER": "10ms"}
        background = build(settings_for(redis_url, **quick | environ)).background
        (loop,) = [each for each in background if isinstance(each, MissedLoop)]
        assert isinstance(loop, MissedLoop)
        return loop

    return open_one


def subscribe(dixa: Sandbox, **facts: Any) -> Subscription:
    """Subscribe with our key. Nothing listens at the URL."""
    made = Subscription("http://127.0.0.1:1/webhooks/dixa", **{"secret": WEBHOOK_SECRET} | facts)
    dixa.state.subscriptions = {made.id: made}
    return made


def look_back(keys: redis.Redis, length: timedelta = 10 * MINUTE) -> None:
    """Move the bookmark back, as if no worker had run since."""
    at = datetime.now(UTC) - length
    keys.hset("afterword:missed", mapping={"until": int(at.timestamp() * 1000), "looked_at": 0})


def searches(dixa: Sandbox) -> int:
    return [each.call for each in dixa.calls].count("search")


def closed(dixa: Sandbox, ago: timedelta = MINUTE, **facts: Any) -> int:
    number = dixa.make_conversation(state="Closed", **facts)
    conversation = dixa.conversation(number)
    conversation.closed_at = conversation.state_updated_at = datetime.now(UTC) - ago
    return number


def test_a_new_installation_takes_no_earlier_close(open_loop: Open, dixa: Sandbox, records: Records) -> None:
    number = closed(dixa)
    loop = open_loop()
    wait = loop.step()
    assert wait
    assert timedelta(minutes=4) < wait <= timedelta(minutes=5)
    assert (records.load(str(number)), dixa.calls) == (None, [])


def test_missed_closes_are_taken_and_counted_once(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    numbers = [closed(dixa) for _ in range(3)]
    look_back(keys)
    loop = open_loop()
    with capture_logs() as logs:
        assert loop.step() == timedelta()
        assert loop.step()
    for number in numbers:
        record = records.load(str(number))
        assert record
        assert record.close
        assert record.close.found_by is FoundBy.SEARCH
    events = [each["event"] for each in logs]
    assert (events.count("close.recovered"), events.count("closes.missed")) == (3, 1)
    status = MissedBookmark.beside(records).status()
    assert status
    assert sum(status.missed.values()) == 3
    assert datetime.now(UTC) - status.until < MINUTE
    assert searches(dixa) == 1
    look_back(keys)
    with capture_logs() as logs:
        loop.step()
    assert logs == []
    assert sum(MissedBookmark.beside(records).status().missed.values()) == 3  # type: ignore[union-attr]


def test_a_lost_webhook_of_the_delivery_log_brings_all_its_facts_and_needs_no_further_call(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    loop = open_loop()
    look_back(keys)
    logged, unlogged = dixa.make_conversation(tags=["vip"]), dixa.make_conversation(tags=["vip"])
    dixa.loses_webhooks(is_logged=True)
    dixa.close(logged)
    dixa.loses_webhooks(is_logged=False)
    dixa.close(unlogged)
    passed = datetime.now(UTC) + timedelta(milliseconds=5)
    eventually(lambda: datetime.now(UTC) > passed)
    assert loop.step() == timedelta()
    found = [records.load(str(number)) for number in (logged, unlogged)]
    closes = [each.close for each in found if each and each.close]
    assert [each.found_by for each in closes] == [FoundBy.DELIVERY_LOG, FoundBy.SEARCH]
    assert [(each.tags, bool(each.event_id)) for each in closes] == [(("vip",), True), (None, False)]
    assert [(each.user_type, len(each.person)) for each in closes] == [("Contact", 3), ("Contact", 3)]
    calls = [each.call for each in dixa.calls]
    assert (calls.count("conversation"), calls.count("subscriptions"), calls.count("delivery_logs")) == (1, 1, 2)
    event = json.loads(dixa.deliveries(logged)[-1].body)
    close = load_event(json.dumps(event).encode(), datetime.now(UTC)).close
    assert close
    assert records.accept(close, [], Reason.CHANNEL)[0] == "duplicate", "its webhook arrives after all"


@pytest.mark.parametrize("facts", [{"enabled": False}, {"secret": "00" * 31 + "01"}, {"events": ["ConversationOpen"]}])
def test_without_a_subscription_of_ours_nothing_is_taken(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis, facts: dict[str, Any]
) -> None:
    """An operator may have ended it, to ask nobody."""
    number = closed(dixa)
    loop = open_loop()
    subscribe(dixa, **facts)
    look_back(keys)
    with capture_logs() as logs:
        assert loop.step() == timedelta()
    assert [each["event"] for each in logs] == ["recover.passed_over"]
    status = MissedBookmark.beside(records).status()
    assert status
    assert "no enabled webhook subscription" in status.problem
    assert (records.load(str(number)), searches(dixa)) == (None, 0)
    subscribe(dixa)
    look_back(keys)
    loop.step()
    assert records.load(str(number))
    assert MissedBookmark.beside(records).status().problem == ""  # type: ignore[union-attr]


def test_a_subscription_with_a_wrong_key_at_our_address_is_ours(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    """Its webhooks are refused."""
    number = closed(dixa)
    loop = open_loop()
    subscribe(dixa, secret="00" * 31 + "01").url = f"{PUBLIC_URL}/webhooks/dixa"
    look_back(keys)
    loop.step()
    assert records.load(str(number))


def test_a_close_outside_of_the_subscription_is_left_alone(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    loop = open_loop()
    condition = {"field": "InitialChannel", "values": ["email"], "_type": "IsOneOf"}
    filters = {"Conversation": {"strategy": "All", "conditions": [condition], "_type": "CombinedFilters"}}
    subscribe(dixa, events=["ConversationClosed"], filters=filters)
    email, sms, abandoned = closed(dixa), closed(dixa, channel="Sms"), closed(dixa, agent=False)
    look_back(keys)
    loop.step()
    assert [records.load(str(number)) is not None for number in (email, sms, abandoned)] == [True, False, False]


def test_two_workers_look_once(open_loop: Open, dixa: Sandbox, keys: redis.Redis) -> None:
    closed(dixa)
    look_back(keys)
    loops = [open_loop() for _ in range(4)]
    threads = [Thread(target=loop.step) for loop in loops]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert searches(dixa) == 1
    assert [each.call for each in dixa.calls].count("conversation") == 1


def test_a_long_absence_is_made_up_for_hour_by_hour(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    old, recent = closed(dixa, timedelta(hours=5)), closed(dixa)
    look_back(keys, timedelta(hours=6))
    loop = open_loop()
    eventually(lambda: loop.step() != timedelta())
    assert all(records.load(str(number)) for number in (old, recent))
    assert searches(dixa) in (6, 7)


def test_a_stretch_comes_again_after_a_failure(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    number = closed(dixa)
    look_back(keys)
    loop = open_loop()
    dixa.fails(times=2, status=401)
    with pytest.raises(TokenRefused):
        loop.step()
    assert not keys.exists("afterword:missed:lease")
    assert loop.step() == timedelta()
    assert records.load(str(number))
    assert not keys.exists("afterword:pace:pause"), "the workers go on"


def test_one_conversation_that_dixa_cannot_show_delays_no_other(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.dixa.low_priority._MAX_PAUSE_SECONDS", 0.0)
    broken, other = closed(dixa), closed(dixa)
    look_back(keys)
    loop = open_loop()
    with capture_logs() as logs:
        for _ in range(5):
            dixa.faults.inject(Fault(Kind.FAILS, 4, "conversation", conversation=broken))
            assert loop.step() is None
        dixa.faults.inject(Fault(Kind.FAILS, 4, "conversation", conversation=broken))
        assert loop.step() == timedelta()
    assert records.load(str(other))
    assert not records.load(str(broken))
    levels = [each["log_level"] for each in logs if each["event"] == "close.unreadable"]
    assert levels == ["warning"] * 5 + ["error"]


def test_a_refused_conversation_is_given_up_at_once(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    closed(dixa)
    look_back(keys)
    dixa.fails(status=404, call="conversation")
    with capture_logs() as logs:
        assert open_loop().step() == timedelta()
    assert "close.unreadable" in [each["event"] for each in logs]


def test_a_stop_ends_a_wait_and_returns_the_stretch(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    """At this pace the second call would wait for 100 seconds."""
    number = closed(dixa)
    look_back(keys)
    loop = open_loop(DIXA_PACE="0.1/1")
    loop.start()
    eventually(lambda: len(dixa.calls) == 1)
    loop.stop()
    eventually(lambda: not keys.exists("afterword:missed:lease"))
    assert records.load(str(number)) is None
    assert open_loop().step() == timedelta()
    assert records.load(str(number))


def test_a_worker_that_has_lost_its_lease_stops(
    open_loop: Open, dixa: Sandbox, records: Records, keys: redis.Redis
) -> None:
    number = closed(dixa)
    look_back(keys)
    until = keys.hget("afterword:missed", "until")

    def take_lease(_exchange: Exchange) -> None:
        keys.set("afterword:missed:lease", "another")

    dixa.on_exchange.append(take_lease)
    assert open_loop().step() is None
    assert not records.load(str(number))
    assert keys.hget("afterword:missed", "until") == until
    assert keys.get("afterword:missed:lease") == "another"


def test_it_can_be_turned_off(redis_url: str) -> None:
    assert not hasattr(build(settings_for(redis_url, RECOVER_CLOSES="off")), "missed")
