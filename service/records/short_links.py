"""Short links for texts charged by length: a code in Redis points to the signed link.

The signature of the link still decides. A code has 12 of 62 characters, or 71 bits: with a million valid codes, 1,000
guesses a second find one in 100,000 years.
"""

import re
import secrets
from datetime import timedelta
from string import ascii_letters, digits
from typing import Final

import redis

from service.records.redis import Breaker, Store

LENGTH: Final = 12
_ALPHABET: Final = ascii_letters + digits
_CODE: Final = re.compile(rf"[A-Za-z0-9]{{{LENGTH}}}")
_IN_TEXT: Final = re.compile(rf"[^A-Za-z0-9_.-]*({_CODE.pattern})(?![-_]*[A-Za-z0-9])(.*)", re.DOTALL)
"""A code, and the characters that other programs appended to it."""


def is_code(text: str) -> bool:
    """Return whether this has the form of a code. Signed tokens don't: they contain dots."""
    return _CODE.fullmatch(text) is not None


def find_code(text: str) -> tuple[str, str] | None:
    """Return the code at the start of a mangled link, and the rest. The code may not exist."""
    found = _IN_TEXT.match(text)
    return (found[1], found[2]) if found else None


class ShortLinks(Store):
    """The codes of one installation. All methods raise RecordsUnavailable when Redis can't be reached."""

    def __init__(
        self, client: redis.Redis, public_url: str, *, breaker: Breaker | None = None, prefix: str = "afterword:"
    ) -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._public_url = public_url

    def shorten(self, survey_id: str, link: str, keep: timedelta) -> str:
        """Return the short form of a survey's signed link. It works for `keep` from now. A survey has one code."""
        codes, token, code = f"{self._prefix}short:", link.rpartition("/")[2], None
        while code is None:
            new = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
            keys = (f"{self._prefix}short_of:{survey_id}", f"{codes}{new}")
            code = self._run_script("short_links", keys, new, token, keep, codes, confirm=True)
        return f"{self._public_url}/s/{code}"

    def find(self, code: str) -> str | None:
        """Return the signed token of a code, or None. Writes nothing."""
        token = self._run_command(lambda: self._redis.get(f"{self._prefix}short:{code}"))
        return str(token) if token else None
