"""Opt-outs and opt-ins while Redis is down are spooled, confirmed, and drained with the answers."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from service.intake.spool_codec import SpooledOptOut, write_entry
from service.records.redis import RecordsUnavailable
from service.surveys.definition import Survey
from service.surveys.model import Close
from service.web.services import Services
from tests.processes import PUBLIC_URL, RedisServer
from tests.web.survey_client import LINK, TOKEN, make_client, sign
from tests.web.test_opt_out import ONE_CLICK, UNDO

REQUESTER = "requester-1"
PATH = f"/s/{TOKEN}/stop"


@dataclass
class Site:
    """A web process with a spool, and its Redis."""

    redis: RedisServer
    client: FlaskClient
    core: Services

    def post(self, data: object = None, path: str = PATH, **given: Any) -> TestResponse:
        return self.client.post(path, base_url=PUBLIC_URL, data=data, **given)

    def recover(self) -> None:
        self.redis.start()
        self.core.recovery.step()


@pytest.fixture
def site(own_redis: RedisServer, tmp_path: Path) -> Site:
    client = make_client(own_redis.url, SPOOL_DIR=str(tmp_path / "spool"))
    core: Services = client.application.extensions["afterword"]
    assert core.spool
    core.spool.prepare()
    core.records.accept(Close(81000, datetime.now(UTC), requester_id=REQUESTER), [Survey(delay=timedelta())])
    return Site(own_redis, client, core)


def has_stopped(site: Site) -> bool:
    return site.core.opt_outs.has(REQUESTER)


@pytest.mark.parametrize("data", [None, {}, ONE_CLICK])
def test_opt_out_during_outage_is_saved(site: Site, data: object) -> None:
    site.redis.stop()
    response = site.post(data)
    assert (response.status_code, "You will not be asked again" in response.text) == (200, True)
    site.recover()
    assert has_stopped(site)
    assert "You will not be asked again" in site.client.get(PATH, base_url=PUBLIC_URL).text


def test_opt_in_during_outage_is_saved(site: Site) -> None:
    site.post()
    site.redis.stop()
    response = site.post(UNDO)
    assert (response.status_code, "You may be asked again" in response.text) == (200, True)
    site.recover()
    assert not has_stopped(site)


@pytest.mark.parametrize("last", [True, False])
def test_order_of_opt_outs_and_opt_ins_is_kept(site: Site, *, last: bool) -> None:
    site.redis.stop()
    for is_stop in (last, not last, last):
        site.post(None if is_stop else UNDO)
    site.recover()
    assert has_stopped(site) is last


def test_choice_after_outage_overrides_spooled_choice(site: Site) -> None:
    """Redis is back before the spool is drained: another host may drain its spool later."""
    site.redis.stop()
    site.post()
    site.redis.start()
    site.core.records.ping()
    assert site.post(UNDO).status_code == 200
    site.core.recovery.step()
    assert not has_stopped(site)


def test_opt_out_is_spooled_when_redis_is_full(site: Site) -> None:
    with site.core.records._redis as client:
        client.config_set("maxmemory", "1")
        assert site.post().status_code == 200
        client.config_set("maxmemory", "0")
    site.core.recovery.step()
    assert has_stopped(site)


def test_without_spool_failure_is_reported(own_redis: RedisServer, site: Site) -> None:
    client = make_client(own_redis.url)
    own_redis.stop()
    for data, words in ((None, "Stop asking me"), (UNDO, "Keep asking me")):
        response = client.post(PATH, base_url=PUBLIC_URL, data=data)
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert "This is not saved" in response.text
        assert words in response.text


@pytest.mark.parametrize("is_opt_in", [True, False])
def test_spooled_opt_out_of_lost_record_is_logged(site: Site, *, is_opt_in: bool) -> None:
    lost = replace(LINK, survey_id="81001", conversation_id=81001)
    site.redis.stop()
    response = site.post(UNDO if is_opt_in else None, f"/s/{sign(lost)}/stop")
    assert response.status_code == 200
    with capture_logs() as logs:
        site.recover()
    [logged] = [each for each in logs if each["event"] == "opt_out.unknown"]
    assert (logged["log_level"], logged["survey_id"], logged["conversation_id"]) == ("error", "81001", 81001)
    assert site.core.spool
    assert site.core.spool.waiting() == 0


def test_insufficient_spooled_opt_in_is_logged(site: Site) -> None:
    """The page confirmed it, but the opt-out of another address still applies."""
    close = Close(81001, datetime.now(UTC), requester_id="requester-2", person=("address",), email_hashes=("address",))
    site.core.records.accept(close, [Survey(delay=timedelta())])
    site.core.opt_outs.add("address", at=datetime.now(UTC) - timedelta(hours=1))
    site.redis.stop()
    chat = replace(LINK, survey_id="81001", conversation_id=81001)
    assert site.post(UNDO, f"/s/{sign(chat)}/stop").status_code == 200
    with capture_logs() as logs:
        site.recover()
    [logged] = [each for each in logs if each["event"] == "opt_out.remains"]
    assert (logged["log_level"], logged["conversation_id"]) == ("error", 81001)
    assert site.core.opt_outs.has("address")


def test_unreadable_spool_file_is_set_aside_and_next_is_drained(site: Site) -> None:
    assert site.core.spool
    entry = write_entry(SpooledOptOut(LINK, is_opt_in=False, wished_at=datetime.now(UTC)))
    site.core.spool.put(entry | {"is_opt_in": "perhaps"})
    site.core.spool.put(entry)
    site.core.recovery.step()
    assert has_stopped(site)
    assert (site.core.spool.waiting(), site.core.spool.corrupt()) == (0, 1)


def test_page_shows_button_during_outage(site: Site) -> None:
    site.post()
    site.redis.stop()
    page = site.client.get(PATH, base_url=PUBLIC_URL)
    assert page.status_code == 200
    assert "<button" in page.text


def test_opt_out_stays_spooled_until_redis_accepts_it(site: Site) -> None:
    site.redis.stop()
    site.post()
    with pytest.raises(RecordsUnavailable):
        site.core.recovery.step()
    assert site.core.spool
    assert site.core.spool.waiting() == 1
