"""`/cards/dixa`: what an agent sees of a customer's surveys, and what nobody sees."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from service.records.answer_transitions import GivenAnswer
from service.records.failure_guard import MAX_FAILURES
from service.records.opt_outs import HashedOptOuts
from service.records.records import Records
from service.rules.identity import Identities
from service.rules.suppression import MAX_EARLIER
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.model import Claim, Close, Decision
from service.surveys.reasons import Reason
from service.surveys.states import Journey, Verdict
from tests.harness import AT_ONCE, CSAT, DAY
from tests.moments import moment
from tests.processes import PUBLIC_URL, SECRET_KEY, RedisServer
from tests.web.survey_client import make_client

IDA = "Ida.Holm+shop@example.com"
ENCODED = "Ida.Holm%2Bshop%40example.com"
IDENTITIES = Identities([SECRET_KEY])
TOKEN = "a-token-of-the-card-0123456789"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
FORM = "application/x-www-form-urlencoded"
COMMENT = "kumquat"


@pytest.fixture
def client(redis_url: str, keys: redis.Redis) -> FlaskClient:
    return make_client(redis_url, DIXA_CARD_TOKEN=TOKEN)


def accept(records: Records, number: int, terms: Survey = AT_ONCE, email: str | None = IDA, who: str = "ida") -> None:
    hashes = IDENTITIES.hashes_of(None, email)
    person = (*IDENTITIES.hashes_of(who), *hashes)
    close = Close(number, moment(), channel="Email", requester_id=who, person=person, email_hashes=hashes)
    records.accept(close, [terms])


def ask(records: Records, number: int, terms: Survey = AT_ONCE, email: str | None = IDA, who: str = "ida") -> Claim:
    """Decide to ask, as a worker with the card does."""
    accept(records, number, terms, email, who)
    claim = records.claim(Journey.OFFER, str(number))
    assert claim
    assert claim.record.close
    person = claim.record.close.person
    decided = records.decide(
        claim, Decision(Verdict.ASK), person=person, cooldown_retention=90 * DAY, max_earlier=MAX_EARLIER
    )
    assert decided == (Verdict.ASK, "")
    return claim


def deliver(records: Records, number: int, terms: Survey = AT_ONCE, **facts: Any) -> None:
    claim = ask(records, number, terms, **facts)
    for rating in terms.ratings:
        records.begin_call(claim, rating, [], timedelta())
        records.offered(claim, rating, f"rating-{number}")
    records.begin_delivery(claim, "email")
    records.delivered(claim)


def answer(records: Records, number: int, score: int, comment: str = "", *, is_suspect: bool = False) -> None:
    record = records.load(str(number))
    assert record
    records.save_answer(GivenAnswer(Link.to(record), AT_ONCE, {CSAT: score}, comment, "en", is_suspect))


def submit(records: Records, number: int) -> None:
    claim = records.claim(Journey.ANSWER, str(number))
    assert claim
    records.begin_call(claim, CSAT, [], timedelta())
    records.submitted(claim, CSAT, [CSAT])


def card(client: FlaskClient, query: str = f"email={ENCODED}") -> dict[str, Any]:
    response = client.get(f"/cards/dixa?{query}", base_url=PUBLIC_URL, headers=RIGHT)
    assert response.status_code == 200, response.text
    assert response.json
    assert IDA not in response.text
    found: dict[str, Any] = response.json["afterword"]
    return found


def test_an_answered_survey_is_shown_with_its_score(client: FlaskClient, records: Records) -> None:
    deliver(records, 48213)
    answer(records, 48213, 4, COMMENT)
    shown = card(client)["surveys"][0]
    assert shown["title"].startswith("Satisfaction: Satisfied (4 of 5), ")
    assert shown["text"].endswith("With a comment: see the conversation.")
    assert (shown["state"], shown["tone"], shown["scores"], shown["is_in_dixa"]) == (
        "answered",
        "good",
        {"Csat": 4},
        False,
    )
    submit(records, 48213)
    shown = card(client)["surveys"][0]
    assert (shown["state"], shown["is_in_dixa"]) == ("submitted", True)
    assert shown["text"].startswith("The result is in Dixa.")


def test_no_comment_is_shown_even_while_it_is_kept(client: FlaskClient, records: Records) -> None:
    deliver(records, 48213)
    answer(records, 48213, 1, COMMENT)
    record = records.load("48213")
    assert record
    assert record.answered.comment == COMMENT
    response = client.get(f"/cards/dixa?email={ENCODED}", base_url=PUBLIC_URL, headers=RIGHT)
    assert COMMENT not in response.text
    assert card(client)["surveys"][0]["has_comment"]


@pytest.mark.parametrize(
    "query",
    [
        f"email={ENCODED}",
        f"email={IDA}",
        f"email={ENCODED.lower()}&conversation=",
        f"email={ENCODED}&conversation=%7B%7Bcsid%7D%7D",
        f"email={ENCODED.replace('%', '%25')}",
        f"email=%20{ENCODED}",
    ],
)
def test_an_address_is_found_in_any_spelling(client: FlaskClient, records: Records, query: str) -> None:
    deliver(records, 48213)
    assert [each["survey_id"] for each in card(client, query)["surveys"]] == ["48213"]


def test_a_form_keeps_the_address_out_of_the_url(client: FlaskClient, records: Records) -> None:
    deliver(records, 48213)
    response = client.post(
        "/cards/dixa", base_url=PUBLIC_URL, headers=RIGHT, data=f"email={ENCODED}&conversation=48213", content_type=FORM
    )
    assert response.json
    assert response.json["afterword"]["surveys"][0]["is_this_conversation"]


@pytest.mark.parametrize(
    "query", ["email=", "email=%7B%7Bcustomer_email%7D%7D", "email=nobody", "email=&conversation="]
)
def test_a_customer_without_an_address_gets_an_empty_card(client: FlaskClient, records: Records, query: str) -> None:
    deliver(records, 48213)
    found = card(client, query)
    assert (found["headline"], found["surveys"]) == ("No survey yet", [])
    assert found["next"] == "A survey may follow when a conversation is closed."


def test_the_last_five_surveys_are_shown_latest_first(client: FlaskClient, records: Records) -> None:
    for number in range(1, 8):
        deliver(records, number, replace(AT_ONCE, cooldown=timedelta()))
    assert [each["survey_id"] for each in card(client)["surveys"]] == ["7", "6", "5", "4", "3"]


def test_the_conversation_leads_to_its_requester_without_an_address(client: FlaskClient, records: Records) -> None:
    deliver(records, 1, email=None)
    accept(records, 2, replace(AT_ONCE, delay=DAY), email=None)
    found = card(client, "email=&conversation=2")
    assert found["conversation"]["state"] == "waiting"
    assert found["conversation"]["due_at"]
    assert found["next"].startswith("Whether to ask this customer is decided at ")
    assert [each["survey_id"] for each in found["surveys"]] == ["1"]
    assert not card(client, "email=&conversation=3")["surveys"]


def test_a_skipped_survey_says_why(client: FlaskClient, records: Records) -> None:
    accept(records, 1)
    claim = records.claim(Journey.OFFER, "1")
    assert claim
    records.decide(claim, Decision(Verdict.SKIP, Reason.NOT_SAMPLED))
    found = card(client, f"email={ENCODED}&conversation=1")
    assert (found["conversation"]["state"], found["conversation"]["text"]) == ("skipped", Reason.NOT_SAMPLED.meaning)
    assert not found["surveys"]


def test_a_cooldown_says_until_when(client: FlaskClient, records: Records) -> None:
    deliver(records, 1)
    found = card(client)
    assert found["cooldown_until"]
    assert found["next"].startswith("The next survey is possible from ")
    assert found["surveys"][0]["title"].startswith("Asked by e-mail, ")
    assert found["surveys"][0]["text"].startswith("No answer yet. The link works until ")


def test_an_opt_out_comes_first(client: FlaskClient, records: Records, redis_url: str) -> None:
    deliver(records, 1)
    HashedOptOuts.beside(records).add("ida", IDENTITIES.hashes_of(None, IDA))
    for query in (f"email={ENCODED}", "email=&conversation=1"):
        found = card(client, query)
        assert found["is_opted_out"]
        assert found["next"].startswith("This customer wants no surveys since ")


def test_a_machines_click_is_named_as_one(client: FlaskClient, records: Records) -> None:
    deliver(records, 1)
    answer(records, 1, 5, is_suspect=True)
    assert "a machine may have opened the link" in card(client)["surveys"][0]["text"]


def test_an_erased_survey_is_shown_nowhere(client: FlaskClient, records: Records, keys: redis.Redis) -> None:
    for number in (1, 2, 3):
        deliver(records, number, replace(AT_ONCE, cooldown=timedelta()))
    for number in (2, 3):
        record = records.load(str(number))
        assert record
        records.erase(record)
    assert [each["survey_id"] for each in card(client, f"email={ENCODED}&conversation=3")["surveys"]] == ["1"]
    slots = [bytes(keys.get(name) or b"").split()[1:] for name in keys.scan_iter("afterword:asked:*")]  # type: ignore[arg-type]
    assert slots == [[b"3", b"1"]] * 2, "the holder still prevents a survey too soon"


@pytest.mark.parametrize("failure", [None, Reason.REFUSED])
def test_a_survey_on_its_way_or_failed_is_shown_as_such(
    client: FlaskClient, records: Records, failure: Reason | None
) -> None:
    claim = ask(records, 1)
    if failure:
        records.fail(claim, failure)
    found = card(client, f"email={ENCODED}&conversation=1")["conversation"]
    assert found["state"] == ("failed" if failure else "asked")
    assert found["title"] == ("Survey not sent" if failure else "Survey being sent")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("", "Send `email` ({{customer_email}}), `conversation` ({{csid}}), or both."),
        ("conversation=48x", "`conversation` is not a number. Send {{csid}}."),
    ],
)
def test_a_wrong_hook_url_says_what_to_write(client: FlaskClient, query: str, problem: str) -> None:
    response = client.get(f"/cards/dixa?{query}", base_url=PUBLIC_URL, headers=RIGHT)
    assert (response.status_code, response.json) == (400, {"problem": problem})


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}, {"Authorization": "Basic \xff"}]
)
def test_a_wrong_token_is_refused_and_limited(client: FlaskClient, headers: dict[str, str]) -> None:
    def get() -> int:
        return client.get(f"/cards/dixa?email={ENCODED}", base_url=PUBLIC_URL, headers=headers).status_code

    assert [get() for _ in range(MAX_FAILURES + 1)] == [401] * MAX_FAILURES + [429]
    assert card(client)["headline"] == "No survey yet", "a right token is never limited"


def test_another_body_than_a_form_is_refused(client: FlaskClient) -> None:
    response = client.post("/cards/dixa", base_url=PUBLIC_URL, headers=RIGHT, json={"email": IDA})
    assert (response.status_code, response.json) == (415, {"problem": f"Send {FORM}."})


def test_without_redis_the_card_says_so(own_redis: RedisServer) -> None:
    client = make_client(own_redis.url, DIXA_CARD_TOKEN=TOKEN)
    own_redis.stop()
    response = client.get(f"/cards/dixa?email={ENCODED}", base_url=PUBLIC_URL, headers=RIGHT)
    assert response.status_code == 503
    assert response.json == {"problem": "Redis can't be reached. Try again in a moment."}
