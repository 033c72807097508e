"""Each person has one cooldown slot in all conversations, and a daily cap limits each survey."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.records.records import Records
from service.sandbox.dixa.model import Person
from service.surveys.definition import Survey
from service.surveys.match import Match
from service.surveys.model import Close, Decision, Record
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState, Verdict
from tests.harness import AT_ONCE, Story
from tests.journeys.mail_story import MESSAGE_FIRST, MailStory

DAY = timedelta(days=1)
IDA = Person("Ida Holm", "ida@example.com", "+4520123456")
BO = Person("Bo Lind", "bo@example.com", "+4520999999")


def closed(story: Story, requester: Person = IDA, terms: Survey = AT_ONCE, **facts: Any) -> str:
    return story.close(story.dixa.make_conversation(requester=requester, **facts), terms)


def is_asked(record: Record) -> bool:
    if record.offer.state is OfferState.DELIVERED:
        return True
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.ASKED_RECENTLY)
    return False


@pytest.mark.parametrize("attempt", range(5))
def test_simultaneous_closes_of_one_customer_send_one_survey(story: Story, attempt: int) -> None:
    surveys = [closed(story), closed(story)]
    start = Barrier(2)

    def ask(survey_id: str) -> None:
        start.wait()
        story.ask(survey_id)

    threads = [Thread(target=ask, args=[survey_id]) for survey_id in surveys]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(is_asked(story.load(survey_id)) for survey_id in surveys) == [False, True]
    assert len(story.dixa.offers()) == 1
    assert len(story.dixa.messages()) == 1


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(IDA, True, id="the same requester"),
        pytest.param(Person("I. Holm", "IDA@example.com"), True, id="another requester with the same address"),
        pytest.param(Person("Mobile", None, "0045 2012 3456"), True, id="another requester with the same number"),
        pytest.param(BO, False, id="somebody else"),
        pytest.param(Person("Nobody known"), False, id="a requester without address and number"),
    ],
)
def test_person_with_two_requester_ids_is_asked_once(story: Story, other: Person, *, is_same: bool) -> None:
    assert is_asked(story.ask(closed(story)))
    assert is_asked(story.ask(closed(story, other))) is not is_same


def reopen_after_a_failure(story: Story, survey_id: str) -> None:
    """Make the first offer fail, and reopen the conversation before the retry."""
    story.dixa.fails(1, 503, call="offer")
    story.after("offer", lambda: story.dixa.reopen(int(survey_id)))


UNUSED: dict[str, Callable[[Story, str], object]] = {
    "the message was refused": lambda story, _: story.dixa.fails(1, 400, call="message"),
    "the offer was refused": lambda story, _: story.dixa.fails(1, 400, call="offer"),
    "the conversation was reopened": reopen_after_a_failure,
}


@pytest.mark.parametrize("ends", UNUSED)
def test_unused_cooldown_slot_is_released(story: Story, ends: str) -> None:
    first = closed(story)
    UNUSED[ends](story, first)
    assert story.ask(first).offer.state in (OfferState.FAILED, OfferState.CANCELLED)
    assert is_asked(story.ask(closed(story)))
    assert not is_asked(story.ask(closed(story)))


def test_released_cooldown_slot_gets_its_old_value(story: Story) -> None:
    """The first slot still counts for longer cooldowns."""
    often, seldom = replace(AT_ONCE, cooldown=timedelta()), replace(AT_ONCE, name="seldom", cooldown=30 * DAY)
    assert is_asked(story.ask(closed(story, terms=often)))
    story.dixa.fails(1, 400, call="message")
    assert story.ask(closed(story, terms=often)).offer.state is OfferState.FAILED
    assert not is_asked(story.ask(closed(story, terms=seldom)))


def set_cooldown_age(client: redis.Redis, prefix: str, ago: timedelta) -> None:
    """Change the age of all cooldown slots."""
    keys = list(client.scan_iter(f"{prefix}asked:*"))
    assert keys
    at = int((datetime.now(UTC) - ago).timestamp() * 1000)
    for key in keys:
        holder = str(client.get(key)).split(" ")[1]
        client.set(key, f"{at} {holder}", keepttl=True)


@pytest.mark.parametrize(
    ("first", "cooldown", "ago", "asked"),
    [
        pytest.param(30, 30, 29, False, id="too soon"),
        pytest.param(30, 30, 31, True, id="long enough ago"),
        pytest.param(1, 90, 31, False, id="another survey waits longer"),
        pytest.param(90, 1, 2, True, id="another survey waited longer"),
        pytest.param(30, 0, 0, True, id="asked each time"),
    ],
)
def test_customer_is_not_asked_twice_within_the_cooldown(
    story: Story, redis_client: redis.Redis, prefix: str, first: int, cooldown: int, ago: int, *, asked: bool
) -> None:
    assert is_asked(story.ask(closed(story, terms=replace(AT_ONCE, cooldown=first * DAY))))
    set_cooldown_age(redis_client, prefix, ago * DAY)
    later = replace(AT_ONCE, name="later", cooldown=cooldown * DAY)
    assert is_asked(story.ask(closed(story, terms=later))) is asked


def test_cooldown_slot_is_kept_for_the_longest_cooldown(story: Story, redis_client: redis.Redis, prefix: str) -> None:
    """The story has a survey with a cooldown of 30 days."""
    story.ask(closed(story, terms=replace(AT_ONCE, cooldown=timedelta(hours=1))))
    for key in redis_client.scan_iter(f"{prefix}asked:*"):
        assert 29 * DAY < timedelta(milliseconds=int(redis_client.pttl(key))) <= 30 * DAY


def test_redis_contains_no_readable_personal_data(story: Story, redis_client: redis.Redis, prefix: str) -> None:
    story.ask(closed(story))
    keys = [*redis_client.scan_iter(f"{prefix}*")]
    assert sum("asked:" in key for key in keys) == 3
    held = " ".join([*keys, *map(str, (redis_client.hgetall(key) for key in keys if "survey:" in key))])
    assert all(trait not in held for trait in ("ida@example", "20123456", "Ida"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 2**40), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_longer_cooldown_asks_no_additional_customer(
    records: Records, redis_client: redis.Redis, prefix: str, number: int, ago: int, one: int, other: int
) -> None:
    shorter, longer = sorted((one, other))
    at = int((datetime.now(UTC) - ago * DAY).timestamp() * 1000)

    def verdict(days: int) -> str:
        redis_client.set(f"{prefix}asked:somebody", f"{at} another")
        redis_client.delete(f"{prefix}survey:{number}")
        terms = replace(AT_ONCE, cooldown=days * DAY)
        records.accept(Close(number, datetime.now(UTC)), [terms])
        claim = records.claim(Journey.OFFER, str(number))
        assert claim
        return records.decide(claim, Decision(Verdict.ASK, survey=terms), person=["somebody"])[0]

    verdicts = (verdict(shorter), verdict(longer))
    assert verdicts in {("ask", "ask"), ("ask", "skipped"), ("skipped", "skipped")}
    assert verdict(longer) == verdicts[1]


def test_daily_cap_limits_the_surveys_of_a_day(story: Story) -> None:
    capped = replace(AT_ONCE, daily_cap=2)
    ended = [story.ask(closed(story, Person(f"No. {number}"), capped)) for number in range(4)]
    assert [record.offer.reason for record in ended] == ["", "", Reason.DAILY_CAP, Reason.DAILY_CAP]
    assert len(story.dixa.offers()) == 2
    assert is_asked(story.ask(closed(story, Person("For another"), replace(capped, name="another"))))
    assert story.records.count_decisions(today()) == {"asked": 3, "daily_cap": 2}


def test_survey_skipped_by_the_cap_takes_no_cooldown_slot(story: Story) -> None:
    capped = replace(AT_ONCE, daily_cap=1)
    story.ask(closed(story, BO, capped))
    assert story.ask(closed(story, IDA, capped)).offer.reason == Reason.DAILY_CAP
    assert is_asked(story.ask(closed(story, IDA)))


def test_every_close_is_counted_once(story: Story) -> None:
    """A repeated decision is counted once, with its final outcome."""
    first = closed(story)
    reopen_after_a_failure(story, first)
    story.ask(first)
    story.ask(closed(story))
    story.ask(closed(story))
    closed(story, BO, replace(AT_ONCE, match=Match(directions=("Inbound",))), direction="Outbound")
    counted = story.records.count_decisions(today())
    assert counted == {"reopened": 1, "asked": 1, "asked_recently": 1, "direction": 1}


def test_pause_blocks_every_claim_until_the_resume(story: Story) -> None:
    story.records.pause()
    survey_id = closed(story)
    for _ in range(3):
        story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.WAITING
    assert story.dixa.calls == []
    assert story.records.paused_since()
    assert story.records.resume()
    assert is_asked(story.ask(survey_id))
    assert not story.records.resume()


def test_pause_during_a_journey_prevents_the_delivery(story: Story) -> None:
    """A call in flight is reconciled during a pause. The next step waits."""
    survey_id = closed(story)
    story.dixa.executes_then_drops(1, call="offer")
    story.after("offer", story.records.pause)
    story.offering.run(survey_id)
    while story.load(survey_id).offer.call:
        story.offering.run(survey_id)
    story.offering.run(survey_id)
    assert story.load(survey_id).offer.state is OfferState.OFFERED
    assert story.dixa.messages() == []
    story.records.resume()
    assert is_asked(story.ask(survey_id))


def today() -> date:
    return datetime.now(UTC).date()


def test_opt_out_applies_to_other_requesters_of_the_person(story: Story) -> None:
    first = story.load(closed(story))
    assert first.close
    assert first.close.requester_id
    story.opt_outs.add(first.close.requester_id, first.close.person)
    same = Person("I. Holm", "IDA@example.com")
    assert story.ask(closed(story, same)).offer.reason == Reason.OPTED_OUT
    assert story.ask(closed(story, BO)).offer.state is OfferState.DELIVERED
    assert story.opt_outs.remove(first.close.requester_id)
    assert story.ask(closed(story, same)).offer.state is OfferState.DELIVERED
    assert not story.opt_outs.remove(first.close.requester_id)


def test_opted_out_requester_is_not_asked(mail_story: MailStory) -> None:
    ida = Person("Ida Holm", "ida@example.com")
    mail_story.story.opt_outs.add(ida.id)
    for terms in (MESSAGE_FIRST, AT_ONCE):
        record = mail_story.ask(terms, requester=ida)
        assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.OPTED_OUT)
        assert mail_story.dixa.offers(record.conversation_id) == []
    assert mail_story.ask(MESSAGE_FIRST).offer.state is OfferState.DELIVERED


def test_opt_out_is_stored_as_a_hash_without_expiry(mail_story: MailStory) -> None:
    mail_story.story.opt_outs.add("b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90")
    keys = [str(key) for key in mail_story._redis.scan_iter(f"{mail_story._prefix}stop*")]
    assert len(keys) == 2
    assert not any("b1d6a0c2" in each for key in keys for each in (key, str(mail_story._redis.get(key))))
    assert {mail_story._redis.ttl(key) for key in keys} == {-1}
