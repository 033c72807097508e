"""`afterword stop` and `unstop`: an operator does what a customer asks for on the phone."""

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.surveys.stops import HashedStops
from tests.config.test_settings import GOOD
from tests.running import RedisServer, patient

REQUESTER = "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90"


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], env={**GOOD, "REDIS_URL": url})


def test_a_stop_and_its_end(url: str) -> None:
    stops = HashedStops(patient(url))
    stops.add("somebody-else")
    assert run(url, "stop", REQUESTER.upper()).exit_code == 0
    assert run(url, "stop", REQUESTER).exit_code == 0
    assert stops.has(REQUESTER)
    undone = run(url, "unstop", REQUESTER)
    assert (undone.exit_code, stops.has(REQUESTER), stops.has("somebody-else")) == (0, False, True)
    assert REQUESTER not in undone.output


def test_who_has_not_stopped_is_told(url: str) -> None:
    result = run(url, "unstop", REQUESTER)
    assert result.exit_code == 1
    assert "has not stopped" in result.output


@pytest.mark.parametrize("command", ["stop", "unstop"])
def test_what_is_no_id_stops_nobody(url: str, command: str) -> None:
    result = run(url, command, "ida@example.com")
    assert result.exit_code == 2
    assert "not a requester's id" in result.output
    assert patient(url).dbsize() == 0


@pytest.mark.parametrize("command", ["stop", "unstop"])
def test_without_redis_nothing_is_claimed(command: str) -> None:
    result = run("redis://127.0.0.1:1/0", command, REQUESTER)
    assert result.exit_code == 1
    assert "Redis can't be asked" in result.output
