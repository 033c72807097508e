"""An e-mail is sent to a real SMTP server once, and each failure raises the right error."""

import gc
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from email import message_from_bytes
from email.policy import default
from zoneinfo import ZoneInfo

import pytest

from config.endpoints import SmtpServer, Tls
from service.delivery.email.smtp import EmailDelivery
from service.surveys.definition import SendWindow
from service.surveys.errors import ChannelDown, NotDelivered, NotNow, Unconfirmable
from service.surveys.model import Close, OfferProgress
from service.surveys.ports import Deadline
from service.surveys.states import OfferState
from tests.delivery.mails import ADDRESS, BRANDING, BUDGET, Mailings, deliver, record_of
from tests.delivery.messages import LINK, deliver_once
from tests.delivery.test_email_text import EMAIL
from tests.harness import AT_ONCE
from tests.polling import eventually, soon
from tests.smtp import Post


def test_an_email_arrives(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    mailings = Mailings()
    deliver(server, mailings=mailings)
    assert taken.envelopes == [("survey@northwind.example", [ADDRESS])]
    assert b"\r\nSubject: How was the help you got?\r\n" in taken.mails[0]
    assert mailings.begun == 1


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "12 May 2026"), ("Europe/Copenhagen", "13 May 2026"), ("America/New_York", "12 May 2026")]
)
def test_the_day_is_in_the_time_zone_of_the_brand(post: tuple[Post, SmtpServer], zone: str, day: str) -> None:
    taken, server = post
    close = Close(48213, datetime(2026, 5, 12, 22, 30, tzinfo=UTC), requester_id="requester-1", email=ADDRESS)
    channel = EmailDelivery(server, replace(BRANDING, time_zone=ZoneInfo(zone)), Mailings(), budget=BUDGET)
    deliver_once(channel, record_of(close=close), LINK, Deadline(timedelta(seconds=5)))
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


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("failure", ["drops", "hangs", "drips"])
def test_a_connection_lost_before_the_dot_is_not_delivered(
    post: tuple[Post, SmtpServer], place: str, failure: str
) -> None:
    taken, server = post
    getattr(taken, failure).add(place)

    def attempt() -> None:
        mailings = Mailings()
        with pytest.raises(NotDelivered) as caught:
            deliver(server, seconds=0.7, mailings=mailings)
        assert type(caught.value) is NotDelivered
        assert (taken.mails, mailings.begun) == ([], 0)

    soon(attempt, within=2)


@pytest.mark.parametrize("failure", ["drops", "hangs", "drips"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_a_connection_lost_after_the_dot_is_unconfirmable(
    post: tuple[Post, SmtpServer], failure: str, *, is_kept: bool
) -> None:
    taken, server = post
    taken.keeps_what_it_drops = is_kept
    getattr(taken, failure).add("dot")

    def attempt() -> None:
        mailings = Mailings()
        with pytest.raises(Unconfirmable):
            deliver(server, seconds=0.7, mailings=mailings)
        assert mailings.begun == 1

    soon(attempt, within=2)


def test_the_dot_is_not_sent_after_the_deadline() -> None:
    """Before the dot the record is written, and Redis may take long."""
    deadline = Deadline(BUDGET)

    class SlowMailings(Mailings):
        def begin_email(self, survey_id: str) -> bool:
            deadline._at = 0.0
            return True

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        received = threads.submit(_receive, listener)
        server = SmtpServer("127.0.0.1", listener.getsockname()[1], Tls.NONE)
        with pytest.raises(Unconfirmable):
            EmailDelivery(server, BRANDING, SlowMailings(), budget=BUDGET).send(EMAIL, deadline)
        assert b"DATA\r\n" in received.result()
        assert b".\r\n" not in received.result()


def _receive(listener: socket.socket) -> list[bytes]:
    """Accept one e-mail, and return all lines until the connection ends. aiosmtpd drops the last ones."""
    replies = {b"EHLO": b"250 OK\r\n", b"MAIL": b"250 OK\r\n", b"RCPT": b"250 OK\r\n", b"DATA": b"354 Go on\r\n"}
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 mail.test\r\n")
        received = []
        for line in lines:
            received.append(line)
            connection.sendall(replies.get(line[:4].upper(), b""))
    return received


def test_a_late_greeting_within_the_budget_is_accepted(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    taken.greets.clear()
    channel, claims = EmailDelivery(server, BRANDING, Mailings(), budget=BUDGET), Deadline(BUDGET)
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(channel.deliver, record_of(), LINK, claims)
        eventually(lambda: taken.commands == ["connect"])
        claims._at = 0.0
        taken.greets.set()
        sent.result()
    assert len(taken.mails) == 1


def test_a_missing_greeting_is_not_delivered(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    taken.greets.clear()
    with pytest.raises(NotDelivered, match="no response in time") as caught:
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


def test_possibly_sent_email_is_not_sent_again(post: tuple[Post, SmtpServer]) -> None:
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


@pytest.mark.parametrize(("seconds", "mails"), [(0.0, 0), (0.49, 0), (0.5, 1)])
def test_an_email_is_begun_with_half_a_second_of_the_claim(
    post: tuple[Post, SmtpServer], monkeypatch: pytest.MonkeyPatch, seconds: float, mails: int
) -> None:
    taken, server = post
    claims = Deadline(BUDGET)
    monkeypatch.setattr(claims, "remaining", lambda: seconds)
    with nullcontext() if mails else pytest.raises(NotNow, match="time is up"):
        EmailDelivery(server, BRANDING, Mailings(), budget=BUDGET).deliver(record_of(), LINK, claims)
    assert taken.commands == ["MAIL", "RCPT", "DATA", "dot"] * mails


@pytest.mark.parametrize(
    ("facts", "can_reach"),
    [
        ({}, True),
        ({"email": None}, False),
        ({"requester_id": None}, False),
        ({"agent_id": None, "channel": None}, True),
    ],
)
def test_email_needs_an_address_and_a_requester(facts: dict[str, None], can_reach: bool) -> None:  # noqa: FBT001
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


def test_no_connection_stays_open_after_the_deadline(post: tuple[Post, SmtpServer]) -> None:
    """The garbage collector reports a socket that is still open."""
    channel = EmailDelivery(post[1], BRANDING, Mailings(), budget=timedelta())
    with pytest.raises(NotDelivered):
        deliver_once(channel, record_of(), LINK, Deadline(timedelta(seconds=5)))
    gc.collect()
