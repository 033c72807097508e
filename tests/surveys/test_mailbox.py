"""E-mail addresses and mailboxes: accepted, and refused."""

import pytest

from service.surveys.mailbox import Mailbox, mailbox, read_address


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
def test_addresses(text: str, address: str) -> None:
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
def test_refused_addresses(text: str) -> None:
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
def test_mailboxes(text: str, found: Mailbox) -> None:
    assert mailbox(text) == found


@pytest.mark.parametrize(
    "text", ["Northwind", "a@b@c", "North\x07wind <a@b.example>", "A <a@b.example> B", "a@b.example, c@d.example"]
)
def test_refused_mailboxes(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        mailbox(text)
