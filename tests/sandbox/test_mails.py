"""The sandbox receives e-mails, and shows them without running anything in them."""

import smtplib
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
import requests

from service.delivery.email.text import write_email
from service.sandbox import mail_server
from service.sandbox.dixa.model import Person
from service.sandbox.server import Sandbox
from service.sandbox.settings import SandboxSettings
from tests.delivery.logos import PNG_THEME
from tests.delivery.test_email_text import BRANDING, EMAIL

HTML = '<!DOCTYPE html><html><body><p>Hi</p><a href="https://survey.example/s/x?r=4">4</a><script>alert(1)</script></body></html>'


@pytest.fixture
def dixa() -> Iterator[Sandbox]:
    sandbox = Sandbox(SandboxSettings(rate=None, smtp_port=0)).start()
    yield sandbox
    sandbox.stop()


def send(dixa: Sandbox, to: str = "ida@example.com") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "survey@northwind.example", to, "How <b>was</b> it?"
    message.set_content("Hi, the text")
    message.add_alternative(HTML, subtype="html")
    host, _, port = dixa.smtp_url.removeprefix("smtp://").removesuffix("?starttls=off").partition(":")
    with smtplib.SMTP(host, int(port), timeout=30) as smtp:
        smtp.send_message(message)


def page(dixa: Sandbox, path: str) -> requests.Response:
    response = requests.get(dixa.url + path, timeout=30)
    assert response.status_code == 200
    return response


def test_received_emails_are_listed(dixa: Sandbox) -> None:
    assert "None yet" in page(dixa, "/mails").text
    send(dixa)
    (mail,) = dixa.mails
    assert (mail.sender, mail.recipient, mail.subject) == (
        "survey@northwind.example",
        "ida@example.com",
        "How <b>was</b> it?",
    )
    assert mail.text.strip() == "Hi, the text"
    assert "How &lt;b&gt;was&lt;/b&gt; it?" in page(dixa, "/mails").text
    assert "E-mails that customers got: 1" in page(dixa, "/").text


def test_an_email_shows_its_attached_pictures(dixa: Sandbox) -> None:
    raw = write_email(replace(BRANDING, theme=PNG_THEME), EMAIL)
    host, _, port = dixa.smtp_url.removeprefix("smtp://").removesuffix("?starttls=off").partition(":")
    with smtplib.SMTP(host, int(port), timeout=5) as smtp:
        smtp.sendmail("survey@northwind.example", "ida@example.com", raw)
    framed = page(dixa, "/mails/1/html")
    assert '<img class="l" src="data:image/png;base64,' in framed.text
    assert "img-src data:;" in framed.headers["Content-Security-Policy"]


def test_an_email_is_shown_in_a_sandboxed_frame(dixa: Sandbox) -> None:
    send(dixa)
    shown = page(dixa, "/mails/1")
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown.text
    assert "alert(1)" not in shown.text
    framed = page(dixa, "/mails/1/html")
    assert "sandbox allow-popups" in framed.headers["Content-Security-Policy"]
    assert "script-src" not in framed.headers["Content-Security-Policy"]
    assert framed.text.startswith('<!DOCTYPE html><base target="_blank">')


def test_a_conversation_links_its_customers_emails(dixa: Sandbox) -> None:
    number = dixa.make_conversation(requester=Person("Ida Holm", "ida@example.com"))
    send(dixa)
    send(dixa, "tom@example.com")
    shown = page(dixa, f"/conversations/{number}").text
    assert "/mails/1" in shown
    assert "/mails/2" not in shown


def test_reset_deletes_emails(dixa: Sandbox) -> None:
    send(dixa)
    dixa.reset()
    assert dixa.mails == []
    assert requests.get(f"{dixa.url}/mails/1", timeout=30).status_code == 404


def test_page_reports_a_missing_mail_server() -> None:
    with pytest.raises(LookupError):
        _ = Sandbox(SandboxSettings()).smtp_url


def test_only_the_latest_emails_are_kept(dixa: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_server, "_MAX_KEPT", 2)
    for number in range(3):
        send(dixa, f"{number}@example.com")
    assert [(mail.number, mail.recipient) for mail in dixa.mails] == [(2, "1@example.com"), (3, "2@example.com")]
