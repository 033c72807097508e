"""A customer without messages is asked by e-mail, rates by its link, and can opt out, in real processes."""

import re
from urllib.parse import urljoin

import pytest
import requests

from service.sandbox.dixa.model import Person
from service.sandbox.mail_server import ReceivedMail
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.integration.conftest import Opener, Starter
from tests.polling import eventually
from tests.processes import API_TOKEN, WEBHOOK_SECRET, Afterword

SURVEYS = """
[[survey]]
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
cooldown = "0s"
deliver = ["message", "email"]
"""
FREJA = Person("Freja Lindqvist", "freja@lindqvist.example", "+46701234567")


@pytest.fixture(scope="module")
def mailing(open_dixa: Opener) -> Sandbox:
    """A sandbox with a mail server."""
    return open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None, smtp_port=0))


@pytest.fixture(scope="module")
def mailing_afterword(start: Starter, mailing: Sandbox) -> Afterword:
    afterword = start(
        SURVEYS,
        dixa_url=mailing.api_url,
        SMTP_URL=mailing.smtp_url,
        MAIL_FROM="survey@northwind.example",
        BRAND_NAME="Northwind",
        STEP_BUDGET="8s",
        LEASE="16s",
    )
    mailing.sends_webhooks_to(afterword.webhook_url)
    return afterword


def asked_by_mail(mailing: Sandbox, requester: Person = FREJA) -> tuple[int, ReceivedMail]:
    before = len(mailing.mail_store.to(requester.email))
    number = mailing.make_conversation(channel="PstnPhone", requester=requester)
    mailing.close(number)
    found = eventually(lambda: mailing.mail_store.to(requester.email)[before:])
    assert found
    return number, found[0]


def link_with(mail: ReceivedMail, score: int) -> str:
    found = re.search(rf'href="([^"]+\?r={score})"', mail.html)
    assert found
    return found[1].replace("&amp;", "&")


def test_from_a_call_to_its_rating(mailing_afterword: Afterword, mailing: Sandbox) -> None:
    number, mail = asked_by_mail(mailing)
    assert len(mailing.offers(number)) == 1
    link = link_with(mail, 4)
    page = requests.get(link, timeout=30)
    assert "Not saved yet." in page.text
    action = re.search(r'<form method=post action="([^"]+)"', page.text)
    assert action
    chosen = re.search(r"name=rating value=(\d)[^>]* checked", page.text)
    assert chosen
    thanks = requests.post(urljoin(page.url, action[1]), {"rating": chosen[1], "comment": ""}, timeout=30)
    assert (thanks.status_code, thanks.history[0].status_code) == (200, 303)
    eventually(lambda: mailing.results(number))
    assert [each.value for each in mailing.results(number)] == [4]
    assert len(mailing.mail_store.to(FREJA.email)) == 1


def test_one_click_stops_the_next_survey(mailing_afterword: Afterword, mailing: Sandbox) -> None:
    tired = Person("Tim Tired", "tim@tired.example")
    _, mail = asked_by_mail(mailing, tired)
    stop = str(mail.message["List-Unsubscribe"]).strip("<>")
    assert requests.get(stop, timeout=30).status_code == 200
    answer = requests.post(stop, {"List-Unsubscribe": "One-Click"}, timeout=30, allow_redirects=False)
    assert answer.status_code == 200
    number = mailing.make_conversation(channel="PstnPhone", requester=tired)
    mailing.close(number)
    other, _ = asked_by_mail(mailing, Person("Olga Other", "olga@other.example"))
    eventually(lambda: "opted_out" in mailing_afterword.log)
    assert (len(mailing.offers(number)), len(mailing.offers(other))) == (0, 1)
    assert len(mailing.mail_store.to(tired.email)) == 1


def test_nothing_of_a_mail_is_logged(mailing_afterword: Afterword, mailing: Sandbox) -> None:
    _, mail = asked_by_mail(mailing, Person("Xenia Quux", "xenia@quux.example"))
    eventually(lambda: mailing_afterword.log.count("survey.delivered") >= len(mailing.mails))
    token = link_with(mail, 1).rpartition("/")[2].partition("?")[0]
    for hidden in ("quux", "Xenia", "lindqvist", "Freja", "Tired", "tired.example", token):
        assert hidden not in mailing_afterword.log
