"""How the mail server and the mailboxes are written, and what is no way to write them."""

import pytest
from marshmallow import ValidationError

from config.endpoints import SmtpServer, Tls
from config.loader import SettingsError, read_settings
from config.parsers import smtp_url
from service.surveys.mailbox import Mailbox, mailbox, read_address
from tests.config.test_settings import GOOD, mistakes

MAIL = {"SMTP_URL": "smtps://user:smtp-password@mail.example", "MAIL_FROM": "Northwind <survey@northwind.example>"}


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("smtp://mail.example", SmtpServer("mail.example", 587, Tls.STARTTLS)),
        ("smtp://mail.example:2525?starttls=required", SmtpServer("mail.example", 2525, Tls.STARTTLS)),
        ("smtps://mail.example", SmtpServer("mail.example", 465, Tls.IMPLICIT)),
        ("smtp://localhost?starttls=off", SmtpServer("localhost", 25, Tls.NONE)),
        ("smtp://a:b@localhost:1025/?starttls=off", SmtpServer("localhost", 1025, Tls.NONE, "a", "b")),
        (
            "smtp://me%40mail.example:p%2Fw%3A@mail.example",
            SmtpServer("mail.example", 587, Tls.STARTTLS, "me@mail.example", "p/w:"),
        ),
        ("smtps://[::1]:465", SmtpServer("::1", 465, Tls.IMPLICIT)),
    ],
)
def test_a_mail_server(text: str, server: SmtpServer) -> None:
    assert smtp_url(text) == server


@pytest.mark.parametrize(
    "text",
    [
        "mail.example:587",
        "http://mail.example",
        "smtp://",
        "smtp://mail.example:port",
        "smtp://mail.example/path",
        "smtp://mail.example?starttls=maybe",
        "smtp://mail.example?tls=off",
        "smtps://mail.example?starttls=off",
        "smtps://mail.example?starttls=required",
        "smtp://user:secret@mail.example?starttls=off",
        "smtp://user:sec ret@mail.example",
        "smtp://user:sécret@mail.example",
    ],
)
def test_no_mail_server_and_the_password_is_not_repeated(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        smtp_url(text)
    assert "ret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ida@example.com", "ida@example.com"),
        ("ida.holm+shop@mail.example.co.uk", "ida.holm+shop@mail.example.co.uk"),
        ("o'hara_{x}@example.com", "o'hara_{x}@example.com"),
        ("ida@bücher.example", "ida@xn--bcher-kva.example"),
        ("ida@straße.example", "ida@xn--strae-oqa.example"),
        ("ida@localhost", "ida@localhost"),
    ],
)
def test_an_address(text: str, address: str) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ida",
        "@example.com",
        "ida@a..example",
        "ida@☃.example",
        "ida@",
        "ida@@example.com",
        "ida holm@example.com",
        "ida@example.com, eve@evil.example",
        "ida@example.com\r\nBcc: eve@evil.example",
        "ida@example.com\n",
        "ida@exa\0mple.com",
        "<ida@example.com>",
        "ida@example.com>",
        '"ida"@example.com',
        "ida@example..com",
        ".ida@example.com",
        "ida.@example.com",
        "i..da@example.com",
        "ida@-example.com",
        "idå@example.com",
        "ida@[127.0.0.1]",
        f"{'a' * 65}@example.com",
        f"ida@{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.com",
    ],
)
def test_no_address(text: str) -> None:
    assert read_address(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("survey@northwind.example", Mailbox("survey@northwind.example")),
        ("<survey@northwind.example>", Mailbox("survey@northwind.example")),
        ("Northwind Support <survey@northwind.example>", Mailbox("survey@northwind.example", "Northwind Support")),
        ('"Northwind, Inc." <survey@northwind.example>', Mailbox("survey@northwind.example", "Northwind, Inc.")),
    ],
)
def test_a_mailbox(text: str, found: Mailbox) -> None:
    assert mailbox(text) == found


@pytest.mark.parametrize(
    "text", ["Northwind", "a@b@c", "North\x07wind <a@b.example>", "A <a@b.example> B", "a@b.example, c@d.example"]
)
def test_no_mailbox(text: str) -> None:
    with pytest.raises(ValidationError):
        mailbox(text)


def test_all_together() -> None:
    settings = read_settings({**GOOD, **MAIL, "MAIL_REPLY_TO": "help@northwind.example"})
    assert settings.mail
    assert settings.mail.sender == Mailbox("survey@northwind.example", "Northwind")
    assert settings.mail.reply_to == Mailbox("help@northwind.example")
    assert "smtp-password" not in repr(settings)
    assert read_settings(GOOD).mail is None


def test_a_server_needs_a_sender() -> None:
    assert [line.split()[0] for line in mistakes(SMTP_URL=MAIL["SMTP_URL"])] == ["MAIL_FROM"]
    assert len(mistakes(SMTP_URL=MAIL["SMTP_URL"], MAIL_FROM="nobody")) == 1


def test_surveys_by_email_need_a_server(tmp_path: object) -> None:
    file = tmp_path / "surveys.toml"  # type: ignore[operator]
    file.write_text('[[survey]]\nname = "both"\ndeliver = ["message", "email"]\n', encoding="utf-8")
    (line,) = mistakes(SURVEYS_FILE=str(file))
    assert "'both'" in line
    assert "SMTP_URL" in line
    assert len(mistakes(SURVEYS_FILE=str(file), **MAIL | {"SMTP_URL": "nonsense"})) == 1
    try:
        assert read_settings({**GOOD, **MAIL, "SURVEYS_FILE": str(file)}).surveys[0].deliver == ("message", "email")
    except SettingsError as error:
        pytest.fail(str(error))
