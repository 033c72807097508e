"""`afterword show-person` and `erase`: everything kept of a person is found by one identity, and erased once."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from service.dixa.events import load_event
from service.intake.intake import Intake
from service.intake.spool import Spool
from service.intake.spool_codec import SpooledClose, write_entry
from service.records.opt_outs import HashedOptOuts
from service.records.short_links import ShortLinks
from service.rules.identity import Identities
from service.sandbox.dixa.model import Person
from service.sandbox.dixa.webhooks import closed_event
from service.surveys.definition import Survey
from service.surveys.links import Link
from service.surveys.reasons import Reason
from service.surveys.states import OfferState
from tests.cli.conftest import Runner
from tests.contents import contents
from tests.harness import AT_ONCE, CSAT, Story, without_redis
from tests.moments import moment
from tests.processes import SECRET_KEY

IDA = Person("Ida Holm", "ida@example.com", "+4512345678")
BO = Person("Bo Lund", "bo@example.com", "+4587654321")
SECRET = "My card is 4711"
LATER = replace(AT_ONCE, delay=timedelta(days=1))
COOLDOWN = replace(AT_ONCE, cooldown=timedelta(days=30))


def send(story: Story, customer: Person = IDA, terms: Survey = AT_ONCE) -> str:
    """Send a survey to this customer, and return its id."""
    survey_id = story.close(story.dixa.make_conversation(requester=customer, channel="Email"), terms)
    story.run_until(
        story.offering, survey_id, lambda record: record.offer.state in ("delivered", "reminding", "skipped")
    )
    return survey_id


def requester_of(story: Story, survey_id: str) -> str:
    return story.dixa.conversation(int(survey_id)).requester.id


IDENTITIES: dict[str, Callable[[Story, str], str]] = {
    "id": requester_of,
    "address": lambda _story, _id: "IDA@example.com",
    "number": lambda _story, _id: "+45 12 34 56 78",
}


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_each_identity_finds_and_erases_all_surveys_of_the_person(
    run: Runner, story: Story, keys: redis.Redis, identity: Callable[[Story, str], str]
) -> None:
    answered, waiting, other = (
        send(story),
        story.close(story.dixa.make_conversation(requester=IDA), LATER),
        send(story, BO),
    )
    story.answer(answered, {CSAT: 1}, SECRET)
    customer = identity(story, answered)
    others = keys.hgetall(f"afterword:survey:{other}")
    assert f"Surveys: 2 ({', '.join(sorted([answered, waiting]))})" in run("show-person", customer).output
    output = run("erase", customer, "--yes").output
    assert "Surveys erased: 2." in output
    assert SECRET not in output
    for survey_id in (answered, waiting):
        record = story.load(survey_id)
        assert (record.offer.state, record.offer.reason) == (OfferState.CANCELLED, Reason.ERASED)
    assert story.answer(answered, {CSAT: 2}) == "closed"
    # The names of the cooldown slots are hashes, and stay.
    kept = json.dumps({str(key): str(value) for key, value in contents(keys, but="afterword:asked:").items()})
    assert story.records.count_waiting() == 0
    for secret in (SECRET, requester_of(story, answered), *Identities([SECRET_KEY]).hashes_of(None, IDA.email)):
        assert secret not in kept, secret
    key = f"afterword:survey:{other}"
    assert keys.hgetall(key) == others


def test_second_erasure_changes_nothing(run: Runner, story: Story, keys: redis.Redis) -> None:
    survey_id = send(story, terms=COOLDOWN)
    run("erase", IDA.email, "--yes")
    before = contents(keys, but="afterword:erased")
    output = run("erase", IDA.email, "--yes").output
    assert "Surveys: 0" in output
    assert "erased:" not in output
    assert contents(keys, but="afterword:erased") == before
    assert story.load(survey_id).offer.reason == Reason.ERASED


def test_address_leads_to_all_surveys_of_its_requester(run: Runner, story: Story) -> None:
    """One of them came by telephone, so its record has no hash of the address."""
    by_mail = story.close(story.dixa.make_conversation(requester=IDA))
    by_phone = story.close(story.dixa.make_conversation(requester=IDA), email=None)
    assert story.load(by_phone).close
    assert "Surveys: 2" in run("show-person", IDA.email).output
    run("erase", IDA.email, "--yes")
    assert {story.load(each).offer.reason for each in (by_mail, by_phone)} == {Reason.ERASED}


def test_agent_of_others_surveys_is_not_their_customer(run: Runner, story: Story, tmp_path: Path) -> None:
    """Dixa's agents may have conversations of their own."""
    own = send(story)
    others = story.close(story.dixa.make_conversation(requester=BO), LATER, agent_id=requester_of(story, own))
    spool = Spool(tmp_path / "spool", max_bytes=10**7)
    close = story.load(others).close
    assert close
    spool.put(write_entry(SpooledClose(close, (), None)))
    shown = json.loads(run("show-person", IDA.email, "--json", SPOOL_DIR=str(tmp_path / "spool")).stdout)
    assert [each["survey_id"] for each in shown["surveys"]] == [own]
    assert shown["spooled"] == []


def test_nothing_is_erased_without_consent(run: Runner, story: Story, keys: redis.Redis) -> None:
    send(story)
    before = contents(keys, but="afterword:posted:")
    result = run("erase", IDA.email, fails=True)
    assert "Erase it? This can't be undone. [y/N]" in result.output
    assert contents(keys, but="afterword:posted:") == before


def test_unknown_person_has_nothing(run: Runner, story: Story) -> None:
    send(story)
    for command in (("show-person",), ("erase", "--yes")):
        assert "Nothing is kept of this person." in run(*command, BO.email).output
    assert json.loads(run("show-person", BO.email, "--json").stdout)["surveys"] == []


@pytest.mark.parametrize("customer", ["Ida", "48201", "+44 (0)20 7946 0000", ""])
def test_anything_else_is_refused(run: Runner, customer: str) -> None:
    assert "not a requester's id, an e-mail address or a telephone number" in run("erase", customer, fails=True).output


def test_cooldown_slot_stays_and_prevents_a_survey(run: Runner, story: Story) -> None:
    send(story, terms=COOLDOWN)
    shown = json.loads(run("show-person", IDA.email, "--json").stdout)["cooldown_slots"]
    assert {each["identity"] for each in shown} == {"requester's id", "e-mail address", "telephone number"}
    assert "Kept: 3 cooldown slots" in run("erase", IDA.email, "--yes").output
    later = send(story, terms=COOLDOWN)
    assert story.load(later).offer.reason == Reason.ASKED_RECENTLY


def test_opt_out_stays_unless_it_is_to_be_forgotten(run: Runner, story: Story, keys: redis.Redis) -> None:
    survey_id = send(story)
    opt_outs, requester = HashedOptOuts(keys), requester_of(story, survey_id)
    hashes = Identities([SECRET_KEY]).hashes_of(None, IDA.email)
    opt_outs.add(requester, hashes)
    opt_outs.add("somebody-else")
    assert "Opt-outs: 2 (e-mail address, requester's id)" in run("show-person", requester).output
    assert "Kept: 2 opt-outs" in run("erase", requester, "--yes").output
    assert opt_outs.has(requester)
    assert opt_outs.has("", hashes)
    # The record is gone, and with it the way from the id to the address. The opt-out itself knows it.
    output = run("erase", requester, "--yes", "--opt-outs").output
    assert "Opt-outs deleted: 2. This person may be asked again." in output
    assert not opt_outs.has(requester, hashes)
    assert opt_outs.has("somebody-else")
    assert not [*keys.scan_iter("afterword:unstopped:*")]


def test_everything_kept_is_shown_as_json(run: Runner, story: Story, keys: redis.Redis) -> None:
    survey_id = send(story, terms=replace(AT_ONCE, reminder=timedelta(days=3)))
    story.answer(survey_id, {CSAT: 2}, f"{SECRET} {{[")
    link = ShortLinks(keys, "https://survey.example").shorten(survey_id, "https://survey.example/s/a.b.c", timedelta(1))
    keys.set(f"afterword:retry:{survey_id}:email", "ida@example.com")
    shown = json.loads(run("show-person", IDA.email, "--json").stdout)
    (survey,) = shown["surveys"]
    fields = keys.hgetall(f"afterword:survey:{survey_id}")
    assert {each for each in fields if isinstance(each, str)} <= {*survey}
    assert (survey["survey_id"], survey["comment"], survey["score:Csat"]) == (survey_id, f"{SECRET} {{[", "2")
    assert survey["short_link_code"] == link.rpartition("/")[2]
    assert survey["kept_for_retry"] == {"email": "ida@example.com"}
    assert survey["close"]["requester_id"] == requester_of(story, survey_id)
    assert datetime.now(UTC) - datetime.fromisoformat(survey["accepted_at"]) < timedelta(hours=1)
    assert shown["requester_ids"] == [requester_of(story, survey_id)]
    # The agent is another person.
    agent = story.load(survey_id).close
    assert agent
    assert agent.agent_id
    assert agent.agent_id not in json.dumps(shown)


def test_kept_address_and_comment_of_a_failed_survey_are_erased(run: Runner, story: Story, keys: redis.Redis) -> None:
    survey_id = send(story)
    for name in ("email", "comment"):
        keys.set(f"afterword:retry:{survey_id}:{name}", SECRET)
    run("erase", IDA.email, "--yes")
    assert not [*keys.scan_iter("afterword:retry:*")]


def test_spooled_entries_of_this_host_are_shown_and_erased(run: Runner, story: Story, tmp_path: Path) -> None:
    survey_id = send(story)
    folder = tmp_path / "spool"
    spool = Spool(folder, max_bytes=10**7)
    away = Story(story.records._redis, "afterword:", story.dixa)
    away.records = without_redis(story.records)
    intake = away.intake(AT_ONCE, spool=spool)
    for customer in (IDA, BO):
        _spool_close(story, intake, customer)
    link = Link.to(story.load(survey_id))
    intake.take_opt_out(link, is_opt_in=False)
    (folder / "corrupt").mkdir()
    (folder / "corrupt" / "1.json").write_text(f'{{"close": "{requester_of(story, survey_id)}', encoding="utf-8")
    shown = json.loads(run("show-person", IDA.email, "--json", SPOOL_DIR=str(folder)).stdout)
    assert len(shown["spooled"]) == 3
    output = run("erase", IDA.email, "--yes", SPOOL_DIR=str(folder)).output
    assert "Spooled entries deleted: 2." in output
    assert "Kept: 1 spooled opt-outs." in output
    left = [json.loads(each.read_text(encoding="utf-8")) for each in sorted(folder.glob("*.json"))]
    assert [each["kind"] for each in left] == ["close", "several"]
    assert requester_of(story, survey_id) not in json.dumps(left)
    assert not [*(folder / "corrupt").glob("*.json")]


def _spool_close(story: Story, intake: Intake, customer: Person) -> None:
    number = story.dixa.make_conversation(requester=customer)
    story.dixa.close(number)
    body = json.dumps(
        closed_event(story.dixa.conversation(number), story.dixa.state.organization, at=moment())
    ).encode()
    close = load_event(body, datetime.now(UTC)).close
    assert close
    assert intake.take_close(close) == "spooled"


def test_erased_data_leaves_the_append_only_file(run: Runner, story: Story, keys: redis.Redis) -> None:
    survey_id = send(story)
    story.answer(survey_id, {CSAT: 1}, SECRET)
    output = run("erase", IDA.email, "--yes").output
    assert "append-only file" in output
    # Without a rewrite now, the sign makes a worker ask for one.
    assert ("Redis rewrites" in output) is not bool(keys.exists("afterword:erased"))


def test_redis_must_be_reachable(run: Runner) -> None:
    for command in (("show-person",), ("erase", "--yes")):
        result = run(*command, IDA.email, fails=True, REDIS_URL="redis://127.0.0.1:1/0")
        assert "Redis is unavailable" in result.output
