"""Short links for texts that cost by their length: a code in Redis that leads to the signed link.

The signed link stays the authority: a code only says which one it is. A code has 12 of 62 characters, 71 bits: with a
million of them alive, who tries 1,000 a second finds one in 100,000 years.
"""

import re
import secrets
from datetime import timedelta
from functools import partial
from pathlib import Path
from string import ascii_letters, digits
from typing import Final

import redis

from service.records.codec import to_ms
from service.records.redis import Breaker, Store

LENGTH: Final = 12
_ALPHABET: Final = ascii_letters + digits
_CODE: Final = re.compile(rf"[A-Za-z0-9]{{{LENGTH}}}")
_IN_TEXT: Final = re.compile(rf"[^A-Za-z0-9_.-]*({_CODE.pattern})(?![-_]*[A-Za-z0-9])(.*)", re.DOTALL)
"""A code and what other programs glued to it."""


def is_code(text: str) -> bool:
    """Return whether this is spelled like a code, which no signed token is: those have dots."""
    return _CODE.fullmatch(text) is not None


def find_code(text: str) -> tuple[str, str] | None:
    """Return the code that a mangled link begins with, and what follows it. Whether it leads anywhere isn't known."""
    found = _IN_TEXT.match(text)
    return (found[1], found[2]) if found else None


class ShortLinks(Store):
    """The codes of one installation. All methods raise RecordsUnavailable when Redis can't be asked."""

    def __init__(
        self, client: redis.Redis, public_url: str, *, breaker: Breaker | None = None, prefix: str = "afterword:"
    ) -> None:
        super().__init__(client, breaker=breaker, prefix=prefix)
        self._public_url = public_url
        self._shorten = client.register_script(Path(__file__).with_suffix(".lua").read_text(encoding="utf-8"))

    def shorten(self, survey_id: str, link: str, keep: timedelta) -> str:
        """Return the short form of a survey's signed link. It works for `keep` from now; a survey has one code."""
        code = None
        while code is None:
            new = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
            code = self._ask(partial(self._keep, survey_id, new, link, keep))
        return f"{self._public_url}/s/{code}"

    def find(self, code: str) -> str | None:
        """Return the signed token that a code leads to, or None. Writes nothing."""
        token = self._ask(lambda: self._redis.get(f"{self._prefix}short:{code}"))
        return str(token) if token else None

    def _keep(self, survey_id: str, code: str, link: str, keep: timedelta) -> str | None:
        before = f"{self._prefix}short:"
        token = link.rpartition("/")[2]
        kept = self._shorten(
            keys=[f"{self._prefix}short_of:{survey_id}", f"{before}{code}"], args=[code, token, to_ms(keep), before]
        )
        return str(kept) if kept else None
