"""Row 17: parts of an installation can't reach each other for a while. The control is the naive build."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event
from typing import Literal, get_args
from urllib.parse import urlsplit

import redis

from service.sandbox.server import Sandbox
from tests.chaos import naive
from tests.chaos.customers import Customers, Verdict
from tests.chaos.failovers import closing
from tests.chaos.rows import Row, commit
from tests.chaos.supervisor import QUICK, SURVEYS, running
from tests.fronts import BOTH, Direction, Front, front
from tests.polling import eventually
from tests.processes import Afterword, RedisServer
from tests.sandboxes import sandbox

Scale = Literal["short", "long"]
Place = Literal["web | Redis", "worker | Redis", "primary | replica", "Dixa | worker"]
_PLACES: tuple[Place, ...] = get_args(Place)


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut between two parts. With `drops` its data never arrives, otherwise afterwards."""

    place: Place
    directions: tuple[Direction, ...]
    drops: bool


_WAYS: tuple[tuple[tuple[Direction, ...], bool], ...] = tuple(
    (directions, drops) for directions in (BOTH, BOTH[:1], BOTH[1:]) for drops in (False, True)
)
CUTS = [
    Cut(place, directions, drops)
    for place in _PLACES
    for directions, drops in _WAYS
    # A call that reaches Dixa a minute later is a documented exception (docs/guarantees.md).
    if drops or place != "Dixa | worker" or "requests" not in directions
]


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a run: so many installations side by side, and for each so many cuts between these seconds."""

    installations: int
    cuts: int
    per_second: float
    seconds: tuple[float, float]
    calm_seconds: float


SIZES: Mapping[Scale, Size] = {
    "short": Size(1, 4, 6.0, (1.0, 1.5), 0.2),
    "long": Size(4, 26, 2.0, (1.0, 90.0), 3.0),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """An Afterword whose parts reach each other through proxies."""

    dixa: Sandbox
    afterword: Afterword
    fronts: Mapping[Place, Front]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one installation."""

    cuts: Sequence[tuple[Cut, float]]
    verdict: Verdict


def run_partitions(seed: int, scale: Scale) -> Row:
    """Cut one connection after the other, and count lost and duplicate surveys."""
    size = SIZES[scale]
    seeds = [100 * seed + number for number in range(size.installations)]
    with ThreadPoolExecutor(size.installations + 1) as beside:
        control = beside.submit(_lose_responses, seed)
        ours = [*beside.map(lambda each: _cut_again_and_again(each, size), seeds)]
    harmed = control.result()
    seconds = [length for each in ours for _, length in each.cuts]
    where = ", ".join(
        f"{sum(cut.place == place for each in ours for cut, _ in each.cuts)} {place}" for place in _PLACES
    )
    verdicts = [each.verdict for each in ours]
    return Row(
        number=17,
        fault=f"cuts in both directions or one, held or dropped, of {size.seconds[0]:.0f} to {size.seconds[1]:.0f} s; "
        f"installations side by side: {size.installations}",
        seed=seed,
        commit=commit(),
        shown=f"{len(seconds)} cuts ({where}) of {sum(seconds):.0f} s in all: {_sum(verdicts)}",
        control=f"naive build, Dixa's responses cut: {harmed}",
        passed=all(each.is_clean for each in verdicts) and harmed.is_doubled,
    )


def _cut_again_and_again(seed: int, size: Size) -> Outcome:
    random, done = Random(seed), list[tuple[Cut, float]]()
    with parts() as found, Customers(found.dixa, found.afterword.webhook_url, random) as customers:
        # Cuts before anything works would hit nothing.
        customers.close(1, 10.0)
        eventually(customers.is_served)
        with closing(customers, size.per_second):
            for cut in _choose(random, size.cuts):
                # Most are short.
                length = size.seconds[0] * (size.seconds[1] / size.seconds[0]) ** random.random()
                with found.fronts[cut.place].cut(*cut.directions, drops=cut.drops):
                    Event().wait(length)
                done.append((cut, length))
                Event().wait(random.uniform(0, size.calm_seconds))
        eventually(customers.is_served, within=600)
        return Outcome(done, customers.verdict())


def _choose(random: Random, count: int) -> Iterator[Cut]:
    """Yield cuts at each place in turn, each in a way by chance."""
    for number in range(count):
        place = _PLACES[number % len(_PLACES)]
        yield random.choice([each for each in CUTS if each.place == place])


def _lose_responses(seed: int) -> Verdict:
    """Let the naive build make calls whose responses are lost."""
    with sandbox() as dixa, ExitStack() as opened:
        between = opened.enter_context(front(urlsplit(dixa.api_url).port or 0))
        cluster = opened.enter_context(running(_through(between, dixa.api_url), naive.COMMANDS))
        customers = opened.enter_context(Customers(dixa, cluster.webhook_url, Random(seed)))
        with between.cut("responses", drops=True):
            customers.close(4, 10.0)
            eventually(lambda: customers.verdict().is_doubled)
        return customers.verdict()


@contextmanager
def parts() -> Iterator[Parts]:
    """Start a primary, a replica that confirms, a sandbox, a web and a worker, with proxies between them."""
    with (
        TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as name,
        sandbox() as dixa,
        ExitStack() as opened,
    ):
        folder = Path(name)
        primary, replica = (_start_node(opened, folder / each) for each in ("primary", "replica"))
        ports = dict.fromkeys(_PLACES, primary.port) | {"Dixa | worker": urlsplit(dixa.api_url).port or 0}
        fronts = {place: opened.enter_context(front(port)) for place, port in ports.items()}
        with redis.Redis(port=replica.port) as client, redis.Redis(port=primary.port) as first:
            client.replicaof("127.0.0.1", fronts["primary | replica"].port)
            eventually(lambda: first.wait(1, 100) == 1)
        (folder / "surveys.toml").write_text(SURVEYS)
        given = QUICK | {
            "DIXA_API_URL": _through(fronts["Dixa | worker"], dixa.api_url),
            "SURVEYS_FILE": str(folder / "surveys.toml"),
            "REDIS_REPLICAS": "1",
        }
        web = Afterword(folder, given | {"REDIS_URL": f"redis://127.0.0.1:{fronts['web | Redis'].port}/0"})
        opened.callback(web.stop)
        web.start("web")
        url = f"redis://127.0.0.1:{fronts['worker | Redis'].port}/0"
        worker = Afterword(folder, given | {"REDIS_URL": url, "PUBLIC_URL": web.url})
        opened.callback(worker.stop)
        worker.start("worker")
        yield Parts(dixa, web, fronts)


def _start_node(opened: ExitStack, folder: Path) -> RedisServer:
    folder.mkdir()
    # A replica whose connection is silent notices that after this time. By default it is a minute.
    node = RedisServer(folder, "--repl-timeout", "5", "--repl-ping-replica-period", "1")
    opened.callback(node.stop)
    node.start()
    return node


def _through(between: Front, url: str) -> str:
    """Return the same URL, through a proxy."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.hostname}:{between.port}").geturl()


def _sum(verdicts: Sequence[Verdict]) -> Verdict:
    """Add the verdicts of several installations."""
    return Verdict(
        accepted=sum(each.accepted for each in verdicts),
        thanked=sum(each.thanked for each in verdicts),
        lost=_add([each.lost for each in verdicts]),
        doubled=_add([each.doubled for each in verdicts]),
        refused_messages=sum(each.refused_messages for each in verdicts),
    )


def _add(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(each[name] for each in counts) for name in counts[0]}


ROWS: dict[int, Callable[[int, Scale], Row]] = {17: run_partitions}
