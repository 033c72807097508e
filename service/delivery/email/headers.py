"""Folds e-mail headers where Python's `email` package does it wrongly, and limits the length of lines.

Two faults of Python are avoided here:

- It loses or adds spaces between encoded words. Readers skip the white space between two of them (RFC 2047, 6.2), and
  Python writes the space there. This is CPython's gh-144156 (before 3.12.5: gh-92081), repaired in 3.13 and 3.14 in
  February 2026 and released with 3.14.4. Python 3.11 and 3.12 get security fixes only. Once our minimum version has the
  repair, delete `_fold_words` and `_fold_address`: `test_no_space_is_lost_where_a_header_is_folded` must still pass.
- It folds a long URL into encoded words (gh-85725, open in 2026). No mail program takes those for a link.
"""

from email.header import Header
from email.headerregistry import Address
from email.policy import EmailPolicy
from email.utils import quote
from typing import Any, Final

MAX_LINE: Final = 76
"""For quoted-printable and for headers with encoded words (RFC 2045, 6.7; RFC 2047, 2). Python's default is 78."""

_MAX_WORD: Final = 60
"""Longer words are written as encoded words, which can be folded anywhere."""


class MailPolicy(EmailPolicy):
    """Python's policy for e-mail, with our own folding of some headers."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return one header, folded."""
        match name.lower():
            case "list-unsubscribe" | "message-id":
                text = str(value)
            case "subject":
                text = _fold_words(name, str(value))
            case "from" | "to" | "reply-to":
                text = ", ".join(_fold_address(name, each) for each in value.addresses)
            case _:
                return super().fold_binary(name, value)
        return f"{name}: {text}\r\n".encode("ascii")


POLICY: Final = MailPolicy(linesep="\r\n", max_line_length=MAX_LINE, raise_on_defect=True)


def _fold_words(name: str, text: str) -> str:
    is_plain = text.isascii() and all(len(word) <= _MAX_WORD for word in text.split(" "))
    charset = "us-ascii" if is_plain else "utf-8"
    return Header(text, charset, maxlinelen=MAX_LINE, header_name=name).encode(linesep="\r\n")


def _fold_address(name: str, address: Address) -> str:
    spec, shown = address.addr_spec, address.display_name
    if not shown:
        return spec
    if shown.isascii() and len(shown) <= _MAX_WORD:
        written = shown if shown.replace(" ", "").isalnum() else f'"{quote(shown)}"'
    else:
        written = Header(shown, "utf-8", maxlinelen=MAX_LINE, header_name=name).encode(linesep="\r\n")
    last_line = f"{name}: {written} <{spec}>".rpartition("\n")[2]
    return f"{written} <{spec}>" if len(last_line) <= MAX_LINE else f"{written}\r\n <{spec}>"
