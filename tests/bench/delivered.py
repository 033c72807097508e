"""Surveys that have reached their customers: web and worker deliver them, as always, with no limit of the API."""

from collections.abc import Mapping
from itertools import islice

from tests.bench.dixa import StandIn
from tests.bench.load import drive
from tests.bench.servers import AfterwordServer
from tests.bench.traffic import numbers, webhook
from tests.polling import eventually


def deliver(server: AfterwordServer, dixa: StandIn, length: int) -> Mapping[int, str]:
    """Start web and worker, send closes, stop them, and return the token of each conversation's link."""
    made = list(islice(numbers, length))
    before = dixa.counts()["messages"]
    server.start("web", "worker")
    try:
        drive(server.port, (webhook(number, server.port) for number in made), connections=8).require(202)
        eventually(lambda: dixa.counts()["messages"] >= before + length)
    finally:
        server.stop()
    tokens = dixa.report().tokens
    return {number: tokens[number] for number in made}
