"""`afterword send-test`: an operator sends a survey e-mail to their own address."""

import re
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result

from config.endpoints import SmtpServer
from service.cli import main
from service.texts.catalog import load_language
from tests.config.test_settings import GOOD
from tests.smtp import post_office


def send(*arguments: str, server: SmtpServer | None) -> Result:
    mail = (
        {"SMTP_URL": f"smtp://localhost:{server.port}?starttls=off", "MAIL_FROM": "a@northwind.example"}
        if server
        else {}
    )
    environ: dict[str, str | None] = {"SMTP_URL": None, "MAIL_FROM": None, **GOOD, **mail}
    return CliRunner().invoke(main, ["send-test", *arguments], env=environ)


def test_survey_email_arrives() -> None:
    with post_office() as (post, server):
        result = send("me@example.com", "--rating", "nps", "--language", "Danish", server=server)
        assert (result.exit_code, result.output) == (0, f"Sent. localhost:{server.port} accepted it.\n")
        assert post.envelopes == [("a@northwind.example", ["me@example.com"])]
        assert b"Content-Language: da" in post.mails[0]


@pytest.mark.parametrize("arguments", [["me"], ["me@example.com", "--language", "Klingon"]])
def test_invalid_argument_is_refused_with_an_example(arguments: list[str]) -> None:
    with post_office() as (post, server):
        result = send(*arguments, server=server)
        assert (result.exit_code, post.mails) == (1, [])
        assert re.search("Write (it like|a code such as)", result.output)


def test_error_of_the_mail_server_is_shown() -> None:
    with post_office() as (post, server):
        post.replies["RCPT"] = "550 5.1.1 me@example.com is nobody"
        result = send("me@example.com", server=server)
        assert result.exit_code == 1
        assert "the mail server replied to RCPT with 550 5.1.1" in result.output


def test_missing_smtp_url_is_reported() -> None:
    assert "SMTP_URL is not set" in send("me@example.com", server=None).output


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12"])
def test_date_is_in_the_brands_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """These two zones never have the same date."""
    monkeypatch.setenv("TIME_ZONE", zone)
    with post_office() as (post, server):
        days = [load_language("en").format_date(datetime.now(ZoneInfo(zone)).date())]
        assert send("me@example.com", server=server).exit_code == 0
        days.append(load_language("en").format_date(datetime.now(ZoneInfo(zone)).date()))
        body = message_from_bytes(post.mails[0], policy=default).get_body(("plain",))
    assert body
    assert any(day in body.get_content() for day in days)


SURVEYS = """
[[survey]]
name = "default"
[[survey]]
name = "returns"
rating = "Nps"
[survey.words.da]
question = "Vil du anbefale os?"
subject = "Din retur"
[survey.sender]
email = "Northwind Returns <returns@northwind.example>"
[survey.sender.da]
reply_to = "retur@northwind.example"
[survey.brand]
name = "Returns"
accent = "#9d174d"
privacy_url = "https://returns.example/privacy"
"""


def test_survey_has_its_own_words_sender_and_brand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "surveys.toml"
    file.write_text(SURVEYS, encoding="utf-8")
    monkeypatch.setenv("SURVEYS_FILE", str(file))
    with post_office() as (post, server):
        assert send("me@example.com", "--survey", "returns", "--lang", "da", server=server).exit_code == 0
        assert send("me@example.com", "--survey", "nothing", server=server).output.endswith(
            "Known: default, returns.\n"
        )
        (mail,) = post.mails
        assert post.envelopes == [("returns@northwind.example", ["me@example.com"])]
    message = message_from_bytes(mail, policy=default)
    assert message["Subject"] == "Din retur"
    assert str(message["From"]) == "Northwind Returns <returns@northwind.example>"
    assert str(message["Reply-To"]) == "Returns <retur@northwind.example>"
    body = message.get_body(("plain",))
    assert body
    assert "Vil du anbefale os?" in body.get_content()
    assert "https://" in body.get_content()
    html = message.get_body(("html",))
    assert html
    for shown in ("?r=10", " Returns.", "#9d174d", "https://returns.example/privacy"):
        assert shown in html.get_content()
