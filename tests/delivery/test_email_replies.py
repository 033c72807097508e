"""Each reply of a mail server raises the right error."""

import pytest

from config.endpoints import SmtpServer
from service.surveys.errors import CallError, ChannelDown, DeliveryRefused, NotDelivered
from tests.delivery.mails import ADDRESS, deliver
from tests.smtp import Post


@pytest.mark.parametrize(
    ("command", "reply", "error"),
    [
        ("MAIL", "450 4.3.2 Busy", NotDelivered),
        ("MAIL", "550 5.7.1 Who are you?", ChannelDown),
        ("MAIL", "530 5.7.0 Log in first", ChannelDown),
        ("MAIL", "550 5.1.1 No such sender", ChannelDown),
        ("RCPT", "450 4.2.0 Greylisted", NotDelivered),
        ("RCPT", "499 Not now", NotDelivered),
        ("RCPT", "421 4.3.2 Closing", NotDelivered),
        ("RCPT", "530 5.7.0 Log in first", ChannelDown),
        ("RCPT", "550 5.1.1 <ida@example.com> is unknown", DeliveryRefused),
        ("RCPT", "550 5.1.10 No such recipient", DeliveryRefused),
        ("RCPT", "556 5.1.10 It takes no mail", DeliveryRefused),
        ("RCPT", "554 5.2.1 Disabled", DeliveryRefused),
        ("RCPT", "550 5.4.1 Recipient address rejected", DeliveryRefused),
        ("RCPT", "550 5.5.0 Mailbox unavailable", DeliveryRefused),
        ("RCPT", "551 User not local", DeliveryRefused),
        ("RCPT", "552 Mailbox full", DeliveryRefused),
        ("RCPT", "553 Bad mailbox", DeliveryRefused),
        ("RCPT", "550 5.7.1 Relaying denied", ChannelDown),
        ("RCPT", "550 #5.7.1 Not from you", ChannelDown),
        ("RCPT", "550 5.3.2 Not accepting mail", ChannelDown),
        ("RCPT", "550 5.1.7 Bad address of the sender", ChannelDown),
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
        ("dot", "550 No", ChannelDown),
        ("dot", "599 No", ChannelDown),
    ],
)
def test_each_reply_raises_the_right_error(
    post: tuple[Post, SmtpServer], command: str, reply: str, error: type[CallError]
) -> None:
    taken, server = post
    taken.replies[command] = reply
    with pytest.raises(error) as caught:
        deliver(server)
    assert type(caught.value) is error
    assert reply[:3] in str(caught.value)
    assert ADDRESS not in str(caught.value)
    assert taken.mails == []


def test_a_forwarded_recipient_is_accepted(post: tuple[Post, SmtpServer]) -> None:
    taken, server = post
    taken.replies["RCPT"] = "251 Will forward"
    deliver(server)
    assert len(taken.mails) == 1


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        ("400 Later", NotDelivered),
        ("421 4.3.2 Too busy", NotDelivered),
        ("499 Later", NotDelivered),
        ("500 No", ChannelDown),
        ("554 5.7.1 No mail from you", ChannelDown),
        ("250 Hello", ChannelDown),
    ],
)
def test_a_greeting_other_than_220_raises_the_right_error(
    post: tuple[Post, SmtpServer], greeting: str, error: type[NotDelivered]
) -> None:
    taken, server = post
    taken.replies["greeting"] = greeting
    with pytest.raises(error, match=f"greeted with {greeting[:3]}") as caught:
        deliver(server)
    assert type(caught.value) is error
    assert taken.commands == []
