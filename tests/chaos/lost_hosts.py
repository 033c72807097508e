"""Row 18: the machine of the web is lost with its spool. The control acknowledges before it writes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Literal

import requests

from tests.chaos.pressure import Load, NaiveAfterword, World, is_drained, world
from tests.chaos.rows import Row, commit
from tests.integration.live_survey import find_link
from tests.polling import eventually
from tests.processes import ROOT, Afterword

Scale = Literal["short", "long"]

_RATE = 60
_SPOOLED = 40
_ANSWERS = 5


@dataclass(frozen=True, slots=True)
class Loss:
    """What was lost with the machine while Redis was away, and how many closes a command found again."""

    closes: int
    answers: int
    is_all_of_the_spool: bool
    found_again: int

    def __str__(self) -> str:
        return (
            f"with Redis away: {self.closes} closes and {self.answers} answers, the whole content of its spool; "
            f"`afterword recover` found {self.found_again} closes again"
        )


def run_lost_hosts(seed: int, scale: Scale) -> Row:
    """Lose the machine of the web while Redis works, and while it is away."""
    hosts = 3 if scale == "short" else 40
    with ThreadPoolExecutor(2) as beside:
        ours, control = (beside.submit(_lose_hosts, seed, hosts, kind) for kind in (Afterword, NaiveAfterword))
        loss = _lose_spool()
    (accepted, lost), (naive, naive_lost) = ours.result(), control.result()
    return Row(
        number=18,
        fault="the web's machine lost with its spool",
        seed=seed,
        commit=commit(),
        shown=f"{hosts} machines while Redis works: {lost} of {accepted} accepted closes lost; {loss}",
        control=f"202 before the write: {naive_lost} of {naive} lost while Redis works",
        passed=not lost and naive_lost > 0 and loss.is_all_of_the_spool and loss.found_again == loss.closes,
    )


def _lose_hosts(seed: int, hosts: int, kind: type[Afterword]) -> tuple[int, int]:
    """Lose one machine after the other under load. Return the numbers of accepted and of lost closes."""
    random = Random(seed)
    with world("web", kind=kind) as found:
        with Load(found, rate=_RATE) as load:
            for _ in range(hosts):
                load.gets_through(random.randrange(20, 40))
                _lose_host(found)
                found.afterword.start("web")
        return len(load.accepted), len(found.lost(load.accepted))


def _lose_host(found: World) -> set[str]:
    """Kill the web, and throw its spool away. Return the closes in it."""
    found.afterword.kill("web")
    spooled = found.waiting()
    shutil.rmtree(found.spool, ignore_errors=True)
    return spooled


def _lose_spool() -> Loss:
    """Lose the machine while Redis is away, and find the lost closes in Dixa."""
    with world() as found:
        links = [_deliver(found) for _ in range(_ANSWERS)]
        # A worker would soon find the closes again by itself.
        found.afterword.kill("worker")
        found.server.stop()
        with Load(found, rate=_RATE) as load:
            load.gets_through(_SPOOLED)
        for link in links:
            assert requests.post(link, data={"rating": "5"}, timeout=30).ok
        spooled = _lose_host(found)
        found.server.start()
        found.afterword.start("web")
        eventually(lambda: is_drained(found.afterword))
        lost = found.lost(load.accepted)
        answered = _count_answers(found)
        _recover(found)
        answered_surveys = spooled - load.accepted
        return Loss(
            closes=len(lost),
            answers=_ANSWERS - answered,
            is_all_of_the_spool=lost | answered_surveys == spooled,
            found_again=len(lost) - len(found.lost(lost)),
        )


def _deliver(found: World) -> str:
    """Close a conversation, and return the link that its customer gets."""
    dixa = found.dixa
    number = dixa.make_conversation()
    dixa.sends_webhooks_to(found.afterword.webhook_url)
    dixa.close(number)
    link = eventually(lambda: find_link([each for each in dixa.messages(number) if each.direction == "Outbound"]))
    return str(link)


def _count_answers(found: World) -> int:
    with found.redis as client:
        return sum(client.hexists(key, "answer_state") for key in client.scan_iter("afterword:survey:*"))


def _recover(found: World) -> None:
    """Run `afterword recover` with the settings of the web."""
    command = [sys.executable, "-c", "from service.cli import main; main()", "recover", "--since", "1h", "--yes"]
    subprocess.run(command, cwd=ROOT, env=os.environ | found.afterword.environ, capture_output=True, check=True)


ROWS: dict[int, Callable[[int, Scale], Row]] = {18: run_lost_hosts}
