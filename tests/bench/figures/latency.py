"""How long a customer and an agent wait while nothing else happens, with `delay` and `editable_for` of "0s"."""

from collections.abc import Iterator
from statistics import median
from threading import Event
from time import monotonic
from typing import Literal

from tests.bench.bench import AT_ONCE, Bench
from tests.bench.delivered import running_delivered
from tests.bench.dixa import StandIn, stand_in
from tests.bench.load import drive
from tests.bench.report import Figure
from tests.bench.servers import AfterwordServer
from tests.bench.traffic import forms, numbers, webhook
from tests.polling import eventually

Effect = Literal["messages", "results"]
_SURVEYS = 5
_REFILL_SECONDS = 0.6
"""The time after which the burst of the rate limit is whole again."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Yield the time from a close to its message, and from an answer to its result in Dixa."""
    to_message: list[float] = []
    to_result: list[float] = []
    with stand_in() as dixa:
        # Answers wait for RECOVERY_WAIT after the start of a worker.
        settings = {"DIXA_API_URL": dixa.api_url, "RECOVERY_WAIT": "1s"}
        server = AfterwordServer(bench.new_folder(), bench.redis, SURVEYS_FILE=bench.surveys(AT_ONCE), **settings)
        with running_delivered(server, dixa, _SURVEYS):
            for _ in range(bench.rounds):
                made = [next(numbers) for _ in range(_SURVEYS)]
                closed = [_time(server, webhook(number, server.port), dixa, "messages", number) for number in made]
                to_message.append(1000 * median(closed))
                tokens = dixa.report().tokens
                answers = {number: next(forms([tokens[number]], server.port)) for number in made}
                answered = [_time(server, request, dixa, "results", number) for number, request in answers.items()]
                to_result.append(1000 * median(answered))
    yield Figure("close → message at the customer, idle", to_message, "ms", goal="≤ 114 ms")
    yield Figure("answer → result in Dixa, idle", to_result, "ms", goal="≤ 11 ms")


def _time(server: AfterwordServer, request: bytes, dixa: StandIn, effect: Effect, number: int) -> float:
    """Send a request and return the seconds until Dixa has its effect."""
    Event().wait(_REFILL_SECONDS)
    before = dixa.counts()[effect]
    began = monotonic()
    drive(server.port, [request], connections=1)
    eventually(lambda: dixa.counts()[effect] > before)
    report = dixa.report()
    arrived_at = report.messages if effect == "messages" else report.results
    return arrived_at[number] - began
