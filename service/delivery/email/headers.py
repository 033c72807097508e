"""Writes an e-mail's header lines where Python's own folding would harm them, and sets how long lines may be."""

from email.header import Header
from email.headerregistry import Address
from email.policy import EmailPolicy
from email.utils import quote
from typing import Any, Final

LONGEST_LINE: Final = 76
"""Of quoted-printable and of a header with encoded words (RFC 2045, 6.7; RFC 2047, 2); Python's own limit is 78."""

_LONGEST_WORD: Final = 60
"""A longer one is written in encoded words, which may be folded anywhere."""


class MailPolicy(EmailPolicy):
    """SMTP's, with these differences to Python's.

    A long URL isn't folded into encoded words, which no mail program takes for a link. And words that aren't ASCII
    keep the space between two of them where a line is folded: Python writes it where readers must skip it.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Write one header, folded."""
        match name.lower():
            case "list-unsubscribe" | "message-id":
                text = str(value)
            case "subject":
                text = _write_words(name, str(value))
            case "from" | "to" | "reply-to":
                text = ", ".join(_write_address(name, each) for each in value.addresses)
            case _:
                return super().fold_binary(name, value)
        return f"{name}: {text}\r\n".encode("ascii")


POLICY: Final = MailPolicy(linesep="\r\n", max_line_length=LONGEST_LINE, raise_on_defect=True)


def _write_words(name: str, text: str) -> str:
    charset = "us-ascii" if _is_plain(text) else "utf-8"
    return Header(text, charset, maxlinelen=LONGEST_LINE, header_name=name).encode(linesep="\r\n")


def _write_address(name: str, address: Address) -> str:
    spec, shown = address.addr_spec, address.display_name
    if not shown:
        return spec
    if shown.isascii() and len(shown) <= _LONGEST_WORD:
        written = shown if shown.replace(" ", "").isalnum() else f'"{quote(shown)}"'
    else:
        written = Header(shown, "utf-8", maxlinelen=LONGEST_LINE, header_name=name).encode(linesep="\r\n")
    last_line = f"{name}: {written} <{spec}>".rpartition("\n")[2]
    return f"{written} <{spec}>" if len(last_line) <= LONGEST_LINE else f"{written}\r\n <{spec}>"


def _is_plain(text: str) -> bool:
    """Say whether a text can stand as it is: ASCII that can be folded."""
    return text.isascii() and all(len(word) <= _LONGEST_WORD for word in text.split(" "))
