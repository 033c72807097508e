"""The e-mail's headers follow the RFCs and the habits of mail programs."""

import re
from dataclasses import replace
from email.header import decode_header, make_header

import pytest

from service.delivery.email.text import message_id, write_email
from service.surveys.mailbox import Mailbox
from service.surveys.words import Sender, Words
from service.texts.catalog import load_language
from tests.delivery.test_email_text import BRANDING, EMAIL, LINK, write


def test_email_has_the_required_headers() -> None:
    message = write()
    assert str(message["From"]) == "Northwind Ångström <survey@northwind.example>"
    assert str(message["Reply-To"]) == "Northwind <help@northwind.example>"
    assert message["To"] == "ida@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Message-ID"] == "<afterword.48213@survey.northwind.example>"
    assert message["List-Unsubscribe"] == f"<{LINK}/stop>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Date"].datetime.utcoffset() is not None
    assert message["MIME-Version"] == "1.0"
    assert len(message.keys()) == len({*message.keys()}) == 13, "one of each, and none about Afterword's internals"
    own = [name for name in message.keys() if name.startswith("X-")]  # noqa: SIM118 - a message isn't a dict
    assert own == ["X-Auto-Response-Suppress"]


def raw_header(raw: bytes, name: str) -> str:
    """Return a raw header, unfolded."""
    found = re.search(rf"(?m)^{name}: ([^\r]*(?:\r\n[ \t][^\r]*)*)".encode(), raw.partition(b"\r\n\r\n")[0])
    assert found
    return found[1].decode("ascii").replace("\r\n", "")


@pytest.mark.parametrize("word", ["é", "Ёж", "字", "😀 a", "how was it, ø;", "plain", '"Ltd." (x)', "ASCII" * 20])
def test_no_space_is_lost_where_a_header_is_folded(word: str) -> None:
    """CPython's gh-144156: readers skip white space between encoded words (RFC 2047, 6.2)."""
    for times in range(1, 60):
        text = " ".join([word] * times)
        subject, name = text[:120].strip(), text[:60].strip().replace('"', "'")
        raw = write_email(
            replace(BRANDING, sender=Mailbox("a@northwind.example", name)), replace(EMAIL, own=Words(subject=subject))
        )
        assert str(make_header(decode_header(raw_header(raw, "Subject")))) == subject
        shown, _, address = raw_header(raw, "From").rpartition(" ")
        unquoted = re.sub(r"\\(.)", r"\1", shown[1:-1]) if shown.startswith('"') else shown
        assert str(make_header(decode_header(unquoted))) == name
        assert address == "<a@northwind.example>"
        folded = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert all(len(line) <= 76 for line in folded if b"=?" in line), "RFC 2047, 2"
        assert all(line.strip() and line != b"Subject: " for line in folded)


@pytest.mark.parametrize(("letters", "is_encoded"), [(60, False), (61, True)])
def test_a_word_too_long_for_a_line_is_encoded(letters: int, *, is_encoded: bool) -> None:
    branding = replace(BRANDING, sender=Mailbox("survey@northwind.example", "n" * letters))
    raw = write_email(branding, replace(EMAIL, own=Words(subject="s" * letters)))
    for name in ("Subject", "From"):
        assert raw_header(raw, name).startswith("=?utf-8?") is is_encoded


@pytest.mark.parametrize(("letters", "is_folded"), [(48, False), (49, True), (60, True)])
def test_an_address_is_on_the_next_line_after_a_long_name(letters: int, *, is_folded: bool) -> None:
    """A line has at most 76 characters."""
    raw = write_email(replace(BRANDING, sender=Mailbox("a@northwind.example", "n" * letters)), EMAIL)
    assert (b"n\r\n <a@northwind.example>\r\n" in raw) is is_folded
    assert (b"n <a@northwind.example>\r\n" in raw) is not is_folded


def test_the_longest_addresses_are_not_folded() -> None:
    domain = ".".join(["d" * 60] * 3)
    longest = f"{'a' * 64}@{domain}.c"
    raw = write_email(replace(BRANDING, sender=Mailbox(longest, "Ё" * 60)), replace(EMAIL, address=longest))
    assert raw_header(raw, "To") == longest
    assert raw_header(raw, "From").endswith(f" <{longest}>")


def test_the_whole_message_is_ascii() -> None:
    branding = replace(BRANDING, brand="Ærø & 字 😀", sender=Mailbox("survey@northwind.example"))
    assert write_email(branding, replace(EMAIL, language=load_language("ar"))).isascii()


def test_a_long_link_is_not_folded() -> None:
    """Python would fold it into encoded words (gh-85725)."""
    assert f"\r\nList-Unsubscribe: <{LINK}/stop>\r\n".encode() in write_email(BRANDING, EMAIL)


def test_one_click_needs_https() -> None:
    message = write(link="http://127.0.0.1:8000/s/token")
    assert message["List-Unsubscribe"] == "<http://127.0.0.1:8000/s/token/stop>"
    assert message["List-Unsubscribe-Post"] is None


def test_a_resend_has_the_same_message_id() -> None:
    assert write()["Message-ID"] == write(address="other@example.com")["Message-ID"]
    assert write(survey_id="48214")["Message-ID"] != write()["Message-ID"]


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://a.example:8443/x", "a.example"),
        ("http://[::1]:8000", "[IPv6:::1]"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_the_message_id_has_our_host(url: str, domain: str) -> None:
    assert message_id(url, "7") == f"<afterword.7@{domain}>"


@pytest.mark.parametrize(
    "evil", ["a\r\nBcc: eve@evil.example", "a\nBcc: eve@evil.example", 'a" <eve@evil.example>, "b']
)
def test_a_name_cannot_inject_a_header_or_an_address(evil: str) -> None:
    branding = replace(BRANDING, sender=Mailbox("survey@northwind.example", evil))
    try:
        message = write(branding)
    except ValueError:
        return
    assert message["Bcc"] is None
    assert [each.addr_spec for each in message["From"].addresses] == ["survey@northwind.example"]


def test_a_survey_may_have_its_own_sender() -> None:
    sender = Sender(Mailbox("returns@northwind.example", "Northwind Returns"), Mailbox("desk@northwind.example"))
    message = write(sender=sender)
    assert str(message["From"]) == "Northwind Returns <returns@northwind.example>"
    assert str(message["Reply-To"]) == "Northwind <desk@northwind.example>"
    assert str(write(sender=Sender(reply_to=sender.reply_to))["From"]) == str(write()["From"])
