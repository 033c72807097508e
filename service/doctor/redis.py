"""Checks of Redis: that it responds, takes writes, and keeps what it acknowledges."""

from collections.abc import Callable, Iterator

from config.redis_urls import find_sentinels
from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.records.redis import RecordsRefused, RecordsUnconfirmed
from service.records.replication_check import find_sentinel_risks

REACHABLE = "redis.reachable"
WRITABLE = "redis.writable"


def _reachable(installation: Installation) -> Iterator[Finding]:
    installation.records.read_clock()
    yield ok("Redis responds")


def _writable(installation: Installation) -> Iterator[Finding]:
    try:
        installation.records.ping()
    except RecordsRefused as error:
        yield fail(f"{error}: Redis responds, but refuses writes", "See the other lines about Redis, and its log")
    except RecordsUnconfirmed as error:
        yield fail(str(error), "See redis.replica, or lower REDIS_REPLICAS")
    else:
        yield ok("Redis takes writes")


def _about(aspect: str, fine: str) -> Callable[[Installation], Iterator[Finding]]:
    """Return a check for the risks of an aspect."""

    def find(installation: Installation) -> Iterator[Finding]:
        found = [each for each in installation.risks if each.aspect == aspect]
        for each in found:
            yield (fail if each.is_present else warn)(each.problem, each.remedy)
        if not found:
            yield ok(fine)

    return find


def _replica(installation: Installation) -> Iterator[Finding]:
    """Say what the loss of this Redis costs."""
    yield from _about("replica", "")(installation) if _has_risk(installation, "replica") else _safety(installation)


def _safety(installation: Installation) -> Iterator[Finding]:
    following = installation.records.count_following()
    if following:
        yield ok(f"a primary with replicas ({following}); a failover loses nothing that was acknowledged")
    else:
        yield ok("a primary without a replica: what is on its disk alone, its machine can lose")


def _has_risk(installation: Installation, aspect: str) -> bool:
    return any(each.aspect == aspect for each in installation.risks)


def _sentinels(installation: Installation) -> Iterator[Finding]:
    found = find_sentinels(installation.settings.redis_url)
    if found is None:
        return
    risks = [*find_sentinel_risks(found)]
    for each in risks:
        yield (fail if each.is_present else warn)(each.problem, each.remedy)
    if not risks:
        yield ok(f"all {len(found.urls)} respond, and can make a failover")


def _memory(installation: Installation) -> Iterator[Finding]:
    yield from _about("memory", "there is room")(installation)
    if installation.onlooker and (saving := installation.records.saving()):
        yield ok(f"a tip: {saving}")


def _rights(installation: Installation) -> Iterator[Finding]:
    missing = installation.records.missing_rights()
    for each in missing:
        problem, _, remedy = each.partition(": ")
        yield fail(problem, remedy)
    if not missing:
        yield ok("the user of REDIS_URL may run all commands")


_NEEDS = (REACHABLE,)

CHEAP = (
    Check(REACHABLE, _reachable),
    Check(WRITABLE, _writable, _NEEDS),
    Check("redis.cluster", _about("cluster", "no Redis Cluster"), _NEEDS),
    Check("redis.version", _about("version", "new enough"), _NEEDS),
    Check("redis.persistence", _about("persistence", "keeps what it acknowledges"), _NEEDS),
    Check("redis.eviction", _about("eviction", "throws nothing away"), _NEEDS),
    Check("redis.memory", _memory, _NEEDS),
    Check("redis.replica", _replica, _NEEDS),
    Check("redis.connections", _about("connections", "enough of them"), _NEEDS),
)
THOROUGH = (
    Check("redis.sentinels", _sentinels),
    Check("redis.rights", _rights, (REACHABLE, "redis.cluster")),
)
