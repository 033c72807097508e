"""Rows 8 and 9: eight processes at Dixa's limit, and fifty copies of everything at once."""

import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path
from threading import Barrier, Event, local
from time import monotonic
from typing import Literal

import redis
import requests

from service.dixa.client import DixaClient
from service.dixa.errors import NoSlot
from service.dixa.pace import SharedPace
from service.dixa.token_check import TokenCheck
from service.records.redis import connect
from service.sandbox.dixa.webhooks import closed_event, sign
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from service.sessions import new_session
from service.surveys.errors import RetryLater
from service.surveys.ports import Deadline
from tests.chaos import model, soak
from tests.chaos.rows import Row, commit
from tests.chaos.soak import procfile, redis_server
from tests.polling import eventually
from tests.processes import API_TOKEN, WEBHOOK_SECRET, Afterword, RedisServer

Scale = Literal["short", "long"]

PROCESSES = 8
COPIES = 50
SECOND = timedelta(seconds=1)
LEAST_RATE = 9.3
MOST_THROTTLED = 0.001
TRIES = 3


# ── Row 8 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_limit(seed: int, scale: Scale) -> Row:
    """Eight processes call as often as the pace lets them, at Dixa's real limit."""
    seconds = 8.0 if scale == "short" else 600.0
    with redis_server() as server:
        calls, throttled, rate = _call_together(server, seconds, tries=TRIES if scale == "short" else 1)
        naive_calls, naive_throttled, _ = _call_from_all(server.new_database(), min(seconds, 20) / 2, is_shared=False)
    passed = _is_at_limit(calls, throttled, rate) and naive_throttled > naive_calls // 10
    shown = f"{calls} calls in {seconds:.0f} s = {rate:.2f}/s, {throttled} times 429"
    control = f"a pace for each process: {naive_throttled} times 429 in {naive_calls} calls"
    return Row(8, f"{PROCESSES} processes at the limit", seed, commit(), shown, control, passed)


def _is_at_limit(calls: int, throttled: int, rate: float) -> bool:
    return throttled <= calls * MOST_THROTTLED and rate >= LEAST_RATE


def _call_together(server: RedisServer, seconds: float, *, tries: int) -> tuple[int, int, float]:
    """A machine that stands still for a moment spoils one short try; what is wrong with us spoils each."""
    found = _call_from_all(server.new_database(), seconds, is_shared=True)
    return found if tries == 1 or _is_at_limit(*found) else _call_together(server, seconds, tries=tries - 1)


def _call_from_all(redis_url: str, seconds: float, *, is_shared: bool) -> tuple[int, int, float]:
    """Return how many calls Dixa saw, how many it answered 429, and how many came a second."""
    dixa = Sandbox(SandboxSettings(tokens=(API_TOKEN,))).start()
    # The processes are forked from one that has imported all this already.
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    barrier, outcomes = context.Barrier(PROCESSES), context.Queue()
    prefixes = ["all:" if is_shared else f"own-{number}:" for number in range(PROCESSES)]
    workers = [
        context.Process(target=_call_at_the_pace, args=(dixa.api_url, redis_url, prefix, seconds, barrier, outcomes))
        for prefix in prefixes
    ]
    for worker in workers:
        worker.start()
    made = sum(outcomes.get(timeout=seconds + 60) for _ in workers)
    for worker in workers:
        worker.join()
    dixa.stop()
    calls = dixa.calls
    assert made == len(calls), f"{made} calls were made, {len(calls)} arrived"
    return len(calls), dixa.report.throttled, (len(calls) - 1) / (calls[-1].at - calls[0].at).total_seconds()


def _call_at_the_pace(
    api_url: str, redis_url: str, prefix: str, seconds: float, barrier: ProcessBarrier, outcomes: "Queue[int]"
) -> None:
    """What each process does: take a slot, call, again."""
    shared = connect(redis_url)
    pace = SharedPace(shared, (API_TOKEN,), rate=9.9, burst=3, wait=Event().wait, prefix=prefix)
    client = DixaClient(new_session("afterword/chaos"), api_url, pace, TokenCheck(shared, 60 * SECOND, prefix=prefix))
    made = 0
    barrier.wait(240)
    ends_at = monotonic() + seconds
    while monotonic() < ends_at:
        try:
            slot = client.take_slot(Deadline(5 * SECOND), SECOND)
            made += 1
            client.organization_name(slot)
        except NoSlot as error:
            Event().wait(min(error.retry_in or SECOND, SECOND).total_seconds())
        except RetryLater:
            continue
    outcomes.put(made)


# ── Row 9 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def run_copies(seed: int, scale: Scale) -> Row:
    """Fifty copies of each webhook among reopen events, then fifty posts of each form, all at once."""
    chance = random.Random(seed)
    count = 4 if scale == "short" else 100
    with (
        tempfile.TemporaryDirectory() as name,
        redis_server() as server,
        procfile(Path(name), server) as (dixa, afterword),
    ):
        ids = [dixa.make_conversation(state="Closed") for _ in range(count)]
        answers = _send_all(afterword, _events(dixa, ids, chance))
        eventually(lambda: all(_links(dixa, each) for each in ids))
        posts = _post_all(afterword, _forms(dixa, ids, chance))
        eventually(lambda: len(dixa.results()) >= count)
        offers, results = _most_of_each(dixa, ids)
        naive = _accept_naively(server.new_database(), 20)
        seen = dixa.report
    is_once = (offers, results) == ((1, 1), (1, 1)) and not (seen.second_offers or seen.double_submits)
    # The later of the two closes is accepted as well if the survey still waits.
    is_taken = count <= answers[202] <= 2 * count and answers[202] + answers[200] == len(ids) * COPIES * 3
    is_taken = is_taken and posts == {303: count * COPIES}
    shown = (
        f"{count} conversations, {sum(answers.values())} webhooks and {sum(posts.values())} forms: "
        f"{offers[0]}-{offers[1]} offers, {results[0]}-{results[1]} results each"
    )
    control = f"check, then set: {naive[0]}-{naive[1]} offers each"
    return Row(9, f"{COPIES} copies at once", seed, commit(), shown, control, is_once and is_taken and naive[1] > 1)


def _events(dixa: Sandbox, ids: list[int], chance: random.Random) -> list[bytes]:
    """For each conversation fifty of a close, of its reopening, and of the close after it, in any order."""
    bodies = [
        json.dumps(closed_event(dixa.conversation(each), dixa.state.organization, event=event)).encode()
        for each in ids
        for event in ("CONVERSATION_CLOSED", "CONVERSATION_OPEN", "CONVERSATION_CLOSED")
    ]
    copies = bodies * COPIES
    # Copies of one event come close together, as they would.
    order = {body: chance.random() * len(ids) for body in bodies}
    return sorted(copies, key=lambda body: order[body] + chance.random() * 3)


def _send_all(afterword: Afterword, bodies: list[bytes]) -> Counter[int]:
    here = local()

    def send(body: bytes) -> int:
        here.session = getattr(here, "session", None) or requests.Session()
        headers = sign(body, WEBHOOK_SECRET)
        return int(here.session.post(afterword.webhook_url, body, headers=headers, timeout=30).status_code)

    with ThreadPoolExecutor(COPIES) as senders:
        return Counter(senders.map(send, bodies))


def _forms(dixa: Sandbox, ids: list[int], chance: random.Random) -> list[tuple[str, dict[str, str]]]:
    forms = [(_links(dixa, each)[0], {"rating": str(chance.randint(1, 5)), "comment": f"about {each}"}) for each in ids]
    return [form for form in forms for _ in range(COPIES)]


def _post_all(afterword: Afterword, forms: list[tuple[str, dict[str, str]]]) -> Counter[int]:
    def post(form: tuple[str, dict[str, str]]) -> int:
        return requests.post(form[0], form[1], timeout=30, allow_redirects=False).status_code

    with ThreadPoolExecutor(COPIES) as customers:
        return Counter(customers.map(post, forms))


def _links(dixa: Sandbox, number: int) -> list[str]:
    return [part.split('"')[0] for each in dixa.messages(number) for part in each.value.split('href="')[1:]]


def _most_of_each(dixa: Sandbox, ids: list[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The least and the most offers, and the least and the most results, of a conversation."""
    offers = [len(dixa.offers(each)) for each in ids]
    results = [len(dixa.results(each)) for each in ids]
    return (min(offers), max(offers)), (min(results), max(results))


def _accept_naively(redis_url: str, count: int) -> tuple[int, int]:
    """The control: is there a record? If not, write one and offer. Fifty at once, as above."""
    clients = [connect(redis_url) for _ in range(COPIES)]
    for client in clients:
        client.ping()
    offers: Counter[int] = Counter()
    together = Barrier(COPIES)

    def accept(client: redis.Redis) -> None:
        for number in range(count):
            together.wait(240)
            if not client.exists(f"naive:{number}"):
                client.set(f"naive:{number}", "accepted")
                client.rpush(f"naive:offers:{number}", "offer")

    with ThreadPoolExecutor(COPIES) as threads:
        list(threads.map(accept, clients))
    offers.update({number: int(str(clients[0].llen(f"naive:offers:{number}"))) for number in range(count)})
    for client in clients:
        client.close()
    return min(offers.values()), max(offers.values())


ROWS: dict[int, Callable[[int, Scale], Row]] = {8: run_limit, 9: run_copies, 12: model.run, 13: soak.run}
