"""Row 13: hours of work in little time. Afterwards, only the finished records have grown."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Literal

import psutil
import redis
import requests

from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.chaos.rows import Row, commit
from tests.polling import eventually
from tests.processes import API_TOKEN, WEBHOOK_SECRET, Afterword, RedisServer

SURVEYS = '[[survey]]\nname = "default"\ndelay = "0s"\neditable_for = "500ms"\nsuspect_editable_for = "0s"\n'
QUICK = {
    "DIXA_PACE": "500/50",
    # A close lost by a defect must stay lost.
    "RECOVER_CLOSES": "off",
    "RELAY_INTERVAL": "50ms",
    "RECOVERY_WAIT": "100ms",
    "LEASE": "10s",
    "STEP_BUDGET": "5s",
    "RECONCILE_AFTER": "2s",
    "REQUEUE_AFTER": "1s",
    "BACKOFF_MIN": "100ms",
    "BACKOFF_MAX": "1s",
}

Sample = Mapping[str, float]

WAVES = {"short": (9, 8), "long": (36, 100)}
"""How many waves, of how many conversations."""
WARM_UP = 3
GROWTH = {"keys": (0.0, 5), "memory": (0.10, 6), "handles": (0.10, 6), "connections": (0.0, 6)}
"""The permitted growth from the first third of the samples to the last: a share, and an absolute amount."""


def run(seed: int, scale: Literal["short", "long"]) -> Row:
    """Run waves of surveys to their end, and take a sample after each."""
    waves, size = WAVES[scale]
    samples: list[Sample] = []
    with (
        tempfile.TemporaryDirectory() as name,
        redis_server() as server,
        procfile(Path(name), server) as (dixa, running),
    ):
        dixa.sends_webhooks_to(running.webhook_url)
        for _ in range(waves):
            _tell(dixa, size)
            samples.append(_sample(running))
        finished = _finished(running)
        processes = len(_processes(running))
    count = waves * size
    grown = find_growth(samples[WARM_UP:])
    leaking = {name: find_growth(_leaking(samples[WARM_UP:], name)) for name in GROWTH}
    first, last = _thirds(samples[WARM_UP:])
    figures = ", ".join(f"{name} {first[name]:.0f} → {last[name]:.0f}" for name in GROWTH)
    shown = (
        f"{count:,} conversations by {processes} processes: {figures}; {finished:,} finished records, all with an end"
    )
    found = sum(name in found for name, found in leaking.items())
    control = f"a leak of each kind: {found} of {len(leaking)} seen"
    passed = not grown and finished == count and found == len(leaking)
    return Row(13, f"soak, {waves} waves of {size}", seed, commit(), shown, control, passed)


def find_growth(samples: Sequence[Sample]) -> list[str]:
    """Return the figures that grew from the first third of the samples to the last."""
    first, last = _thirds(samples)
    return [name for name, (share, more) in GROWTH.items() if last[name] > first[name] * (1 + share) + more]


def _thirds(samples: Sequence[Sample]) -> tuple[Sample, Sample]:
    third = max(1, len(samples) // 3)
    return tuple(
        {name: mean(each[name] for each in part) for name in GROWTH} for part in (samples[:third], samples[-third:])
    )  # type: ignore[return-value]


def _leaking(samples: Sequence[Sample], name: str) -> list[Sample]:
    """The control: the same samples with a small leak of one kind in each wave."""
    share, more = GROWTH[name]
    step = 2 * (samples[0][name] * share + more) / len(samples)
    return [{**each, name: each[name] + step * wave} for wave, each in enumerate(samples)]


def _tell(dixa: Sandbox, size: int) -> None:
    """Run a wave from close to result."""
    ids = [dixa.make_conversation() for _ in range(size)]
    with ThreadPoolExecutor(8) as customers:
        for each in ids:
            dixa.close(each)
        list(customers.map(lambda each: _answer(dixa, each), ids))
    eventually(lambda: all(dixa.results(each) for each in ids))


def _answer(dixa: Sandbox, number: int) -> None:
    def link() -> str:
        return next((each.value.split('href="')[1].split('"')[0] for each in dixa.messages(number)), "")

    answer = requests.post(eventually(link), {"rating": "4", "comment": "x" * 500}, timeout=30)
    assert answer.status_code == 200, answer.status_code


def _processes(running: Afterword) -> list[psutil.Process]:
    heads = [psutil.Process(each.pid) for each in running._running.values()]
    return [*heads, *(child for head in heads for child in head.children(recursive=True))]


def _sample(running: Afterword) -> Sample:
    client = redis.Redis.from_url(running.redis_url, decode_responses=True)
    # What a wave leaves is over a moment later.
    eventually(lambda: not client.zcard("afterword:due:offer") and not client.zcard("afterword:due:answer"))
    names = [key for key in client.scan_iter("*", count=1000) if not key.startswith("afterword:survey:")]
    # A finished record has a time to live, and so have cooldown slots and counts of posts.
    ending = ("afterword:asked:", "afterword:posted:")
    keys = sum(1 for name in names if not (name.startswith(ending) and client.ttl(name) > 0))
    database = running.redis_url.rpartition("/")[2]
    connections = sum(each["db"] == database for each in client.client_list())
    client.close()
    processes = _processes(running)
    return {
        "keys": keys,
        "memory": sum(each.memory_info().rss for each in processes) / 2**20,
        "handles": sum(each.num_fds() for each in processes),
        "connections": connections,
    }


def _finished(running: Afterword) -> int:
    """Count the ended records with a time to live."""
    client = redis.Redis.from_url(running.redis_url, decode_responses=True)
    count = 0
    for key in client.scan_iter("afterword:survey:*", count=1000):
        count += client.hget(key, "answer_state") == "submitted" and client.ttl(key) > 0
    client.close()
    return count


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory() as name:
        server = RedisServer(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def procfile(folder: Path, server: RedisServer) -> Iterator[tuple[Sandbox, Afterword]]:
    dixa = Sandbox(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None)).start()
    surveys = folder / "surveys.toml"
    surveys.write_text(SURVEYS)
    environ = {"REDIS_URL": server.new_database(), "SURVEYS_FILE": str(surveys), "DIXA_API_URL": dixa.api_url}
    afterword = Afterword(folder, QUICK | environ).start()
    try:
        yield dixa, afterword
    finally:
        afterword.stop()
        dixa.stop()
