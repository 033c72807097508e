"""Parsers of who may use the operator's window. The rules of config/parsers.py hold here, too."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from config.parsers import matching

MAKE_A_LOGIN: Final = "afterword make-login NAME"
EVERYBODY: Final = "*"

_NAME = r"[A-Za-z0-9._-]{1,40}"
_HASH = r"(?:scrypt:32768:8:1|pbkdf2:sha(?:256|512):[0-9]{4,8})\$[A-Za-z0-9]{8,}\$[0-9a-f]{64,}"
_ENTRY = re.compile(rf"(?P<name>{_NAME}):(?P<role>[a-z]+):(?P<hash>.+)")
_USER = re.compile(r"[^\s,]{1,200}")


class Role(StrEnum):
    """What an operator may do: look at everything, or act as well (pause, resume, retry)."""

    LOOK = "look"
    ACT = "act"


@dataclass(frozen=True, slots=True)
class Login:
    """A login of the window. The hash is one of `werkzeug.security`."""

    name: str
    role: Role
    password_hash: str = field(repr=False)


def logins(text: str) -> Mapping[str, Login]:
    """Parse `name:role:hash`, several separated by commas or line breaks. Return them by name."""
    entries = [part for part in re.split(r"[,\s]+", text) if part]
    if not entries:
        raise ValueError("has no login, only commas.")
    found: dict[str, Login] = {}
    for number, entry in enumerate(entries, start=1):
        login = _login(entry, number)
        if login.name in found:
            raise ValueError(f"has the name of number {number} twice. Leave one of them out.")
        found[login.name] = login
    return found


def is_login_name(text: str) -> bool:
    """Return whether a login may have this name."""
    return bool(re.fullmatch(_NAME, text))


def _login(entry: str, number: int) -> Login:
    parts = _ENTRY.fullmatch(entry)
    if not parts or parts["role"] not in {*Role}:
        raise ValueError(f"number {number} is not name:look:hash or name:act:hash. Make one: {MAKE_A_LOGIN}")
    if not re.fullmatch(_HASH, parts["hash"]):
        raise ValueError(
            f"number {number} has no whole hash. Make one: {MAKE_A_LOGIN}. If a shell or Compose has taken its dollars "
            "for variables, write it into a file, and name that in OPERATOR_LOGINS_FILE."
        )
    return Login(parts["name"], Role(parts["role"]), parts["hash"])


def proxy_users(text: str) -> frozenset[str]:
    """Parse users of a login proxy, separated by commas, in lower case; `*` is everybody."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found or not all(map(_USER.fullmatch, found)):
        raise ValueError("is not a list of users. Write anna@northwind.example, ben@northwind.example, or * for all.")
    return frozenset(each.casefold() for each in found)


header_name = matching(
    r"[A-Za-z][A-Za-z0-9-]{1,63}",
    "is not the name of a header. Write one such as X-Forwarded-Email or Remote-User.",
    str,
)
