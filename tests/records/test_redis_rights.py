"""Redis users with few rights: each missing right is reported, and the listed rights are enough."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from service.records.confirmation import ConfirmingRedis
from service.records.records import Records
from service.records.redis import RecordsUnavailable, Store, connect
from service.records.redis_check import COMMANDS, REPLICATION_COMMANDS, find_missing_rights
from service.surveys.states import Journey
from tests.harness import AT_ONCE
from tests.processes import ROOT, RedisServer
from tests.records.steps import MINUTE, SURVEY_ID, answer, close_of

PASSWORD = "of-a-user-with-few-rights"


@pytest.fixture
def admin(own_redis: RedisServer) -> Iterator[redis.Redis]:
    opened = redis.Redis(port=own_redis.port)
    yield opened
    opened.close()


def user(admin: redis.Redis, *commands: str, keys: str = "afterword:*", database: int = 0) -> ConfirmingRedis:
    """Create a user with these commands only."""
    admin.acl_setuser(
        "few",
        enabled=True,
        reset=True,
        passwords=[f"+{PASSWORD}"],
        keys=[keys],
        commands=[f"+{each.lower()}" for each in commands],
    )
    return connect(f"redis://few:{PASSWORD}@127.0.0.1:{admin.connection_pool.connection_kwargs['port']}/{database}")


def test_a_user_with_all_rights_lacks_nothing(admin: redis.Redis) -> None:
    client = user(admin, *COMMANDS)
    assert [*find_missing_rights(client)] == []
    assert not Store(client).unusable()
    assert admin.keys("*") == []
    assert client.ping()
    client.close()


@pytest.mark.parametrize("missing", COMMANDS)
def test_each_missing_command_is_reported_alone(admin: redis.Redis, missing: str) -> None:
    client = user(admin, *(each for each in COMMANDS if each != missing))
    (found,) = find_missing_rights(client)
    assert f"may not run {missing}: allow it that (ACL SETUSER … +{missing.lower()})" in found
    assert Store(client).unusable() == found
    client.close()


def test_missing_rights_to_keys_are_reported_with_our_prefix(admin: redis.Redis) -> None:
    client = user(admin, *COMMANDS, keys="other:*")
    (found,) = find_missing_rights(client)
    assert "~afterword:*" in found
    client.close()


def test_a_user_without_select_is_reported(admin: redis.Redis) -> None:
    client = user(admin, *COMMANDS, database=1)
    (found,) = find_missing_rights(client)
    assert "may not run SELECT" in found
    assert Store(client).unusable() == found
    client.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_full_redis_or_a_replica_is_no_missing_right(admin: redis.Redis, *, full: bool) -> None:
    if full:
        admin.config_set("maxmemory", 1)
    else:
        admin.replicaof("127.0.0.1", 1)
    client = user(admin, *COMMANDS)
    assert not Store(client).unusable()
    client.close()


def test_wait_is_needed_for_replicas_only(admin: redis.Redis) -> None:
    client = user(admin, *COMMANDS)
    assert [*find_missing_rights(client)] == []
    client.replicas = 1
    (found,) = find_missing_rights(client)
    assert "may not run WAIT: allow it that (ACL SETUSER … +wait)" in found
    assert Store(client).unusable() == found
    client.close()


def test_a_redis_without_wait_is_reported(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, "--rename-command", "WAIT", "")
    server.start()
    client = connect(server.url, replicas=1)
    assert "doesn't know WAIT, which REDIS_REPLICAS needs" in Store(client).unusable()
    client.close()
    server.stop()


CLOSE = close_of(ago=MINUTE)


def accept_close(records: Records) -> str:
    return records.accept(CLOSE, [AT_ONCE])[0]


@pytest.mark.parametrize(
    ("take", "taken", "journey"), [(accept_close, "accepted", Journey.OFFER), (answer, "saved", Journey.ANSWER)]
)
def test_a_write_refused_for_a_missing_right_succeeds_later(
    admin: redis.Redis, take: Callable[[Records], str], taken: str, journey: Journey
) -> None:
    """After half a write the spooled entry would be a duplicate, and its survey never due."""
    client = user(admin, *COMMANDS)
    records = Records(client, lease=MINUTE, keep=MINUTE)
    admin.acl_setuser("few", enabled=True, commands=["-zadd"])
    with pytest.raises(RecordsUnavailable):
        take(records)
    admin.acl_setuser("few", enabled=True, commands=["+zadd"])
    assert take(records) == taken
    assert admin.zscore(f"afterword:due:{journey}", SURVEY_ID)
    client.close()


def test_the_list_contains_the_commands_of_the_code_and_no_others() -> None:
    """Commands of the scripts and of the client. Another test runs a complete survey, with kombu, as such a user."""
    scripts = "".join(each.read_text() for each in (ROOT / "service").rglob("*.lua"))
    code = "".join(each.read_text() for each in (ROOT / "service").rglob("*.py"))
    used = set(re.findall(r"redis\.p?call\('([A-Z]+)'", scripts))
    used |= {each.upper() for each in re.findall(r"(?:_redis|pipeline)\.([a-z_]+)\(", code)}
    # Redis may refuse these commands without harm.
    needed = used - {"BGREWRITEAOF", "CONFIG_GET", "INFO", "PIPELINE", "EXECUTE", "EXECUTE_COMMAND", "DELETE"}
    assert needed - {*COMMANDS, *REPLICATION_COMMANDS} == set()
    of_libraries = {"BRPOP", "EVALSHA", "EXEC", "MULTI", "INCRBY", "PING", "RPUSH", "SCRIPT"}
    named = used | set(re.findall(r"'([A-Z]+)'", scripts))
    assert set(COMMANDS) - named == of_libraries
