"""The link goes by the first usable channel. After a permanent failure the next one follows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis

from config.endpoints import SignedEndpoint
from service.delivery.email.smtp import EmailDelivery
from service.delivery.email.text import EmailBranding
from service.delivery.message import MessageDelivery
from service.delivery.webhook import WebhookDelivery
from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.surveys.definition import OnReclose
from service.surveys.links import Link
from service.surveys.mailbox import Mailbox
from service.surveys.model import UNCONFIRMED, Record
from service.surveys.ports import Delivery
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState
from tests.harness import AT_ONCE, CSAT, QUICK, Story, open_client
from tests.receiver import SECRET, receiving
from tests.smtp import Post, post_office

BRANDING = EmailBranding(Mailbox("survey@northwind.example"), None, "Northwind", "https://survey.example")
MESSAGE_FIRST = replace(AT_ONCE, deliver=("message", "email"))
EMAIL_FIRST = replace(AT_ONCE, deliver=("email", "message"))
TIMINGS = replace(QUICK, step_budget=timedelta(seconds=1.5), lease=timedelta(seconds=3.2))


class Chain:
    """A story with both channels and a mail server."""

    def __init__(self, client: redis.Redis, prefix: str, dixa: Sandbox, post: Post, email: EmailDelivery) -> None:
        channels: list[Delivery] = [MessageDelivery(open_client(dixa, client, prefix)), email]
        self.story = Story(client, prefix, dixa, timings=TIMINGS, deliveries=channels)
        self.post = post
        self.dixa = dixa
        self._redis = client
        self._prefix = prefix

    def ask(self, terms: object, **facts: object) -> Record:
        return self.story.ask(self.story.begin(terms, **facts))  # type: ignore[arg-type]

    def field(self, record: Record, name: str) -> str | None:
        return self._redis.hget(f"{self._prefix}survey:{record.survey_id}", name)  # type: ignore[return-value]

    def went(self, record: Record) -> tuple[int, int]:
        """How many messages and mails there are."""
        messages = [each for each in self.dixa.messages(record.conversation_id) if each.external_id]
        return len(messages), len(self.post.mails)


@pytest.fixture
def chain(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> Iterator[Chain]:
    with post_office() as (post, server):
        made: list[Chain] = []

        class Marks:
            def extend_lease(self, survey_id: str) -> bool:
                return made[0].story.records.extend_lease(survey_id)

            def begin_email(self, survey_id: str) -> bool:
                return made[0].story.records.begin_email(survey_id)

        made.append(
            Chain(
                redis_client, prefix, dixa, post, EmailDelivery(server, BRANDING, Marks(), budget=TIMINGS.step_budget)
            )
        )
        yield made[0]


def test_a_message_goes_where_one_can(chain: Chain) -> None:
    record = chain.ask(MESSAGE_FIRST)
    assert (record.offer.channel, chain.went(record)) == ("message", (1, 0))


@pytest.mark.parametrize(
    "facts", [{"channel": "PstnPhone"}, {"channel": "FacebookMessenger"}, {"channel": "Email", "agent": False}]
)
def test_where_no_message_can_go_a_mail_does(chain: Chain, facts: dict[str, object]) -> None:
    record = chain.ask(MESSAGE_FIRST, **facts)
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "email")
    assert chain.went(record) == (0, 1)


def test_channels_are_tried_in_the_order_of_deliver(chain: Chain) -> None:
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.channel, chain.went(record)) == ("email", (0, 1))


def test_a_customer_without_an_address_is_not_reached_by_mail(chain: Chain) -> None:
    nobody = Person("Ida Holm", phone="+4520112233")
    record = chain.ask(MESSAGE_FIRST, channel="PstnPhone", requester=nobody)
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.UNREACHABLE)
    assert chain.dixa.offers(record.conversation_id) == []


def test_a_refused_message_is_mailed(chain: Chain) -> None:
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(MESSAGE_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.failed) == (
        OfferState.DELIVERED,
        "email",
        ("message",),
    )
    assert chain.went(record) == (0, 1)


def test_a_refused_mail_becomes_a_message(chain: Chain) -> None:
    chain.post.answers["RCPT"] = "550 5.1.1 No such mailbox"
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.failed) == (
        OfferState.DELIVERED,
        "message",
        ("email",),
    )
    assert chain.went(record) == (1, 0)


def test_offer_fails_after_all_channels_refused(chain: Chain) -> None:
    chain.post.answers["RCPT"] = "550 5.1.1 No such mailbox"
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.reason, record.offer.failed) == (
        OfferState.FAILED,
        Reason.REFUSED,
        ("email", "message"),
    )


def test_404_of_a_proxy_is_no_answer_about_the_conversation(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    with receiving() as receiver:
        receiver.next["/"] = [404]
        sender = WebhookDelivery(SignedEndpoint(receiver.url, SECRET), "en")
        story = Story(redis_client, prefix, dixa, timings=TIMINGS, deliveries=[sender])
        record = story.ask(story.begin(replace(AT_ONCE, deliver=("webhook",))))
        assert [post.status for post in receiver.posts] == [404, 204]
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "webhook")


def test_retry_uses_the_last_channel(chain: Chain) -> None:
    chain.post.answers["RCPT"] = "550 5.1.1 No such mailbox"
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(EMAIL_FIRST)
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    assert chain.story.ask(record.survey_id).offer.state is OfferState.DELIVERED
    assert chain.went(record) == (1, 0)


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "dot"])
def test_busy_server_gets_the_mail_later_and_once(chain: Chain, place: str) -> None:
    chain.post.answers[place] = "451 4.3.0 Later"
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.story.offering.run(survey_id)
    between = chain.story.load(survey_id)
    assert (between.offer.state, between.offer.tries, between.offer.mailed_at) == (OfferState.OFFERED, 1, None)
    chain.post.answers.clear()
    record = chain.story.ask(survey_id)
    assert (record.offer.state, chain.went(record)) == (OfferState.DELIVERED, (0, 1))
    assert len(chain.dixa.offers(record.conversation_id)) == 1


def test_server_busy_for_too_long_ends_the_delivery(chain: Chain) -> None:
    chain.post.answers["RCPT"] = "451 4.3.0 Later"
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.story.offering.run(survey_id)
    past = int((datetime.now(UTC) - timedelta(hours=73)).timestamp() * 1000)
    chain._redis.hset(f"{chain._prefix}survey:{survey_id}", mapping={"accepted_at": past})
    record = chain.story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.TOO_LATE)
    assert chain.went(record) == (0, 0)


def test_possible_delivery_by_webhook_excludes_other_channels(
    redis_client: redis.Redis, prefix: str, dixa: Sandbox
) -> None:
    with receiving() as receiver:
        receiver.next["/"] = [502, 503, 503, 503]
        channels: list[Delivery] = [
            WebhookDelivery(SignedEndpoint(receiver.url, SECRET), "en"),
            MessageDelivery(open_client(dixa, redis_client, prefix)),
        ]
        story = Story(redis_client, prefix, dixa, deliveries=channels)
        record = story.ask(story.begin(replace(AT_ONCE, deliver=("webhook", "message"))))
        posts = len(receiver.posts)
    assert posts > 0
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "webhook")
    assert dixa.messages(record.conversation_id) == []


def test_whatsapp_is_left_once_its_window_is_over(chain: Chain) -> None:
    """It is over for the delivery as it was for the decision, at once and after a worker died between them."""
    for is_late in (False, True):
        number = chain.dixa.make_conversation(channel="WhatsApp")
        chain.dixa.state.conversation(number).transport_expires_at = datetime.now(UTC) - timedelta(hours=3)
        survey_id = chain.story.close(number, MESSAGE_FIRST)
        if is_late:
            chain.dixa.state.conversation(number).transport_expires_at = None
            chain.dixa.fails(1, 503, call="message")
            chain.story.offering.run(survey_id)
            assert chain.story.load(survey_id).offer.state is OfferState.DELIVERING
            chain.dixa.state.conversation(number).transport_expires_at = datetime.now(UTC) - timedelta(hours=3)
        record = chain.story.ask(survey_id)
        assert (record.offer.channel, chain.dixa.messages(number)) == ("email", [])


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_lost_answer_to_the_dot_is_not_asked_for_again(chain: Chain, is_kept: bool) -> None:  # noqa: FBT001
    chain.post.drops.add("dot")
    chain.post.keeps_what_it_drops = is_kept
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.note) == (OfferState.DELIVERED, "email", UNCONFIRMED)
    assert chain.post.commands.count("dot") == 1
    assert chain.went(record) == (0, int(is_kept))


def test_crash_at_the_last_dot_counts_as_delivered(chain: Chain) -> None:
    """The worker had recorded the mail as begun, and lost the server's reply."""
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.post.answers["RCPT"] = "451 4.3.0 Later"
    chain.story.offering.run(survey_id)
    chain.post.answers.clear()
    key = f"{chain._prefix}survey:{survey_id}"
    chain._redis.hset(key, mapping={"offer_state": "delivering", "channel": "email"})
    assert chain.story.records.begin_email(survey_id)
    assert not chain.story.records.begin_email(survey_id)
    record = chain.story.ask(survey_id)
    assert (record.offer.state, record.offer.note, chain.post.mails) == (OfferState.DELIVERED, UNCONFIRMED, [])


def test_crash_before_begin_email_sends_it_later(chain: Chain) -> None:
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.post.answers["RCPT"] = "451 4.3.0 Later"
    chain.story.offering.run(survey_id)
    chain.post.answers.clear()
    chain._redis.hset(f"{chain._prefix}survey:{survey_id}", mapping={"offer_state": "delivering", "channel": "email"})
    record = chain.story.ask(survey_id)
    assert (record.offer.note, chain.went(record)) == ("", (0, 1))


class TestTheAddress:
    """The one personal thing in a record stays no longer than it is needed."""

    def test_it_is_kept_while_a_mail_may_go(self, chain: Chain) -> None:
        record = chain.story.load(chain.story.begin(MESSAGE_FIRST))
        assert chain.field(record, "email") == f"ida+{record.conversation_id}@example.com"
        assert "example.com" not in (chain.field(record, "close") or "")
        assert "example.com" not in repr(record)

    @pytest.mark.parametrize("facts", [{}, {"channel": "PstnPhone"}])
    def test_it_is_gone_when_delivered(self, chain: Chain, facts: dict[str, object]) -> None:
        record = chain.ask(MESSAGE_FIRST, **facts)
        assert record.offer.state is OfferState.DELIVERED
        assert chain.field(record, "email") is None

    def test_it_is_gone_when_skipped(self, chain: Chain) -> None:
        survey_id = chain.story.begin(MESSAGE_FIRST)
        chain.dixa.make_rating(int(survey_id))
        record = chain.story.ask(survey_id)
        assert record.offer.state is OfferState.SKIPPED
        assert chain.field(record, "email") is None

    def test_it_is_gone_when_the_customer_has_answered(self, chain: Chain) -> None:
        survey_id = chain.story.begin(MESSAGE_FIRST)
        record = chain.story.load(survey_id)
        link = Link(survey_id, int(survey_id), "default", ())
        chain.story.records.save_answer(link, AT_ONCE, {CSAT: 4}, "", language="en")
        assert chain.field(record, "email") is None


class TestTheAddressOfADeadOne:
    """A retry goes by e-mail again, for as long as an offer may be made."""

    ONLY_EMAIL = replace(EMAIL_FIRST, deliver=("email",))

    def failed(self, chain: Chain) -> tuple[Record, str]:
        """A survey without a delivered mail, and the key of its address."""
        chain.post.answers["RCPT"] = "550 5.1.1 No such mailbox"
        record = chain.ask(self.ONLY_EMAIL)
        chain.post.answers.clear()
        assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.REFUSED)
        return record, f"{chain._prefix}retry:{record.survey_id}:email"

    def test_it_is_out_of_the_record_and_gone_after_a_while(self, chain: Chain) -> None:
        record, key = self.failed(chain)
        assert chain.field(record, "email") is None
        assert chain._redis.get(key) == f"ida+{record.conversation_id}@example.com"
        within = TIMINGS.offer_max_age // timedelta(milliseconds=1)
        assert 0 < chain._redis.pttl(key) <= within

    def test_a_retry_takes_it_back(self, chain: Chain) -> None:
        record, key = self.failed(chain)
        assert chain.story.records.retry(Journey.OFFER, record.survey_id) == "retried"
        assert not chain._redis.exists(key)
        record = chain.story.ask(record.survey_id)
        assert (record.offer.state, chain.went(record)) == (OfferState.DELIVERED, (0, 1))
        assert (chain.field(record, "email"), chain._redis.exists(key)) == (None, 0)
        assert len(chain.dixa.offers(record.conversation_id)) == 1

    def test_after_that_while_nobody_is_reached_by_mail(self, chain: Chain) -> None:
        record, key = self.failed(chain)
        chain._redis.delete(key)
        chain.story.records.retry(Journey.OFFER, record.survey_id)
        record = chain.story.ask(record.survey_id)
        assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.UNREACHABLE)

    def test_it_goes_when_the_customer_is_forgotten(self, chain: Chain) -> None:
        record, key = self.failed(chain)
        chain.story.records.erase(record)
        assert not chain._redis.exists(key)

    def test_it_goes_when_the_customer_has_answered(self, chain: Chain) -> None:
        record, key = self.failed(chain)
        chain.story.answer(record.survey_id, {CSAT: 4})
        assert not chain._redis.exists(key)

    def test_it_goes_with_a_new_round(self, chain: Chain) -> None:
        record, key = self.failed(chain)
        chain.story.close(record.conversation_id, replace(self.ONLY_EMAIL, on_reclose=OnReclose.ALWAYS))
        assert len(chain.story.records.list_rounds(record.conversation_id)) == 2
        assert not chain._redis.exists(key)

    def test_whoever_has_stopped_is_not_remembered(self, chain: Chain) -> None:
        chain.post.answers["RCPT"] = "451 4.3.0 Later"
        survey_id = chain.story.begin(self.ONLY_EMAIL)
        chain.story.offering.run(survey_id)
        record = chain.story.load(survey_id)
        assert record.close
        assert record.close.requester_id
        chain.story.opt_outs.add(record.close.requester_id)
        record = chain.story.ask(survey_id)
        assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.OPTED_OUT)
        assert not chain._redis.exists(f"{chain._prefix}retry:{survey_id}:email")


class TestStops:
    """Opted-out customers are skipped for every survey."""

    def test_a_requester_who_stopped_is_not_asked(self, chain: Chain) -> None:
        ida = Person("Ida Holm", "ida@example.com")
        chain.story.opt_outs.add(ida.id)
        for terms in (MESSAGE_FIRST, AT_ONCE):
            record = chain.ask(terms, requester=ida)
            assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.OPTED_OUT)
            assert chain.dixa.offers(record.conversation_id) == []
        assert chain.ask(MESSAGE_FIRST).offer.state is OfferState.DELIVERED

    def test_only_a_hash_is_kept_and_for_good(self, chain: Chain) -> None:
        chain.story.opt_outs.add("b1d6a0c2-3c58-4f0e-9a57-0c1f6f0f2a90")
        keys = [str(key) for key in chain._redis.scan_iter(f"{chain._prefix}stop*")]
        assert len(keys) == 2
        assert not any("b1d6a0c2" in each for key in keys for each in (key, str(chain._redis.get(key))))
        assert {chain._redis.ttl(key) for key in keys} == {-1}


def test_possible_mail_after_a_restore_is_not_repeated(chain: Chain) -> None:
    """A message can be looked for, a mail can't."""
    for terms, went, note in ((MESSAGE_FIRST, (1, 0), ""), (EMAIL_FIRST, (0, 1), UNCONFIRMED)):
        survey_id = chain.story.begin(terms)
        key = chain.story.records._key(survey_id)
        backup: dict[str, str] = {}
        chain.story.after("offer", lambda key=key, backup=backup: backup.update(chain._redis.hgetall(key)))  # type: ignore[misc]
        record = chain.story.ask(survey_id)
        backup |= {"offer_state": "offered", "rating_id:Csat": record.offers[0].rating_id, "offer_due": "0"}
        for gone in ("offer_lease", "offer_call", "offer_sent_at", "offer_seen"):
            backup.pop(gone, None)
        chain._redis.delete(key)
        chain._redis.hset(key, mapping=backup)  # type: ignore[arg-type]
        chain.story.records.mark_restored()
        record = chain.story.ask(survey_id)
        assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, note)
        assert chain.went(record) == went
        chain.post.mails.clear()


@pytest.mark.parametrize(
    ("place", "answer"),
    [("dot", "554 Your account is suspended"), ("MAIL", "550 5.7.60 May not send as"), ("RCPT", "550 5.7.1 No relay")],
)
def test_what_is_about_us_is_for_later(chain: Chain, place: str, answer: str) -> None:
    chain.post.answers[place] = answer
    survey_id = chain.story.begin(replace(EMAIL_FIRST, deliver=("email",)))
    chain.story.offering.run(survey_id)
    between = chain.story.load(survey_id)
    assert (between.offer.state, between.offer.failed, between.offer.mailed_at) == (OfferState.OFFERED, (), None)
    chain.post.answers.clear()
    record = chain.story.ask(survey_id)
    assert (record.offer.state, chain.went(record)) == (OfferState.DELIVERED, (0, 1))
    assert len(chain.dixa.offers(record.conversation_id)) == 1


def test_retry_after_a_refused_dot_sends_the_mail(chain: Chain) -> None:
    chain.post.answers["dot"] = "550 5.1.1 No such user"
    record = chain.ask(replace(EMAIL_FIRST, deliver=("email",)))
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.REFUSED)
    chain.post.answers.clear()
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    record = chain.story.ask(record.survey_id)
    assert (record.offer.state, record.offer.channel, record.offer.note) == (OfferState.DELIVERED, "email", "")
    assert chain.went(record) == (0, 1)


def test_operator_can_retry_a_refused_message(chain: Chain) -> None:
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(AT_ONCE)
    assert record.offer.state is OfferState.FAILED
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    record = chain.story.ask(record.survey_id)
    assert (record.offer.state, chain.went(record)) == (OfferState.DELIVERED, (1, 0))
