"""What is said of a Redis that can lose what it acknowledged."""

import pytest

from service.surveys.durability import find_problems
from service.surveys.records import Records

SAFE_INFO = {"redis_version": "7.2.4", "aof_enabled": 1, "maxmemory": 1000, "used_memory": 100}
SAFE_CONFIG = {"appendfsync": "always", "maxmemory-policy": "noeviction", "maxmemory": "1000"}


def test_a_safe_redis_has_no_problem() -> None:
    assert not [*find_problems(SAFE_INFO, SAFE_CONFIG)]


@pytest.mark.parametrize(
    ("info", "config", "word"),
    [
        ({"redis_version": "6.0.16"}, {}, "too old"),
        ({"redis_version": "5.9"}, {}, "too old"),
        ({"aof_enabled": 0}, {}, "appendonly yes"),
        ({}, {"appendfsync": "everysec"}, "appendfsync always"),
        ({}, {"maxmemory-policy": "allkeys-lru"}, "noeviction"),
        ({"used_memory": 950}, {}, "95 %"),
    ],
)
def test_each_problem_is_named_with_the_way_out(info: dict[str, object], config: dict[str, str], word: str) -> None:
    found = [*find_problems(SAFE_INFO | info, SAFE_CONFIG | config)]
    assert len(found) == 1
    assert word in found[0]


def test_an_eviction_policy_without_a_limit_does_no_harm() -> None:
    assert not [*find_problems(SAFE_INFO, SAFE_CONFIG | {"maxmemory-policy": "allkeys-lru", "maxmemory": "0"})]


def test_a_redis_that_hides_its_settings_is_told_so() -> None:
    assert "CONFIG GET is forbidden" in next(find_problems(SAFE_INFO, {}))


def test_the_redis_of_the_tests_is_safe(records: Records) -> None:
    assert records.problems() == []
