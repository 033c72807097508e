"""An operator runs `afterword opt-out` and `opt-in` for a customer."""

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.records.opt_outs import HashedOptOuts
from service.rules.identity import Identities
from tests.config.test_settings import GOOD
from tests.processes import RedisServer, patient

REQUESTER = "b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90"


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    return redis_server.new_database()


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], env={**GOOD, "REDIS_URL": url})


def test_requester_is_opted_out_and_opted_in(url: str) -> None:
    opt_outs = HashedOptOuts(patient(url))
    opt_outs.add("somebody-else")
    assert run(url, "opt-out", REQUESTER.upper()).exit_code == 0
    assert run(url, "opt-out", REQUESTER).exit_code == 0
    assert opt_outs.has(REQUESTER)
    opted_in = run(url, "opt-in", REQUESTER)
    assert (opted_in.exit_code, opt_outs.has(REQUESTER), opt_outs.has("somebody-else")) == (0, False, True)
    assert REQUESTER not in opted_in.output


def test_opt_in_without_an_opt_out_is_reported(url: str) -> None:
    result = run(url, "opt-in", REQUESTER)
    assert result.exit_code == 1
    assert "There is no opt-out for this" in result.output


@pytest.mark.parametrize(
    ("written", "variant", "email", "phone"),
    [
        ("ida@example.com", "Ida@Example.com", "ida@example.com", None),
        ("+4520123456", "0045 20 12 34 56", None, "+45 20123456"),
        (" +1 (415) 555-0132 ", "+1.415.555.0132", None, "+14155550132"),
        ("Ida@STRASSE.example ", "ida@strasse.example", "ida@strasse.example", None),
        ("ida@straße.example", "ida@xn--strae-oqa.example", "ida@xn--strae-oqa.example", None),
    ],
    ids=["address", "number", "number in brackets", "address in capitals", "non-ASCII address"],
)
def test_address_or_number_is_opted_out_and_opted_in(
    url: str, written: str, variant: str, email: str | None, phone: str | None
) -> None:
    opt_outs = HashedOptOuts(patient(url))
    traits = Identities([GOOD["SECRET_KEYS"]]).hashes_of(None, email, phone)
    assert run(url, "opt-out", written).exit_code == 0
    assert opt_outs.has("requester-2", traits)
    opted_in = run(url, "opt-in", variant)
    assert (opted_in.exit_code, opt_outs.has("requester-2", traits)) == (0, False)
    assert written not in opted_in.output


def test_opt_in_by_address_ends_the_opt_out_of_its_requester(url: str) -> None:
    opt_outs = HashedOptOuts(patient(url))
    traits = Identities([GOOD["SECRET_KEYS"]]).hashes_of(None, "ida@example.com")
    opt_outs.add(REQUESTER, traits)
    assert run(url, "opt-in", "ida@example.com").exit_code == 0
    assert not opt_outs.has(REQUESTER, traits)


@pytest.mark.parametrize("command", ["opt-out", "opt-in"])
@pytest.mark.parametrize(
    "customer",
    [
        *("ida", "48201", "ida@", "7b2d1c3e", "+45", "anonymous", "", "00000000"),
        # Numbers that can't exist.
        *("20 12 34 56", "4520123456", "020 7946 0958", "+44 (0)20 7946 0958", "++4520123456", "45+20123456"),
    ],
)
def test_invalid_customer_is_refused_and_nothing_is_written(url: str, command: str, customer: str) -> None:
    result = run(url, command, customer)
    assert result.exit_code == 2
    assert "not a requester's id, an e-mail address or a telephone number" in " ".join(result.output.split())
    assert patient(url).dbsize() == 0


@pytest.mark.parametrize("command", ["opt-out", "opt-in"])
def test_unavailable_redis_is_reported(command: str) -> None:
    result = run("redis://127.0.0.1:1/0", command, REQUESTER)
    assert result.exit_code == 1
    assert "Redis is unavailable" in result.output
