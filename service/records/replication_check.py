"""Checks of replication: what a failover can lose, and whether the sentinels can make one."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import redis

from config.redis_urls import Sentinels
from service.records.redis_check import Risk
from service.records.sentinels import open_sentinels

MAX_LAG_SECONDS: Final = 10
"""A replica that has been silent for longer doesn't count. It is the default of min-replicas-max-lag."""
_ENOUGH_SENTINELS: Final = 3


def count_following(info: Mapping[str, Any]) -> int:
    """Count the replicas that follow this Redis. `info` is the output of `INFO`."""
    replicas = [each for name, each in info.items() if name.startswith("slave") and isinstance(each, dict)]
    return sum(each.get("state") == "online" and int(each.get("lag", 0)) <= MAX_LAG_SECONDS for each in replicas)


def find_replication_risks(info: Mapping[str, Any], min_replicas: str | None, wanted: int) -> Iterator[Risk]:
    """Yield each risk of a primary with replicas, or of one that should have some.

    `min_replicas` is the setting min-replicas-to-write, None where `CONFIG GET` is forbidden. `wanted` is
    REDIS_REPLICAS.
    """
    if info.get("role") != "master":
        return
    following, least = count_following(info), int(min_replicas or 0)
    if following < wanted:
        yield Risk(
            "replica",
            f"REDIS_REPLICAS is {wanted}, and only {following} follow this Redis. So webhooks and answers go to "
            f"the spool, and no survey is sent",
            "start the missing replica, or see its log, its replicaof and the network",
            is_present=True,
        )
    elif following and not wanted:
        yield Risk(
            "replica",
            f"a failover to one of the replicas ({following}) loses the latest acknowledged webhooks and answers",
            "set REDIS_REPLICAS=1",
        )
    if least > following:
        yield Risk(
            "replica",
            f"min-replicas-to-write is {least}, and only {following} follow this Redis. So it refuses writes",
            "start the missing replica, or lower the setting",
            is_present=True,
        )
    elif wanted and min_replicas is not None and not least:
        yield Risk(
            "replica",
            "min-replicas-to-write is 0, so a primary that is cut off goes on taking writes that nobody confirms",
            "set min-replicas-to-write 1 on all nodes",
        )


def find_sentinel_risks(found: Sentinels) -> Iterator[Risk]:
    """Ask each sentinel. Yield why a failover may not happen."""
    silent, refused = [], ""
    for address, client in open_sentinels(found):
        try:
            client.execute_command("SENTINEL", "CKQUORUM", found.primary)  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:
            refused = str(error)
        except redis.RedisError:
            silent.append(address)
        finally:
            client.close()
    if refused:
        # Such as "NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the majority".
        yield Risk("sentinels", f"they can't make a failover: {refused}", "start the other sentinels", is_present=True)
    if silent:
        count = f"{len(silent)} of {len(found.urls)}"
        yield Risk("sentinels", f"{count} don't respond: {', '.join(silent)}", "start them, or correct REDIS_URL")
    if len(found.urls) < _ENOUGH_SENTINELS:
        few = f"REDIS_URL names {len(found.urls)}, so Redis can't be found without them"
        yield Risk("sentinels", few, "name three or more, on machines of their own")
