"""With REDIS_REPLICAS, nothing is acknowledged and no call is announced unless the replica has it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis

from service.records import confirmation
from service.records.confirmation import ConfirmingRedis, Unconfirmed
from service.records.opt_outs import HashedOptOuts
from service.records.outcomes import Outcome
from service.records.records import Records
from service.records.redis import RecordsRefused, RecordsUnconfirmed, connect
from service.records.short_links import ShortLinks
from service.surveys.model import Change, Claim, Decision
from service.surveys.on_answer import OnAnswer
from service.surveys.reasons import Reason
from service.surveys.retention import Retention
from service.surveys.states import ActionState, ChangeKind, Journey, OfferState, Verdict
from tests.harness import AT_ONCE, CSAT
from tests.moments import moment
from tests.processes import patient
from tests.records.steps import DAY, MINUTE, SURVEY_ID, answer, claim, close_of, load, offer
from tests.replicas import Pair, pair


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as started:
        yield started


@pytest.fixture
def client(servers: Pair) -> Iterator[ConfirmingRedis]:
    opened = patient(servers.primary.url)
    opened.flushall()
    opened.replicas = 1
    yield opened
    opened.close()


@pytest.fixture
def records(client: ConfirmingRedis) -> Records:
    return Records(client, lease=MINUTE, keep=90 * DAY, retention=Retention(DAY, DAY, DAY, DAY), mail_budget=MINUTE)


CONFIRM = "afterword:confirm"
CLOSE = close_of(ago=MINUTE)
ALERTING = replace(AT_ONCE, on_answer=(OnAnswer((4,), CSAT, slack=True),))


def accept(records: Records) -> Outcome:
    return records.accept(CLOSE, [ALERTING])[0]


def decided(records: Records) -> Claim:
    accept(records)
    found = claim(records)
    records.decide(found, Decision(Verdict.ASK), "en")
    return found


def offered(records: Records) -> Claim:
    found = decided(records)
    records.begin_call(found, CSAT, [], timedelta())
    records.offered(found, CSAT, "rating")
    return found


def delivering(records: Records) -> Claim:
    found = offered(records)
    records.begin_delivery(found, "email")
    return found


def following(records: Records) -> Claim:
    accept(records)
    offer(records)
    answer(records)
    return claim(records, Journey.FOLLOW_UP)


def failed(records: Records) -> None:
    records.fail(decided(records), Reason.REFUSED)


def nothing(_: Records) -> None: ...


def take_back(records: Records) -> Outcome:
    return records.cancel(Change(48213, ChangeKind.REOPENED, moment()), OfferState.CANCELLED, Reason.REOPENED)


WRITES: dict[str, tuple[Callable[[Records], Any], Callable[[Records, Any], object]]] = {
    "accept": (nothing, lambda records, _: accept(records)),
    "accept again": (accept, lambda records, _: accept(records)),
    "cancel": (accept, lambda records, _: take_back(records)),
    "cancel too late": (offered, lambda records, _: take_back(records)),
    "save_answer": (nothing, lambda records, _: answer(records)),
    "save_answer again": (answer, lambda records, _: answer(records)),
    "extend": (answer, lambda records, _: records.extend(SURVEY_ID, AT_ONCE)),
    "opt out": (nothing, lambda records, _: HashedOptOuts.beside(records).add("id")),
    "opt in": (nothing, lambda records, _: HashedOptOuts.beside(records).remove("id")),
    "short link": (nothing, lambda records, _: ShortLinks(records._redis, "").shorten(SURVEY_ID, "/link", DAY)),
    "retry": (failed, lambda records, _: records.retry(Journey.OFFER, SURVEY_ID)),
    "erase": (accept, lambda records, _: records.erase(load(records))),
    "pause": (nothing, lambda records, _: records.pause()),
    "resume": (Records.pause, lambda records, _: records.resume()),
    "mark_restored": (nothing, lambda records, _: records.mark_restored()),
    "ping": (nothing, lambda records, _: records.ping()),
    "claim": (accept, lambda records, _: claim(records)),
    "begin_call": (decided, lambda records, found: records.begin_call(found, CSAT, [], timedelta())),
    "begin_delivery": (offered, lambda records, found: records.begin_delivery(found, "email")),
    "begin_email": (delivering, lambda records, _: records.begin_email(SURVEY_ID)),
    "begin an action": (following, lambda records, found: records.set_action(found, "slack", ActionState.BEGUN)),
}
"""Each write that is acknowledged, or announces a call, with what comes before it."""


@pytest.mark.parametrize("name", WRITES)
def test_a_write_counts_only_if_the_replica_has_it(servers: Pair, records: Records, name: str) -> None:
    prepare, write = WRITES[name]
    given = prepare(records)
    with servers.without_replica(), pytest.raises(RecordsUnconfirmed, match=r"REDIS_REPLICAS is 1, .* in time: 0"):
        write(records, given)


@pytest.mark.parametrize("name", WRITES)
def test_a_confirmed_write_is_in_the_replica(servers: Pair, records: Records, name: str) -> None:
    prepare, write = WRITES[name]
    given = prepare(records)
    with redis.Redis(port=servers.replica.port) as replica:
        records._redis.delete(CONFIRM)
        assert servers.is_in_sync()
        assert not replica.exists(CONFIRM)
        write(records, given)
        assert replica.exists(CONFIRM), "written after the transition"


def test_work_done_before_is_confirmed_as_well(servers: Pair, records: Records) -> None:
    """A duplicate writes nothing, so WAIT alone would return at once."""
    with servers.without_replica():
        for _ in range(3):
            with pytest.raises(RecordsUnconfirmed):
                accept(records)
    assert accept(records) is Outcome.DUPLICATE


def test_an_email_that_was_not_sent_is_begun_again(servers: Pair, records: Records) -> None:
    delivering(records)
    with servers.without_replica(), pytest.raises(RecordsUnconfirmed):
        records.begin_email(SURVEY_ID)
    assert load(records).offer.mailed_at is None
    assert records.begin_email(SURVEY_ID)


def test_an_email_that_another_worker_has_begun_stays_begun(servers: Pair, records: Records) -> None:
    delivering(records)
    assert records.begin_email(SURVEY_ID)
    with servers.without_replica(), pytest.raises(RecordsUnconfirmed):
        records.begin_email(SURVEY_ID)
    assert load(records).offer.mailed_at


def test_an_action_that_was_not_done_waits(servers: Pair, records: Records) -> None:
    found = following(records)
    with servers.without_replica(), pytest.raises(RecordsUnconfirmed):
        records.set_action(found, "slack", ActionState.BEGUN)
    progress = load(records).follow_up
    assert progress
    assert progress.actions["slack"].state is ActionState.WAITING
    assert records.set_action(found, "slack", ActionState.BEGUN)


def test_all_replicas_asked_for_have_to_confirm(client: ConfirmingRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    client.replicas = 2
    monkeypatch.setattr(confirmation, "WAIT_MS", 1000)
    with pytest.raises(Unconfirmed, match="in time: 1") as found:
        client.run_confirmed("SET", "key", 1)
    assert found.value.response is True


def test_an_error_of_the_write_is_its_own(client: ConfirmingRedis) -> None:
    client.set("text", "a")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.run_confirmed("HSET", "text", "field", 1)


def test_a_redis_that_refuses_wait_confirms_nothing(servers: Pair, client: ConfirmingRedis) -> None:
    client.acl_setuser("few", enabled=True, nopass=True, keys="*", commands=["+@all", "-wait"])
    few = connect(servers.primary.url.replace("//", "//few:any@"), replicas=1)
    with pytest.raises(RecordsRefused):
        Records(few, lease=MINUTE, keep=DAY).ping()
    few.close()


WAIT_MS = confirmation.WAIT_MS
"""That of production."""


def test_waiting_for_replicas_ends_before_the_timeout_of_a_response() -> None:
    client = connect("redis://localhost")
    assert 1000 * client.connection_pool.connection_kwargs["socket_timeout"] > WAIT_MS
