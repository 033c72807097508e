"""A survey by e-mail, its answer and an opt-out, in real processes."""

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
def dixa_with_mail(open_dixa: Opener) -> Sandbox:
    """Start a sandbox with a mail server."""
    return open_dixa(SandboxSettings(tokens=(API_TOKEN,), secret=WEBHOOK_SECRET, rate=None, smtp_port=0))


@pytest.fixture(scope="module")
def afterword_with_mail(start: Starter, dixa_with_mail: Sandbox) -> Afterword:
    afterword = start(
        SURVEYS,
        dixa_url=dixa_with_mail.api_url,
        SMTP_URL=dixa_with_mail.smtp_url,
        MAIL_FROM="survey@northwind.example",
        BRAND_NAME="Northwind",
        STEP_BUDGET="8s",
        LEASE="16s",
    )
    dixa_with_mail.sends_webhooks_to(afterword.webhook_url)
    return afterword


def ask_by_mail(dixa_with_mail: Sandbox, requester: Person = FREJA) -> tuple[int, ReceivedMail]:
    before = len(dixa_with_mail.mail_store.to(requester.email))
    number = dixa_with_mail.make_conversation(channel="PstnPhone", requester=requester)
    dixa_with_mail.close(number)
    found = eventually(lambda: dixa_with_mail.mail_store.to(requester.email)[before:])
    assert found
    return number, found[0]


def link_with(mail: ReceivedMail, score: int) -> str:
    found = re.search(rf'href="([^"]+\?r={score})"', mail.html)
    assert found
    return found[1].replace("&amp;", "&")


def test_phone_call_is_rated_by_email(afterword_with_mail: Afterword, dixa_with_mail: Sandbox) -> None:
    number, mail = ask_by_mail(dixa_with_mail)
    assert len(dixa_with_mail.offers(number)) == 1
    link = link_with(mail, 4)
    page = requests.get(link, timeout=30)
    assert "Not saved yet." in page.text
    action = re.search(r'<form method=post action="([^"]+)"', page.text)
    assert action
    chosen = re.search(r"name=rating value=(\d)[^>]* checked", page.text)
    assert chosen
    thanks = requests.post(urljoin(page.url, action[1]), {"rating": chosen[1], "comment": ""}, timeout=30)
    assert (thanks.status_code, thanks.history[0].status_code) == (200, 303)
    eventually(lambda: dixa_with_mail.results(number))
    assert [each.value for each in dixa_with_mail.results(number)] == [4]
    assert len(dixa_with_mail.mail_store.to(FREJA.email)) == 1


def test_one_click_unsubscribe_ends_surveys(afterword_with_mail: Afterword, dixa_with_mail: Sandbox) -> None:
    tired = Person("Tim Tired", "tim@tired.example")
    _, mail = ask_by_mail(dixa_with_mail, tired)
    stop = str(mail.message["List-Unsubscribe"]).strip("<>")
    assert requests.get(stop, timeout=30).status_code == 200
    response = requests.post(stop, {"List-Unsubscribe": "One-Click"}, timeout=30, allow_redirects=False)
    assert response.status_code == 200
    number = dixa_with_mail.make_conversation(channel="PstnPhone", requester=tired)
    dixa_with_mail.close(number)
    other, _ = ask_by_mail(dixa_with_mail, Person("Olga Other", "olga@other.example"))
    eventually(lambda: "opted_out" in afterword_with_mail.log)
    assert (len(dixa_with_mail.offers(number)), len(dixa_with_mail.offers(other))) == (0, 1)
    assert len(dixa_with_mail.mail_store.to(tired.email)) == 1


def test_no_name_address_or_token_is_logged(afterword_with_mail: Afterword, dixa_with_mail: Sandbox) -> None:
    _, mail = ask_by_mail(dixa_with_mail, Person("Xenia Quux", "xenia@quux.example"))
    eventually(lambda: afterword_with_mail.log.count("survey.delivered") >= len(dixa_with_mail.mails))
    token = link_with(mail, 1).rpartition("/")[2].partition("?")[0]
    for hidden in ("quux", "Xenia", "lindqvist", "Freja", "Tired", "tired.example", token):
        assert hidden not in afterword_with_mail.log
