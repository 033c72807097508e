"""The link goes by the first usable channel. After a permanent failure the next one follows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
from structlog.testing import capture_logs

from config.endpoints import SignedEndpoint
from service.delivery.message import MessageDelivery
from service.delivery.webhook import WebhookDelivery
from service.journeys.delivery import is_too_late
from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.surveys.mailbox import Mailbox
from service.surveys.model import UNCONFIRMED, Close
from service.surveys.ports import Delivery
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState
from service.surveys.words import Sender
from tests.harness import AT_ONCE, Story, open_client
from tests.journeys.chain import EMAIL_FIRST, MESSAGE_FIRST, TIMINGS, Chain
from tests.journeys.test_attempt import attempt_of
from tests.receiver import SECRET, receiving


def test_link_is_sent_as_a_message_where_possible(chain: Chain) -> None:
    record = chain.ask(MESSAGE_FIRST)
    assert (record.offer.channel, chain.sent_counts(record)) == ("message", (1, 0))


@pytest.mark.parametrize(
    "facts", [{"channel": "PstnPhone"}, {"channel": "FacebookMessenger"}, {"channel": "Email", "agent": False}]
)
def test_link_is_mailed_where_no_message_is_possible(chain: Chain, facts: dict[str, object]) -> None:
    record = chain.ask(MESSAGE_FIRST, **facts)
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "email")
    assert chain.sent_counts(record) == (0, 1)


def test_channels_are_tried_in_the_order_of_deliver(chain: Chain) -> None:
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.channel, chain.sent_counts(record)) == ("email", (0, 1))


def test_customer_without_an_address_gets_no_mail(chain: Chain) -> None:
    without_address = Person("Ida Holm", phone="+4520112233")
    record = chain.ask(MESSAGE_FIRST, channel="PstnPhone", requester=without_address)
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.UNREACHABLE)
    assert chain.dixa.offers(record.conversation_id) == []


def test_refused_message_is_replaced_by_a_mail(chain: Chain) -> None:
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(MESSAGE_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.failed) == (
        OfferState.DELIVERED,
        "email",
        ("message",),
    )
    assert chain.sent_counts(record) == (0, 1)


def test_refused_mail_is_replaced_by_a_message(chain: Chain) -> None:
    chain.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.failed) == (
        OfferState.DELIVERED,
        "message",
        ("email",),
    )
    assert chain.sent_counts(record) == (1, 0)


def test_offer_fails_after_all_channels_refused(chain: Chain) -> None:
    chain.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.reason, record.offer.failed) == (
        OfferState.FAILED,
        Reason.REFUSED,
        ("email", "message"),
    )


def test_404_from_a_webhook_receiver_is_retried(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    with receiving() as receiver:
        receiver.next["/"] = [404]
        sender = WebhookDelivery(SignedEndpoint(receiver.url, SECRET), "en")
        story = Story(redis_client, prefix, dixa, timings=TIMINGS, deliveries=[sender])
        record = story.ask(story.begin(replace(AT_ONCE, deliver=("webhook",))))
        assert [post.status for post in receiver.posts] == [404, 204]
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "webhook")


def test_retry_uses_the_last_channel(chain: Chain) -> None:
    chain.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(EMAIL_FIRST)
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    assert chain.story.ask(record.survey_id).offer.state is OfferState.DELIVERED
    assert chain.sent_counts(record) == (1, 0)


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "dot"])
def test_busy_server_gets_the_mail_later_and_once(chain: Chain, place: str) -> None:
    chain.post.replies[place] = "451 4.3.0 Later"
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.story.offering.run(survey_id)
    between = chain.story.load(survey_id)
    assert (between.offer.state, between.offer.tries, between.offer.mailed_at) == (OfferState.OFFERED, 1, None)
    chain.post.replies.clear()
    record = chain.story.ask(survey_id)
    assert (record.offer.state, chain.sent_counts(record)) == (OfferState.DELIVERED, (0, 1))
    assert len(chain.dixa.offers(record.conversation_id)) == 1


def test_server_busy_for_too_long_ends_the_delivery(chain: Chain) -> None:
    chain.post.replies["RCPT"] = "451 4.3.0 Later"
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.story.offering.run(survey_id)
    past = int((datetime.now(UTC) - timedelta(hours=73)).timestamp() * 1000)
    chain._redis.hset(f"{chain._prefix}survey:{survey_id}", mapping={"accepted_at": past})
    record = chain.story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.TOO_LATE)
    assert chain.sent_counts(record) == (0, 0)


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


def test_expired_whatsapp_window_excludes_messages(chain: Chain) -> None:
    """Both the decision and the delivery check the window, also after a crash between them."""
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
def test_mail_with_a_lost_response_to_the_dot_is_not_repeated(chain: Chain, is_kept: bool) -> None:  # noqa: FBT001
    chain.post.drops.add("dot")
    chain.post.keeps_what_it_drops = is_kept
    record = chain.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.note) == (OfferState.DELIVERED, "email", UNCONFIRMED)
    assert chain.post.commands.count("dot") == 1
    assert chain.sent_counts(record) == (0, int(is_kept))


def test_crash_at_the_last_dot_counts_as_delivered(chain: Chain) -> None:
    """The worker had recorded the mail as begun, and lost the server's reply."""
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.post.replies["RCPT"] = "451 4.3.0 Later"
    chain.story.offering.run(survey_id)
    chain.post.replies.clear()
    key = f"{chain._prefix}survey:{survey_id}"
    chain._redis.hset(key, mapping={"offer_state": "delivering", "channel": "email"})
    assert chain.story.records.begin_email(survey_id)
    assert not chain.story.records.begin_email(survey_id)
    record = chain.story.ask(survey_id)
    assert (record.offer.state, record.offer.note, chain.post.mails) == (OfferState.DELIVERED, UNCONFIRMED, [])


def test_crash_before_begin_email_delays_the_mail(chain: Chain) -> None:
    survey_id = chain.story.begin(EMAIL_FIRST)
    chain.post.replies["RCPT"] = "451 4.3.0 Later"
    chain.story.offering.run(survey_id)
    chain.post.replies.clear()
    chain._redis.hset(f"{chain._prefix}survey:{survey_id}", mapping={"offer_state": "delivering", "channel": "email"})
    record = chain.story.ask(survey_id)
    assert (record.offer.note, chain.sent_counts(record)) == ("", (0, 1))


def test_possible_mail_after_a_restore_is_not_repeated(chain: Chain) -> None:
    """Dixa lists its messages. A mail server doesn't list sent mails."""
    for terms, counts, note in ((MESSAGE_FIRST, (1, 0), ""), (EMAIL_FIRST, (0, 1), UNCONFIRMED)):
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
        assert chain.sent_counts(record) == counts
        chain.post.mails.clear()


@pytest.mark.parametrize(
    ("place", "reply"),
    [("dot", "554 Your account is suspended"), ("MAIL", "550 5.7.60 May not send as"), ("RCPT", "550 5.7.1 No relay")],
)
def test_refusal_of_our_account_or_sender_is_retried(chain: Chain, place: str, reply: str) -> None:
    chain.post.replies[place] = reply
    survey_id = chain.story.begin(replace(EMAIL_FIRST, deliver=("email",)))
    chain.story.offering.run(survey_id)
    between = chain.story.load(survey_id)
    assert (between.offer.state, between.offer.failed, between.offer.mailed_at) == (OfferState.OFFERED, (), None)
    chain.post.replies.clear()
    record = chain.story.ask(survey_id)
    assert (record.offer.state, chain.sent_counts(record)) == (OfferState.DELIVERED, (0, 1))
    assert len(chain.dixa.offers(record.conversation_id)) == 1


def test_retry_after_a_refused_dot_sends_the_mail(chain: Chain) -> None:
    chain.post.replies["dot"] = "550 5.1.1 No such user"
    record = chain.ask(replace(EMAIL_FIRST, deliver=("email",)))
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.REFUSED)
    chain.post.replies.clear()
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    record = chain.story.ask(record.survey_id)
    assert (record.offer.state, record.offer.channel, record.offer.note) == (OfferState.DELIVERED, "email", "")
    assert chain.sent_counts(record) == (0, 1)


def test_operator_can_retry_a_refused_message(chain: Chain) -> None:
    chain.dixa.fails(1, 422, call="message")
    record = chain.ask(AT_ONCE)
    assert record.offer.state is OfferState.FAILED
    chain.story.records.retry(Journey.OFFER, record.survey_id)
    record = chain.story.ask(record.survey_id)
    assert (record.offer.state, chain.sent_counts(record)) == (OfferState.DELIVERED, (1, 0))


@pytest.mark.parametrize(
    ("senders", "name"), [({}, "email"), ({"": Sender(email=Mailbox("own@example.com"))}, "email of default")]
)
def test_own_sender_has_a_separate_channel_state(chain: Chain, senders: dict[str, Sender], name: str) -> None:
    chain.post.replies["MAIL"] = "550 5.7.60 May not send as this sender"
    chain.story.offering.run(chain.story.begin(replace(EMAIL_FIRST, deliver=("email",), senders=senders)))
    (trouble,) = chain.story.channels.troubles()
    assert trouble.startswith(f'channel "{name}" is down')


def test_log_shows_the_channel_and_an_unconfirmed_delivery(chain: Chain) -> None:
    chain.post.drops.add("dot")
    with capture_logs() as logs:
        chain.ask(MESSAGE_FIRST)
        chain.ask(EMAIL_FIRST)
    delivered = [(each["channel"], each["note"]) for each in logs if each["event"] == "survey.delivered"]
    assert delivered == [("message", None), ("email", UNCONFIRMED)]


def test_record_without_a_close_or_terms_is_never_too_late() -> None:
    """A record made from a link has no close, and its link is delivered."""
    long_ago = datetime.now(UTC) - timedelta(days=900)
    bare = attempt_of(accepted_at=long_ago)
    closed = bare.with_record(replace(bare.record, close=Close(1, long_ago)))
    assert (is_too_late(bare), is_too_late(bare, AT_ONCE), is_too_late(closed)) == (False, False, False)
    assert is_too_late(closed, AT_ONCE)
    assert is_too_late(closed.with_record(replace(closed.record, terms=AT_ONCE)))
