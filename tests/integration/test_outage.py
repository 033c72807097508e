"""Redis killed, frozen, full; the spool full, off, without room; a deploy: accepted requests arrive, once."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic

import pytest
import requests

from service.records.records import Records
from service.records.redis import connect
from service.sandbox.dixa.webhooks import closed_event, sign
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from tests.integration.conftest import SURVEYS, Starter
from tests.integration.live_survey import LiveSurvey
from tests.integration.no_room import fill, full, no_room_for
from tests.polling import eventually
from tests.processes import SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer

DEAD = "redis://127.0.0.1:1/0"
THANKS, FORM = "Thank you", "<form"
REDIS_SECONDS = 1
"""The maximum wait of a request for Redis. Requests without Redis don't wait."""

Told = Callable[..., LiveSurvey]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("own-redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def afterword(start: Starter, server: RedisServer, spool: Path) -> Iterator[Afterword]:
    environ = {"RECOVERY_WAIT": "3s", "SPOOL_MAX_MB": "1", "SPOOL_DIR": str(spool)}
    started = start(SURVEYS, REDIS_URL=server.url, **environ)
    yield started
    started.stop()


@pytest.fixture
def told(afterword: Afterword, server: RedisServer, dixa: Sandbox) -> Iterator[Told]:
    """Make a survey; this test sends its webhooks itself."""
    dixa.sends_webhooks_to(None)
    client = connect(server.url)
    records = Records(client, lease=timedelta(seconds=60), keep=timedelta(days=90))
    links = Links([SECRET_KEY], afterword.url)
    yield lambda **facts: LiveSurvey(dixa, records, links, dixa.make_conversation(**facts))
    client.close()


def close(story: LiveSurvey, afterword: Afterword) -> requests.Response:
    """Close a conversation and send its webhook, as often as it is called."""
    if story.conversation.state != "Closed":
        story.dixa.close(story.id)
    body = json.dumps(closed_event(story.conversation, story.dixa.state.organization)).encode()
    return requests.post(afterword.webhook_url, data=body, headers=sign(body, WEBHOOK_SECRET), timeout=30)


def asked(story: LiveSurvey, afterword: Afterword) -> str:
    """Run a survey until its customer has the link."""
    assert close(story, afterword).status_code == 202
    return story.link()


def assert_thanked(link: str, **form: str) -> None:
    """Answer, and see the thanks while the records are unavailable."""
    posted = requests.post(link, data=form, timeout=30, allow_redirects=False)
    assert posted.status_code == 303
    assert "receipt=" in posted.headers["Location"]
    assert THANKS in requests.post(link, data=form, timeout=30).text


def assert_once(*stories: LiveSurvey) -> None:
    assert [(len(each.offers), len(each.sent), len(each.results)) for each in stories] == [(1, 1, 1)] * len(stories)
    report = stories[0].dixa.report
    assert (report.second_offers, report.double_submits, report.duplicate_messages) == ([], [], [])


def readiness(afterword: Afterword) -> tuple[int, dict[str, str]]:
    """Return its response, which is up to a second old."""
    found = requests.get(f"{afterword.url}/readyz", timeout=30)
    return found.status_code, found.json()["degraded"]


def degraded_by(afterword: Afterword, *parts: str) -> dict[str, str]:
    """Return the degraded parts, once all of these are among them."""

    def theme() -> dict[str, str] | None:
        degraded = readiness(afterword)[1]
        return degraded if set(parts) <= set(degraded) else None

    found = eventually(theme)
    assert found is not None
    return found


def is_drained(afterword: Afterword) -> bool:
    return not {"redis", "spool", "spool_waiting"} & set(readiness(afterword)[1])


def test_redis_killed(told: Told, afterword: Afterword, server: RedisServer) -> None:
    answered, changed, late = told(), told(queue="Held"), told()
    links = {each: asked(each, afterword) for each in (answered, changed, late)}
    requests.post(links[changed], data={"rating": "2"}, timeout=30)
    server.stop()
    closed = [told() for _ in range(3)]
    assert [close(each, afterword).status_code for each in [*closed, *closed[:1]]] == [202] * 4
    assert_thanked(links[answered], rating="4", comment="i et udfald")
    assert_thanked(links[changed], rating="5")
    assert_thanked(links[late], rating="1", comment="under")
    degraded = degraded_by(afterword, "redis", "spool_waiting")
    assert readiness(afterword)[0] == 200
    assert degraded["redis"] == "ConnectionError (nobody listens there)"
    # Each post and its follower: an entry of the survey's in each process that took one; nothing was doubled by that.
    assert 4 + 3 <= int(degraded["spool_waiting"].split()[0]) <= 4 + 3 * 2
    server.start()
    # One process may save it while another one, which shows the next page, has not noticed yet that Redis is back.
    eventually(lambda: THANKS in requests.post(links[late], data={"rating": "3", "comment": "efter"}, timeout=30).text)
    eventually(lambda: is_drained(afterword))
    changed.end_hold()
    for each in closed:
        requests.post(each.link(), data={"rating": "4"}, timeout=30)
    eventually(lambda: all(each.results for each in (*links, *closed)))
    assert [result.value for each in links for result in each.results] == [4, 5, 3]
    assert [result.comment for each in (answered, late) for result in each.results] == ["i et udfald", "efter"]
    assert_once(*links, *closed)


def test_redis_frozen_costs_the_first_request_little_and_the_next_nothing(
    told: Told, afterword: Afterword, server: RedisServer
) -> None:
    answered = told()
    link = asked(answered, afterword)
    stories = [told() for _ in range(24)]
    server.freeze()
    try:
        seconds = [timed(lambda each=each: close(each, afterword)) for each in stories]  # type: ignore[misc]
        page = timed(lambda: requests.get(link, timeout=30))
        assert_thanked(link, rating="5")
        degraded_by(afterword, "redis")
    finally:
        server.thaw()
    slowest, usual = max(seconds), median(seconds)
    sys.stdout.write(
        f"\na frozen Redis: first {slowest:.2f} s, then {usual * 1000:.0f} ms, page {page * 1000:.0f} ms\n"
    )
    # Each of the two processes detects the outage itself. A machine under load may spoil one more.
    *_, next_slowest, _ = sorted(seconds)
    assert next_slowest < 3, "the promise is 1.5 s, on a machine that does nothing else"
    assert sum(1 for each in seconds if each >= REDIS_SECONDS) <= 3
    eventually(lambda: is_drained(afterword))
    eventually(lambda: all(each.offers for each in stories) and answered.results)
    for each in stories:
        each.link()
    assert {len(each.offers) for each in stories} == {1}
    assert_once(answered)


def test_redis_full_then_the_spool_full_then_room_again(
    told: Told, afterword: Afterword, server: RedisServer, spool: Path
) -> None:
    answered, refused = told(), told()
    links = [asked(each, afterword) for each in (answered, refused)]
    kept, not_kept, filler = told(), told(), told()
    with full(server):
        assert close(kept, afterword).status_code == 202
        assert_thanked(links[0], rating="4")
        degraded = degraded_by(afterword, "spool_waiting")
        assert readiness(afterword)[0] == 200
        assert "maxmemory" in degraded["durability"]

        fill(spool, filler)
        # Each process measures for itself, once a second.
        eventually(lambda: {close(not_kept, afterword).status_code for _ in range(10)} == {503})
        webhook = close(not_kept, afterword)
        assert (webhook.status_code, webhook.headers["Retry-After"]) == (503, "30")
        form = requests.post(links[1], data={"rating": "2", "comment": "bliver <b>stående"}, timeout=30)
        assert (form.status_code, form.headers["Retry-After"]) == (503, "5")
        assert FORM in form.text
        assert "bliver &lt;b&gt;stående" in form.text
        assert degraded_by(afterword, "spool")["spool"] == "can't be used, or is full"

    (spool / "0-corrupt.json").write_text('{"half":')
    eventually(lambda: is_drained(afterword))
    assert degraded_by(afterword, "spool_corrupt")["spool_corrupt"].startswith("1 ")
    (spool / "corrupt" / "0-corrupt.json").unlink()
    assert close(not_kept, afterword).status_code in {200, 202}
    for story, link in ((refused, links[1]), (kept, kept.link()), (not_kept, not_kept.link())):
        requests.post(link, data={"rating": "2"}, timeout=30)
        eventually(lambda story=story: story.results)  # type: ignore[misc]
    eventually(lambda: answered.results)
    assert_once(answered, refused, kept, not_kept)


def test_redis_away_and_no_room_on_the_disk(told: Told, afterword: Afterword, server: RedisServer) -> None:
    story = told()
    link = asked(story, afterword)
    server.stop()
    try:
        with no_room_for(afterword):
            assert close(told(), afterword).status_code == 503
            form = requests.post(link, data={"rating": "2", "comment": "bliver"}, timeout=30)
            assert (form.status_code, "bliver" in form.text) == (503, True)
            degraded_by(afterword, "redis", "spool")
            assert eventually(lambda: readiness(afterword)[0] == 503)
        assert_thanked(link, rating="3")
    finally:
        server.start()
    eventually(lambda: story.results)
    assert_once(story)


def test_without_a_spool_an_outage_is_answered_503(told: Told, start: Starter) -> None:
    web = start(SURVEYS, "web", REDIS_URL=DEAD, SPOOL_DIR="off")
    answer = close(told(), web)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert degraded_by(web, "redis") == {"redis": "ConnectionError (nobody listens there)", "spool": "off"}
    assert readiness(web)[0] == 503
    web.stop()


def test_a_deploy_with_both_versions_side_by_side_loses_and_doubles_nothing(
    told: Told, afterword: Afterword, start: Starter, server: RedisServer, spool: Path
) -> None:
    stories = [told() for _ in range(40)]
    new = start(SURVEYS, REDIS_URL=server.url, SPOOL_DIR=str(spool))
    statuses: Counter[int] = Counter()
    halfway = Event()

    def send_to_old() -> None:
        for number, each in enumerate(stories):
            try:
                statuses[close(each, afterword).status_code] += 1
            except requests.RequestException:
                statuses[0] += 1
            if number == len(stories) // 2:
                halfway.set()

    sender = Thread(target=send_to_old)
    sender.start()
    halfway.wait(30)
    afterword.stop()
    sender.join()
    # Dixa repeats webhooks without a response, and sometimes others.
    assert {close(each, new).status_code for each in stories} <= {200, 202}
    eventually(lambda: all(each.sent for each in stories))
    assert statuses[202] > len(stories) // 2
    assert [(len(each.offers), len(each.sent)) for each in stories] == [(1, 1)] * len(stories)
    new.stop()
    afterword.start()


def test_the_web_refuses_to_start_without_its_spool(afterword: Afterword) -> None:
    """Gunicorn ends, instead of starting a worker again and again, and the operator reads what to do."""
    environ = {**afterword._environ, "SPOOL_DIR": "/proc/nowhere", "BIND": "127.0.0.1:0"}
    command = [sys.executable, "-m", *afterword._commands["web"].split()]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    output = ended.stdout + ended.stderr
    # Usually 4. When both workers end in the same moment gunicorn trips over the second, and ends with 1.
    assert ended.returncode != 0
    assert "SPOOL_DIR can't be used: /proc/nowhere: No such file or directory. Name a folder on a disk" in output


def timed(act: Callable[[], object]) -> float:
    begun_at = monotonic()
    act()
    return monotonic() - begun_at
