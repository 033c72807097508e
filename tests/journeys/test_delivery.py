"""The link goes by the first usable channel. After a permanent failure the next one follows."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
import redis
from structlog.testing import capture_logs

from config.endpoints import SignedEndpoint
from service.delivery.message import MessageDelivery
from service.delivery.webhook import WebhookDelivery
from service.journeys.delivery import is_too_late, opens_in
from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.surveys.definition import SendWindow
from service.surveys.mailbox import Mailbox
from service.surveys.model import UNCONFIRMED, Close
from service.surveys.ports import Delivery
from service.surveys.reasons import Reason
from service.surveys.states import Journey, OfferState
from service.surveys.words import Sender
from tests.harness import AT_ONCE, Story, open_client
from tests.journeys.mail_story import EMAIL_FIRST, MESSAGE_FIRST, MailStory
from tests.journeys.test_attempt import attempt_of
from tests.receiver import SECRET, receiving


def test_link_is_sent_as_a_message_where_possible(mail_story: MailStory) -> None:
    record = mail_story.ask(MESSAGE_FIRST)
    assert (record.offer.channel, mail_story.sent_counts(record)) == ("message", (1, 0))


@pytest.mark.parametrize(
    "facts", [{"channel": "PstnPhone"}, {"channel": "FacebookMessenger"}, {"channel": "Email", "agent": False}]
)
def test_link_is_mailed_where_no_message_is_possible(mail_story: MailStory, facts: dict[str, object]) -> None:
    record = mail_story.ask(MESSAGE_FIRST, **facts)
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "email")
    assert mail_story.sent_counts(record) == (0, 1)


def test_channels_are_tried_in_the_order_of_deliver(mail_story: MailStory) -> None:
    record = mail_story.ask(EMAIL_FIRST)
    assert (record.offer.channel, mail_story.sent_counts(record)) == ("email", (0, 1))


def test_customer_without_an_address_gets_no_mail(mail_story: MailStory) -> None:
    without_address = Person("Ida Holm", phone="+4520112233")
    record = mail_story.ask(MESSAGE_FIRST, channel="PstnPhone", requester=without_address)
    assert (record.offer.state, record.offer.reason) == (OfferState.SKIPPED, Reason.UNREACHABLE)
    assert mail_story.dixa.offers(record.conversation_id) == []


def test_refused_message_is_replaced_by_a_mail(mail_story: MailStory) -> None:
    mail_story.dixa.fails(1, 422, call="message")
    record = mail_story.ask(MESSAGE_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.failed) == (
        OfferState.DELIVERED,
        "email",
        ("message",),
    )
    assert mail_story.sent_counts(record) == (0, 1)


def test_refused_mail_is_replaced_by_a_message(mail_story: MailStory) -> None:
    mail_story.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    record = mail_story.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.failed) == (
        OfferState.DELIVERED,
        "message",
        ("email",),
    )
    assert mail_story.sent_counts(record) == (1, 0)


def test_offer_fails_after_all_channels_refused(mail_story: MailStory) -> None:
    mail_story.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    mail_story.dixa.fails(1, 422, call="message")
    record = mail_story.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.reason, record.offer.failed) == (
        OfferState.FAILED,
        Reason.REFUSED,
        ("email", "message"),
    )


def test_404_from_a_webhook_receiver_is_retried(redis_client: redis.Redis, prefix: str, dixa: Sandbox) -> None:
    with receiving() as receiver:
        receiver.next["/"] = [404]
        sender = WebhookDelivery(SignedEndpoint(receiver.url, SECRET), "en")
        story = Story(redis_client, prefix, dixa, deliveries=[sender])
        record = story.ask(story.begin(replace(AT_ONCE, deliver=("webhook",))))
        assert [post.status for post in receiver.posts] == [404, 204]
    assert (record.offer.state, record.offer.channel) == (OfferState.DELIVERED, "webhook")


def test_retry_uses_the_last_channel(mail_story: MailStory) -> None:
    mail_story.post.replies["RCPT"] = "550 5.1.1 No such mailbox"
    mail_story.dixa.fails(1, 422, call="message")
    record = mail_story.ask(EMAIL_FIRST)
    mail_story.story.records.retry(Journey.OFFER, record.survey_id)
    assert mail_story.story.ask(record.survey_id).offer.state is OfferState.DELIVERED
    assert mail_story.sent_counts(record) == (1, 0)


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "dot"])
def test_busy_server_gets_the_mail_later_and_once(mail_story: MailStory, place: str) -> None:
    mail_story.post.replies[place] = "451 4.3.0 Later"
    survey_id = mail_story.story.begin(EMAIL_FIRST)
    mail_story.story.offering.run(survey_id)
    between = mail_story.story.load(survey_id)
    assert (between.offer.state, between.offer.tries, between.offer.mailed_at) == (OfferState.OFFERED, 1, None)
    mail_story.post.replies.clear()
    record = mail_story.story.ask(survey_id)
    assert (record.offer.state, mail_story.sent_counts(record)) == (OfferState.DELIVERED, (0, 1))
    assert len(mail_story.dixa.offers(record.conversation_id)) == 1


def test_server_busy_for_too_long_ends_the_delivery(mail_story: MailStory) -> None:
    mail_story.post.replies["RCPT"] = "451 4.3.0 Later"
    survey_id = mail_story.story.begin(EMAIL_FIRST)
    mail_story.story.offering.run(survey_id)
    past = int((datetime.now(UTC) - timedelta(hours=73)).timestamp() * 1000)
    mail_story._redis.hset(f"{mail_story._prefix}survey:{survey_id}", mapping={"accepted_at": past})
    record = mail_story.story.ask(survey_id)
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.TOO_LATE)
    assert mail_story.sent_counts(record) == (0, 0)


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


def test_expired_whatsapp_window_excludes_messages(mail_story: MailStory) -> None:
    """Both the decision and the delivery check the window, also after a crash between them."""
    for is_late in (False, True):
        number = mail_story.dixa.make_conversation(channel="WhatsApp")
        mail_story.dixa.state.conversation(number).transport_expires_at = datetime.now(UTC) - timedelta(hours=3)
        survey_id = mail_story.story.close(number, MESSAGE_FIRST)
        if is_late:
            mail_story.dixa.state.conversation(number).transport_expires_at = None
            mail_story.dixa.fails(1, 503, call="message")
            mail_story.story.offering.run(survey_id)
            assert mail_story.story.load(survey_id).offer.state is OfferState.DELIVERING
            mail_story.dixa.state.conversation(number).transport_expires_at = datetime.now(UTC) - timedelta(hours=3)
        record = mail_story.story.ask(survey_id)
        assert (record.offer.channel, mail_story.dixa.messages(number)) == ("email", [])


@pytest.mark.parametrize("is_kept", [True, False])
def test_mail_with_a_lost_response_to_the_dot_is_not_repeated(mail_story: MailStory, is_kept: bool) -> None:  # noqa: FBT001
    mail_story.post.drops.add("dot")
    mail_story.post.keeps_what_it_drops = is_kept
    record = mail_story.ask(EMAIL_FIRST)
    assert (record.offer.state, record.offer.channel, record.offer.note) == (OfferState.DELIVERED, "email", UNCONFIRMED)
    assert mail_story.post.commands.count("dot") == 1
    assert mail_story.sent_counts(record) == (0, int(is_kept))


def test_crash_at_the_last_dot_counts_as_delivered(mail_story: MailStory) -> None:
    """The worker had recorded the mail as begun, and lost the server's reply."""
    survey_id = mail_story.story.begin(EMAIL_FIRST)
    mail_story.post.replies["RCPT"] = "451 4.3.0 Later"
    mail_story.story.offering.run(survey_id)
    mail_story.post.replies.clear()
    key = f"{mail_story._prefix}survey:{survey_id}"
    mail_story._redis.hset(key, mapping={"offer_state": "delivering", "channel": "email"})
    assert mail_story.story.records.begin_email(survey_id)
    assert not mail_story.story.records.begin_email(survey_id)
    record = mail_story.story.ask(survey_id)
    assert (record.offer.state, record.offer.note, mail_story.post.mails) == (OfferState.DELIVERED, UNCONFIRMED, [])


def test_crash_before_begin_email_delays_the_mail(mail_story: MailStory) -> None:
    survey_id = mail_story.story.begin(EMAIL_FIRST)
    mail_story.post.replies["RCPT"] = "451 4.3.0 Later"
    mail_story.story.offering.run(survey_id)
    mail_story.post.replies.clear()
    mail_story._redis.hset(
        f"{mail_story._prefix}survey:{survey_id}", mapping={"offer_state": "delivering", "channel": "email"}
    )
    record = mail_story.story.ask(survey_id)
    assert (record.offer.note, mail_story.sent_counts(record)) == ("", (0, 1))


def test_possible_mail_after_a_restore_is_not_repeated(mail_story: MailStory) -> None:
    """Dixa lists its messages. A mail server doesn't list sent mails."""
    for terms, counts, note in ((MESSAGE_FIRST, (1, 0), ""), (EMAIL_FIRST, (0, 1), UNCONFIRMED)):
        survey_id = mail_story.story.begin(terms)
        key = mail_story.story.records._key(survey_id)
        backup: dict[str, str] = {}
        mail_story.story.after("offer", lambda key=key, backup=backup: backup.update(mail_story._redis.hgetall(key)))  # type: ignore[misc]
        record = mail_story.story.ask(survey_id)
        backup |= {"offer_state": "offered", "rating_id:Csat": record.offers[0].rating_id, "offer_due": "0"}
        for gone in ("offer_lease", "offer_call", "offer_sent_at", "offer_seen"):
            backup.pop(gone, None)
        mail_story._redis.delete(key)
        mail_story._redis.hset(key, mapping=backup)  # type: ignore[arg-type]
        mail_story.story.records.mark_restored()
        record = mail_story.story.ask(survey_id)
        assert (record.offer.state, record.offer.note) == (OfferState.DELIVERED, note)
        assert mail_story.sent_counts(record) == counts
        mail_story.post.mails.clear()


@pytest.mark.parametrize(
    ("place", "reply"),
    [("dot", "554 Your account is suspended"), ("MAIL", "550 5.7.60 May not send as"), ("RCPT", "550 5.7.1 No relay")],
)
def test_refusal_of_our_account_or_sender_is_retried(mail_story: MailStory, place: str, reply: str) -> None:
    mail_story.post.replies[place] = reply
    survey_id = mail_story.story.begin(replace(EMAIL_FIRST, deliver=("email",)))
    mail_story.story.offering.run(survey_id)
    between = mail_story.story.load(survey_id)
    assert (between.offer.state, between.offer.failed, between.offer.mailed_at) == (OfferState.OFFERED, (), None)
    mail_story.post.replies.clear()
    record = mail_story.story.ask(survey_id)
    assert (record.offer.state, mail_story.sent_counts(record)) == (OfferState.DELIVERED, (0, 1))
    assert len(mail_story.dixa.offers(record.conversation_id)) == 1


def test_retry_after_a_refused_dot_sends_the_mail(mail_story: MailStory) -> None:
    mail_story.post.replies["dot"] = "550 5.1.1 No such user"
    record = mail_story.ask(replace(EMAIL_FIRST, deliver=("email",)))
    assert (record.offer.state, record.offer.reason) == (OfferState.FAILED, Reason.REFUSED)
    mail_story.post.replies.clear()
    mail_story.story.records.retry(Journey.OFFER, record.survey_id)
    record = mail_story.story.ask(record.survey_id)
    assert (record.offer.state, record.offer.channel, record.offer.note) == (OfferState.DELIVERED, "email", "")
    assert mail_story.sent_counts(record) == (0, 1)


def test_operator_can_retry_a_refused_message(mail_story: MailStory) -> None:
    mail_story.dixa.fails(1, 422, call="message")
    record = mail_story.ask(AT_ONCE)
    assert record.offer.state is OfferState.FAILED
    mail_story.story.records.retry(Journey.OFFER, record.survey_id)
    record = mail_story.story.ask(record.survey_id)
    assert (record.offer.state, mail_story.sent_counts(record)) == (OfferState.DELIVERED, (1, 0))


@pytest.mark.parametrize(
    ("senders", "name"), [({}, "email"), ({"": Sender(email=Mailbox("own@example.com"))}, "email of default")]
)
def test_own_sender_has_a_separate_channel_state(mail_story: MailStory, senders: dict[str, Sender], name: str) -> None:
    mail_story.post.replies["MAIL"] = "550 5.7.60 May not send as this sender"
    mail_story.story.offering.run(mail_story.story.begin(replace(EMAIL_FIRST, deliver=("email",), senders=senders)))
    (trouble,) = mail_story.story.channels.troubles()
    assert trouble.startswith(f'channel "{name}" is down')


def test_log_shows_the_channel_and_an_unconfirmed_delivery(mail_story: MailStory) -> None:
    mail_story.post.drops.add("dot")
    with capture_logs() as logs:
        mail_story.ask(MESSAGE_FIRST)
        mail_story.ask(EMAIL_FIRST)
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


def test_link_waits_for_the_send_window_of_the_only_candidate() -> None:
    """The window of another candidate says nothing."""
    window = SendWindow((0, 1, 2, 3, 4), time(9), time(17), "UTC")
    windowed, saturday = replace(AT_ONCE, send_window=window), datetime(2026, 11, 21, 12, tzinfo=UTC)
    record = attempt_of().record
    for candidates, hours in (((windowed,), 45), ((AT_ONCE,), 0), ((windowed, windowed), 0), ((), 0)):
        assert opens_in(replace(record, candidates=candidates), saturday) == timedelta(hours=hours)
    assert opens_in(replace(record, candidates=(windowed,)), saturday - timedelta(days=1)) == timedelta()
