"""A primary, its replicas, and three Redis Sentinels: all real, on ports of this machine."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from shutil import rmtree
from time import monotonic
from typing import Any

import redis

from tests.polling import eventually
from tests.processes import RedisServer, ServerProcess, find_redis_server, free_port

NAME = "mymaster"
DOWN_AFTER_MS = 1500
"""How long a primary is silent before a sentinel counts it as down. In production it is longer."""
_FAILOVER_TIMEOUT_MS = 3000
_MAX_REPLICAS, _SYNC_MS = 9, 100
_PATIENCE_SECONDS = 20.0
_CONFIG = """
port {port}
bind 127.0.0.1
dir {folder}
{login}
"""


class SentinelServer(ServerProcess):
    """One sentinel of three. Its quorum is two."""

    def __init__(self, folder: Path, primary: int, password: str = "", down_after_ms: int = DOWN_AFTER_MS) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self._primary = primary
        self._options = {"down-after-milliseconds": down_after_ms, "failover-timeout": _FAILOVER_TIMEOUT_MS}
        self._file = folder / "sentinel.conf"
        login = f"requirepass {password}\nsentinel sentinel-pass {password}" if password else ""
        self._file.write_text(_CONFIG.format(port=self.port, folder=folder, login=login))
        self.client: Any = redis.Redis(port=self.port, password=password or None, decode_responses=True)

    def start(self) -> None:
        self.restart()
        self.watch(self._primary)

    def restart(self) -> None:
        """Start it with what it knew before."""
        command = [find_redis_server(), str(self._file), "--sentinel"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        eventually(self._responds)

    def primary_port(self) -> int:
        """Return the port of the primary, as this sentinel knows it."""
        address = self.client.sentinel_get_master_addr_by_name(NAME)
        return int(address[1]) if address else 0

    def watch_anew(self, primary: int) -> None:
        """Forget all nodes, and find them again from the primary.

        A sentinel looks at a known replica every ten seconds only, and would not promote one that was away until then.
        """
        self.client.sentinel_remove(NAME)
        self.watch(primary)

    def watch(self, primary: int) -> None:
        """Watch a primary."""
        self.client.sentinel_monitor(NAME, "127.0.0.1", primary, 2)
        for option, value in self._options.items():
            self.client.sentinel_set(NAME, option, value)

    def knows_all(self, nodes: int) -> bool:
        """Return whether it knows so many nodes and two other sentinels, and all nodes work."""
        state, replicas = self.client.sentinel_master(NAME), self.client.sentinel_slaves(NAME)
        return (state["flags"], state["num-other-sentinels"], len(replicas)) == ("master", 2, nodes - 1) and all(
            each["flags"] == "slave" and each["master-link-status"] == "ok" for each in replicas
        )

    def has_quorum(self) -> bool:
        """Return whether it sees enough sentinels for a failover."""
        with suppress(redis.ResponseError):
            return bool(self.client.execute_command("SENTINEL", "CKQUORUM", NAME))
        return False

    def _responds(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.client.ping())
        return False


class Watched:
    """Data nodes with their sentinels. The first node is the primary at first."""

    def __init__(self, folder: Path, nodes: int = 2, *, password: str = "", down_after_ms: int = DOWN_AFTER_MS) -> None:
        self._folder = folder
        self._folders: dict[int, Path] = {}
        self.nodes = [self._new_node(number) for number in range(nodes)]
        first = self.nodes[0].port
        self.sentinels = [
            SentinelServer(folder / f"sentinel-{number}", first, password, down_after_ms) for number in range(3)
        ]

    @property
    def url(self) -> str:
        """The REDIS_URL."""
        addresses = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        return f"sentinel://{addresses}/{NAME}/0"

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        for node in self.nodes[1:]:
            _replicate(node, self.nodes[0].port)
        eventually(lambda: _count_in_sync(self.nodes[0]) == len(self.nodes) - 1)
        for each in self.sentinels:
            each.start()
        eventually(self.is_settled)

    def stop(self) -> None:
        for sentinel in self.sentinels:
            sentinel.stop()
        for node in self.nodes:
            node.stop()

    def primary(self) -> RedisServer:
        """Return the primary, as most sentinels know it."""
        ports = [each.primary_port() for each in self.sentinels]
        port = max(ports, key=ports.count)
        return next(each for each in self.nodes if each.port == port)

    def is_settled(self) -> bool:
        """Return whether all sentinels know each other, all nodes and one primary, and all replicas are in sync."""
        primary = self.primary()
        return (
            all(each.primary_port() == primary.port and each.knows_all(len(self.nodes)) for each in self.sentinels)
            and _count_in_sync(primary) == len(self.nodes) - 1
        )

    def lose(self, node: RedisServer) -> None:
        """Kill a node, and throw its disk away."""
        node.stop()
        folder = self._folders[node.port]
        rmtree(folder)
        folder.mkdir()

    def replicas(self) -> list[RedisServer]:
        """Return all nodes but the primary."""
        primary = self.primary()
        return [each for each in self.nodes if each is not primary]

    def cut_off(self, replica: RedisServer) -> None:
        """Let a replica lose its primary. It keeps its data, and gets no more."""
        _replicate(replica, free_port())

    def bring_back(self, node: RedisServer) -> None:
        """Start a node, with what its disk has. All nodes then follow the primary."""
        node.start()
        _replicate(node, self.primary().port)
        eventually(self._follow_the_primary)
        self._watch_anew()

    def fail_over(self) -> RedisServer:
        """Lose the primary. Return it when another node has taken its place."""
        before = self.primary()
        self.lose(before)
        eventually(lambda: self._has_replaced(before))
        return before

    def hand_over(self) -> None:
        """Make another node the primary, and the primary a replica."""
        before = self.primary()
        after = next(each for each in self.nodes if each is not before)
        with redis.Redis(port=after.port) as client:
            client.replicaof("NO", "ONE")
        for each in self.nodes:
            if each is not after:
                _replicate(each, after.port)
        eventually(lambda: _count_in_sync(after) == len(self.nodes) - 1)
        for sentinel in self.sentinels:
            sentinel.watch_anew(after.port)
        eventually(self.is_settled)

    def _follow_the_primary(self) -> bool:
        """Let all replicas follow the primary, also one that was cut off. Return whether they do.

        The sentinels may choose another primary meanwhile, and it is left to them to make the others follow that.
        """
        primary = self.primary()
        for each in self.replicas():
            with redis.Redis(port=each.port, decode_responses=True) as client:
                found = client.info("replication")
            if found["role"] == "slave" and found["master_port"] != primary.port:
                _replicate(each, primary.port)
        return _count_in_sync(primary) == len(self.nodes) - 1

    def _watch_anew(self) -> None:
        """Let the sentinels find all nodes again. On a busy machine they may meanwhile choose another primary."""
        tried_at = -inf

        def is_settled() -> bool:
            nonlocal tried_at
            if monotonic() > tried_at + _PATIENCE_SECONDS:
                tried_at = monotonic()
                for each in self.sentinels:
                    each.watch_anew(self._leader().port)
            return self._follow_the_primary() and self.is_settled()

        eventually(is_settled)

    def _leader(self) -> RedisServer:
        """Return the one node that takes writes; the primary by the sentinels if there isn't one."""
        found = [each for each in self.nodes if _has_role(each, "master")]
        return found[0] if len(found) == 1 else self.primary()

    def _has_replaced(self, before: RedisServer) -> bool:
        return all(each.primary_port() not in (0, before.port) for each in self.sentinels)

    def _new_node(self, number: int) -> RedisServer:
        folder = self._folder / f"node-{number}"
        folder.mkdir(parents=True)
        node = RedisServer(folder)
        self._folders[node.port] = folder
        return node


def _has_role(node: RedisServer, role: str) -> bool:
    with suppress(redis.RedisError), redis.Redis(port=node.port, decode_responses=True) as client:
        return bool(client.info("replication")["role"] == role)
    return False


def _replicate(node: RedisServer, port: int) -> None:
    with redis.Redis(port=node.port) as client:
        client.replicaof("127.0.0.1", port)


def _count_in_sync(primary: RedisServer) -> int:
    """Count the replicas that have all of the primary's data, and follow it."""
    with redis.Redis(port=primary.port) as client:
        try:
            client.set("in-sync", 1, px=1000)
            return int(client.wait(_MAX_REPLICAS, _SYNC_MS))
        except redis.ResponseError:  # It has become a replica.
            return 0


@contextmanager
def watched(folder: Path, nodes: int = 2, **options: Any) -> Iterator[Watched]:
    """Start data nodes and sentinels."""
    made = Watched(folder, nodes, **options)
    try:
        made.start()
        yield made
    finally:
        made.stop()
