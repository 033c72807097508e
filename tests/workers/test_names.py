"""The names of agents and queues: fetched once a day by one worker."""

from datetime import timedelta

import pytest
import redis

from service.dixa.client import DixaClient
from service.dixa.low_priority import LowPriorityDixa
from service.records.names import Names
from service.records.records import Records
from service.sandbox.server import Sandbox
from service.surveys.errors import CallError
from workers.names import NamesLoop

DAY = timedelta(days=1)


@pytest.fixture
def names(records: Records) -> Names:
    return Names.beside(records)


@pytest.fixture
def loop(names: Names, client: DixaClient) -> NamesLoop:
    return NamesLoop(names, client, lambda wait: LowPriorityDixa(client, 1000, wait))


def test_names_of_all_agents_and_queues_are_known(loop: NamesLoop, names: Names, dixa: Sandbox) -> None:
    dixa.make_conversation(queue="Returns")
    loop.step()
    found = names.read()
    assert found.agents == {each.id: each.name for each in dixa.state.agents}
    assert "Returns" in found.queues.values()


def test_names_are_fetched_once_a_day(loop: NamesLoop, names: Names, dixa: Sandbox) -> None:
    loop.step()
    loop.step()
    assert [each.call for each in dixa.calls].count("agents") == 1
    left = names._redis.pttl(names._fresh_key)
    assert DAY - timedelta(minutes=1) < timedelta(milliseconds=left) <= DAY


def test_only_one_worker_fetches_them(names: Names) -> None:
    assert [names.claim(), names.claim()] == [True, False]


def test_failed_fetch_comes_again_in_minutes(
    loop: NamesLoop, names: Names, dixa: Sandbox, redis_client: redis.Redis
) -> None:
    dixa.fails(4, 403, call="agents")
    with pytest.raises(CallError):
        loop.step()
    assert names.read().agents == {}
    assert redis_client.pttl(names._fresh_key) <= 600_000


def test_agent_who_has_left_is_forgotten(loop: NamesLoop, names: Names, redis_client: redis.Redis) -> None:
    redis_client.hset(names._key, "agent:gone", "Gone")
    loop.step()
    assert "gone" not in names.read().agents
