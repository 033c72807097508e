"""How close a pace may come to Dixa's limit: calls without a pause against the sandbox's 10/4, and how many get a 429.

`python -m tests.bench.pace --pace 9.9/3 --minutes 60` calls from two processes of four threads each, as fast as the
shared pace allows. It prints calls, rate, responses 429, and what was left of Dixa's burst at the tightest call.
"""

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic

from service.dixa.client import DixaClient
from service.dixa.factory import open_dixa
from service.dixa.outage import Outage
from service.records.redis import connect
from service.sandbox.dixa.model import Exchange
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.surveys.errors import RetryLater
from service.surveys.ports import Deadline
from tests.processes import RedisServer, settings_for

PROCESSES, THREADS = 2, 4
CALLS_OF_A_CLAIM = 4
CLAIM = timedelta(seconds=15)
REPORT_SECONDS = 60.0


def main() -> None:
    """Print a line each minute, and the total at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pace", default="9.9/3")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--tokens", type=int, default=1)
    given = parser.parse_args()
    tokens = tuple(f"sandbox-token-{number}" for number in range(given.tokens))
    with tempfile.TemporaryDirectory() as name:
        redis = RedisServer(Path(name))
        redis.start()
        dixa = Sandbox(SandboxSettings(tokens=tokens)).start()
        number = dixa.make_conversation()
        environ = {"DIXA_API_URL": dixa.api_url, "DIXA_PACE": given.pace, "DIXA_API_TOKEN": ",".join(tokens)}
        try:
            _measure(dixa, redis.url, environ, number, given.minutes * 60)
        finally:
            dixa.stop()
            redis.stop()


def _measure(dixa: Sandbox, redis_url: str, environ: Mapping[str, str], number: int, seconds: float) -> None:
    calls, tightest = 0, float(dixa.settings.burst)

    def count(_exchange: Exchange) -> None:
        nonlocal calls, tightest
        calls += 1
        tightest = min(tightest, *(left for left, _ in dixa.api.limit._buckets.values()))

    dixa.on_exchange.append(count)
    context, began = multiprocessing.get_context("spawn"), monotonic()
    workers = [context.Process(target=call_for, args=(redis_url, environ, number, seconds)) for _ in range(PROCESSES)]
    for each in workers:
        each.start()
    report_at = began + REPORT_SECONDS
    for each in workers:
        while each.exitcode is None:
            each.join(max(report_at - monotonic(), 0.1))
            if monotonic() >= report_at or each.exitcode is not None:
                report_at = monotonic() + REPORT_SECONDS
                took = monotonic() - began
                sys.stdout.write(
                    f"{environ['DIXA_PACE']}: {calls} calls in {took:.0f} s ({calls / took:.2f}/s), "
                    f"{dixa.report.throttled} × 429, {tightest:.2f} left at the tightest call\n"
                )
                sys.stdout.flush()


def call_for(redis_url: str, environ: Mapping[str, str], number: int, seconds: float) -> None:
    """Make calls in all threads of a process until the time is over."""
    client = connect(redis_url)
    dixa = open_dixa(settings_for(redis_url, **environ), client, outage=Outage(client))
    end = monotonic() + seconds
    with ThreadPoolExecutor(THREADS) as threads:
        for each in [threads.submit(_call_until, dixa, number, end) for _ in range(THREADS)]:
            each.result()


def _call_until(dixa: DixaClient, number: int, end: float) -> None:
    wait = Event().wait
    while monotonic() < end:
        deadline = Deadline(CLAIM, number)
        try:
            for _ in range(CALLS_OF_A_CLAIM):
                dixa.conversation(dixa.take_slot(deadline), number)
        except RetryLater as error:
            wait(error.retry_in.total_seconds() if error.retry_in else 0.1)


if __name__ == "__main__":
    main()
