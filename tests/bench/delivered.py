"""Surveys that have reached their customers: web and worker deliver them, as always, with no limit of the API."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from tests.bench.costs import wait_until_settled
from tests.bench.dixa import StandIn
from tests.bench.load import drive
from tests.bench.servers import AfterwordServer
from tests.bench.traffic import numbers, webhook
from tests.polling import eventually


@contextmanager
def running_delivered(server: AfterwordServer, dixa: StandIn, length: int) -> Iterator[Mapping[int, str]]:
    """Run web and worker, which have delivered so many surveys. Yield the token of each conversation's link."""
    made = list(islice(numbers, length))
    before = dixa.counts()["messages"]
    server.start("web", "worker")
    try:
        drive(server.port, (webhook(number, server.port) for number in made), connections=8).require(202)
        eventually(lambda: dixa.counts()["messages"] >= before + length)
        wait_until_settled(*server.pids)
        tokens = dixa.report().tokens
        yield {number: tokens[number] for number in made}
    finally:
        server.stop()
