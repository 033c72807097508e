"""An e-mail is sent to a real SMTP server once, and each failure raises the right error."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes
from email.policy import default
from zoneinfo import ZoneInfo

import pytest

from config.endpoints import SmtpServer, Tls
from service.delivery.email.smtp import EmailDelivery
from service.delivery.email.text import EmailBranding
from service.surveys.definition import SendWindow
from service.surveys.errors import CallError, ChannelDown, DeliveryRefused, NotDelivered, NotNow, Unconfirmable
from service.surveys.mailbox import Mailbox
from service.surveys.model import Close, Offer, OfferProgress, Record
from service.surveys.ports import Deadline
from service.surveys.ratings import RatingType
from service.surveys.states import OfferState
from tests.delivery.test_message import bring
from tests.harness import AT_ONCE
from tests.polling import eventually, soon
from tests.smtp import PASSWORD, USER, Post, certificates, checks_password, knows, post_office

LINK = "https://survey.example/s/.eJy-token_.awL0gw.2N7liE0OQkU14bIyfhEsuVDgIg8"
BRANDING = EmailBranding(Mailbox("survey@northwind.example", "Northwind"), None, "Northwind", "https://survey.example")
ADDRESS = "ida@example.com"


BUDGET = timedelta(seconds=30)


class Mailings:
    """The lease and the mark of one e-mail."""

    def __init__(self, *, is_free: bool = True) -> None:
        self.is_free = is_free
        self.marks = 0

    def extend_lease(self, survey_id: str) -> bool:
        return True

    def begin_email(self, survey_id: str) -> bool:
        self.marks += 1
        return self.is_free


def record_of(**facts: object) -> Record:
    now = datetime.now(UTC)
    close = Close(48213, now, channel="PstnPhone", requester_id="requester-1", email=ADDRESS)
    record = Record(
        "48213", 48213, now, close, AT_ONCE, OfferProgress(OfferState.DELIVERING), (Offer(RatingType.CSAT, "id-1"),)
    )
    return replace(record, **facts)  # type: ignore[arg-type]


@pytest.fixture
def post() -> Iterator[tuple[Post, SmtpServer]]:
    with post_office() as opened:
        yield opened


@pytest.fixture(scope="module")
def trust() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificates()


def deliver(server: SmtpServer, *, seconds: float = 5.0, mailings: Mailings | None = None, **given: object) -> None:
    context = given.pop("context", None)
    assert context is None or isinstance(context, ssl.SSLContext)
    channel = EmailDelivery(server, BRANDING, mailings or Mailings(), context, budget=timedelta(seconds=seconds))
    bring(channel, record_of(**given), LINK, Deadline(timedelta(seconds=seconds)))


def test_an_email_arrives(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    mailings = Mailings()
    deliver(server, mailings=mailings)
    assert taken.envelopes == [("survey@northwind.example", [ADDRESS])]
    assert b"\r\nSubject: How was the help you got?\r\n" in taken.mails[0]
    assert mailings.marks == 1


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "12 May 2026"), ("Europe/Copenhagen", "13 May 2026"), ("America/New_York", "12 May 2026")]
)
def test_the_day_is_in_the_time_zone_of_the_brand(post: tuple[Post, SmtpServer], zone: str, day: str) -> None:
    taken, server = post
    close = Close(48213, datetime(2026, 5, 12, 22, 30, tzinfo=UTC), requester_id="requester-1", email=ADDRESS)
    channel = EmailDelivery(server, replace(BRANDING, time_zone=ZoneInfo(zone)), Mailings(), budget=BUDGET)
    bring(channel, record_of(close=close), LINK, Deadline(timedelta(seconds=5)))
    body = message_from_bytes(taken.mails[0], policy=default).get_body(("plain",))
    assert body
    assert day.replace(" ", "\xa0") in body.get_content()


def test_the_day_is_in_the_time_zone_of_the_send_window(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    close = Close(48213, datetime(2026, 5, 12, 2, 30, tzinfo=UTC), requester_id="requester-1", email=ADDRESS)
    terms = replace(AT_ONCE, send_window=SendWindow((0,), time(9), time(17), "America/New_York"))
    deliver(server, close=close, terms=terms)
    body = message_from_bytes(taken.mails[0], policy=default).get_body(("plain",))
    assert body
    assert "11\xa0May\xa02026" in body.get_content()


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_an_email_is_sent_with_tls_and_login(tls: Tls, trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = trust
    # aiosmtpd accepts a login without STARTTLS only if configured so.
    options = {"authenticator": checks_password, "auth_require_tls": tls is Tls.STARTTLS}
    with post_office(tls, theirs, **options) as (taken, server):
        deliver(replace(server, user=USER, password=PASSWORD), context=ours)
    assert taken.logins == [True]


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
def test_an_untrusted_certificate_means_channel_down(tls: Tls, trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with (
        post_office(tls, trust[0]) as (taken, server),
        pytest.raises(ChannelDown, match="its certificate is not trusted"),
    ):
        deliver(server)
    assert taken.commands == []


def test_a_certificate_for_another_host_is_refused(trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with (
        post_office(Tls.STARTTLS, trust[0]) as (taken, server),
        pytest.raises(NotDelivered, match="is for another host"),
    ):
        deliver(replace(server, host="127.0.0.1"), context=trust[1])
    assert taken.mails == []


def test_without_starttls_nothing_is_sent_unencrypted(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    with pytest.raises(NotDelivered, match="SMTPNotSupportedError"):
        deliver(replace(server, tls=Tls.STARTTLS))
    assert taken.commands == []


@pytest.mark.parametrize("without", [[], ["PLAIN"]])
@pytest.mark.parametrize(("user", "password"), [(USER, "pässwörd"), ("søren", PASSWORD), ("søren", "密码🔑 \u20ac")])
def test_a_login_may_have_non_ascii_letters(user: str, password: str, without: list[str]) -> None:
    authenticator = knows(user, password)
    with post_office(authenticator=authenticator, auth_require_tls=False, auth_exclude_mechanism=without) as (
        taken,
        server,
    ):
        deliver(replace(server, user=user, password=password))
        with pytest.raises(NotDelivered, match="535") as refused:
            deliver(replace(server, user=user, password=f"{password}é"))
    assert taken.logins == [True]
    assert password not in str(refused.getrepr(style="native"))


def test_a_non_ascii_login_without_a_mechanism_fails_without_quoting_the_password() -> None:
    without = ["PLAIN", "LOGIN"]
    with (
        post_office(auth_require_tls=False, auth_exclude_mechanism=without) as (taken, server),
        pytest.raises(NotDelivered) as refused,
    ):
        deliver(replace(server, user=USER, password="pässwörd"))
    assert taken.commands == []
    assert "pässwörd" not in str(refused.value)


def test_a_wrong_password_means_channel_down(trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with post_office(Tls.STARTTLS, trust[0], authenticator=checks_password) as (taken, server):
        with pytest.raises(ChannelDown, match="535"):
            deliver(replace(server, user=USER, password="wrong"), context=trust[1])
        assert taken.commands == []


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("MAIL", "450 4.3.2 Busy", NotDelivered),
        ("MAIL", "550 5.7.1 Who are you?", ChannelDown),
        ("MAIL", "530 5.7.0 Log in first", ChannelDown),
        ("MAIL", "550 5.1.1 No such sender", ChannelDown),
        ("RCPT", "450 4.2.0 Greylisted", NotDelivered),
        ("RCPT", "421 4.3.2 Closing", NotDelivered),
        ("RCPT", "530 5.7.0 Log in first", ChannelDown),
        ("RCPT", "550 5.1.1 <ida@example.com> is unknown", DeliveryRefused),
        ("RCPT", "550 5.1.10 No such recipient", DeliveryRefused),
        ("RCPT", "556 5.1.10 It takes no mail", DeliveryRefused),
        ("RCPT", "554 5.2.1 Disabled", DeliveryRefused),
        ("RCPT", "550 5.4.1 Recipient address rejected", DeliveryRefused),
        ("RCPT", "550 5.5.0 Mailbox unavailable", DeliveryRefused),
        ("RCPT", "553 Bad mailbox", DeliveryRefused),
        ("RCPT", "550 5.7.1 Relaying denied", ChannelDown),
        ("RCPT", "550 #5.7.1 Not from you", ChannelDown),
        ("RCPT", "550 5.1.8 Access denied, bad outbound sender", ChannelDown),
        ("RCPT", "554 5.1.90 The limit of the day is reached", ChannelDown),
        ("RCPT", "554 Transaction failed", ChannelDown),
        ("RCPT", "452 4.5.3 Too many recipients", NotDelivered),
        ("DATA", "451 Later", NotDelivered),
        ("DATA", "554 No", ChannelDown),
        ("DATA", "550 5.1.1 No valid recipient", DeliveryRefused),
        ("dot", "452 4.3.1 Full", NotDelivered),
        ("dot", "550 5.1.1 No such user", DeliveryRefused),
        ("dot", "552 5.2.2 Mailbox full", DeliveryRefused),
        ("dot", "550 #5.1.0 Address rejected.", DeliveryRefused),
        ("dot", "550-It can't be delivered\r\n550 5.1.1 No such user", DeliveryRefused),
        ("dot", "554 5.7.1 Spam from ida@example.com", ChannelDown),
        ("dot", "550 5.7.60 Client may not send as this sender", ChannelDown),
        ("dot", "554 5.2.252 SendAsDenied", ChannelDown),
        ("dot", "554 Your account is suspended", ChannelDown),
        ("dot", "554 5.3.0 Account suspended", ChannelDown),
        ("dot", "554 5.6.0 No", ChannelDown),
    ],
)
def test_each_reply_raises_the_right_error(
    post: tuple[Post, SmtpServer], command: str, answer: str, error: type[CallError]
) -> None:
    taken, server = post
    taken.answers[command] = answer
    with pytest.raises(error) as caught:
        deliver(server)
    assert type(caught.value) is error
    assert answer[:3] in str(caught.value)
    assert ADDRESS not in str(caught.value)
    assert taken.mails == []


def test_a_forwarded_recipient_is_accepted(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    taken.answers["RCPT"] = "251 Will forward"
    deliver(server)
    assert len(taken.mails) == 1


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("trouble", ["drops", "hangs", "drips"])
def test_a_connection_lost_before_the_dot_is_not_delivered(
    post: tuple[Post, SmtpServer], place: str, trouble: str
) -> None:
    taken, server = post
    getattr(taken, trouble).add(place)

    def try_it() -> None:
        mailings = Mailings()
        with pytest.raises(NotDelivered) as caught:
            deliver(server, seconds=0.7, mailings=mailings)
        assert type(caught.value) is NotDelivered
        assert (taken.mails, mailings.marks) == ([], 0)

    soon(try_it, within=2)


@pytest.mark.parametrize("trouble", ["drops", "hangs", "drips"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_connection_lost_after_the_dot_is_unconfirmable(
    post: tuple[Post, SmtpServer], trouble: str, *, is_kept: bool
) -> None:
    taken, server = post
    taken.keeps_what_it_drops = is_kept
    getattr(taken, trouble).add("dot")

    def try_it() -> None:
        mailings = Mailings()
        with pytest.raises(Unconfirmable):
            deliver(server, seconds=0.7, mailings=mailings)
        assert mailings.marks == 1

    soon(try_it, within=2)


def test_a_late_greeting_within_the_budget_is_accepted(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    taken.greets.clear()
    channel, claims = EmailDelivery(server, BRANDING, Mailings(), budget=BUDGET), Deadline(timedelta(seconds=0.6))
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(channel.deliver, record_of(), LINK, claims)
        eventually(lambda: taken.commands == ["connect"] and not claims.remaining())
        taken.greets.set()
        sent.result()
    assert len(taken.mails) == 1


def test_a_missing_greeting_is_not_delivered(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    taken.greets.clear()
    with pytest.raises(NotDelivered, match="no answer in time") as caught:
        deliver(server, seconds=0.7)
    assert type(caught.value) is NotDelivered
    assert taken.mails == []


def test_a_claim_that_is_over_does_not_connect(post: tuple[Post, SmtpServer], monkeypatch: pytest.MonkeyPatch) -> None:
    taken, server = post
    mailings = Mailings()
    monkeypatch.setattr(mailings, "extend_lease", lambda _: False)
    with pytest.raises(NotNow, match="this claim is over"):
        deliver(server, mailings=mailings)
    assert taken.commands == []


def test_an_email_that_may_be_sent_is_not_sent_again(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    with pytest.raises(Unconfirmable):
        deliver(server, offer=OfferProgress(OfferState.DELIVERING, mailed_at=datetime.now(UTC)))
    assert taken.commands == []


def test_of_two_workers_only_one_sends_the_dot(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    with pytest.raises(Unconfirmable):
        deliver(server, mailings=Mailings(is_free=False))
    assert taken.mails == []


def test_a_refused_connection_means_channel_down() -> None:
    with pytest.raises(ChannelDown, match="ConnectionRefusedError"):
        deliver(SmtpServer("127.0.0.1", 1, Tls.NONE))


def test_without_time_left_no_connection_is_made(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    with pytest.raises(NotNow):
        deliver(server, seconds=0)
    assert taken.commands == []


@pytest.mark.parametrize(
    ("facts", "can_reach"),
    [
        ({}, True),
        ({"email": None}, False),
        ({"requester_id": None}, False),
        ({"agent_id": None, "channel": None}, True),
    ],
)
def test_who_can_be_reached(facts: dict[str, None], can_reach: bool) -> None:  # noqa: FBT001
    record = record_of()
    assert record.close
    channel = EmailDelivery(SmtpServer("127.0.0.1", 1), BRANDING, Mailings(), budget=BUDGET)
    assert channel.can_reach(replace(record, close=replace(record.close, **facts))) is can_reach  # type: ignore[arg-type]
    assert not channel.can_reach(replace(record, close=None))


def test_a_line_beginning_with_a_dot_arrives_unchanged(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    branding = replace(BRANDING, brand=".Northwind")
    EmailDelivery(server, branding, Mailings(), budget=BUDGET).deliver(
        record_of(), LINK, Deadline(timedelta(seconds=5))
    )
    assert b"\r\n.Northwind\r\n" in taken.mails[0]
