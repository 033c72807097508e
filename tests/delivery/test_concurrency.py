"""A silent mail server blocks at most half of a worker's threads."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from service.delivery.concurrency import ConcurrencyLimit
from service.delivery.email.smtp import EmailDelivery
from service.surveys.errors import NotNow
from service.surveys.ports import Deadline
from tests.delivery.mails import BRANDING, Mailings, record_of
from tests.delivery.messages import LINK
from tests.polling import eventually
from tests.smtp import post_office


def test_a_slow_mail_server_occupies_four_threads() -> None:
    plenty_of_time = timedelta(minutes=5)
    plenty = Deadline(plenty_of_time)
    with post_office() as (taken, server), ThreadPoolExecutor(4) as threads:
        email = EmailDelivery(server, BRANDING, Mailings(), budget=plenty_of_time)
        taken.hangs.add("RCPT")
        slow = [threads.submit(email.deliver, record_of(), LINK, plenty) for _ in range(4)]
        eventually(lambda: taken.commands.count("RCPT") == 4)
        for _ in range(3):
            with pytest.raises(NotNow, match="the mail server is busy") as caught:
                email.deliver(record_of(), LINK, plenty)
            assert caught.value.retry_in == timedelta(seconds=5)
        with pytest.raises(NotNow):
            email.reconcile(record_of(), plenty)
        assert taken.commands.count("RCPT") == 4
        taken.hangs.clear()
        assert {each.exception() for each in slow} == {None}
        assert not email.reconcile(record_of(), plenty)
        email.deliver(record_of(), LINK, plenty)
        assert len(taken.mails) == 5


def test_place_is_released_after_any_exception() -> None:
    limit = ConcurrencyLimit("it", 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limit.reserve():
            raise ZeroDivisionError
    with limit.reserve(), pytest.raises(NotNow):
        limit.check()
    limit.check()
