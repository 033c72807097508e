"""Who is at the window: a login with a password (Basic), or a user of a login proxy. There are no cookies.

A browser sends the password with every request. Its hash takes 60 ms and 32 MB, so a right password is remembered for
some minutes, as an HMAC with a key of this process, and hashes are checked one at a time.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Final

from flask import Request
from werkzeug.exceptions import Forbidden, TooManyRequests
from werkzeug.security import check_password_hash

from config.operators import EVERYBODY, Login, Role
from config.settings import Settings
from service.records.failure_guard import PERIOD_SECONDS, FailureGuard
from service.web.rejections import Rejections
from service.web.thread_pool import run_in_thread

SECRET_HEADER: Final = "X-Operator-Secret"  # noqa: S105 - a name
MAX_FAILED_LOGINS: Final = 10
"""Per address and minute."""

_REMEMBERED_SECONDS = 600
_MAX_REMEMBERED = 100
_USER = re.compile(r"[^\s,\x00-\x1f\x7f]{1,200}")
"""Two headers of the same name are joined with a comma: one of them may be the visitor's own."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who has logged in. `login` is for the log: users of a proxy are often addresses."""

    name: str
    role: Role
    login: str

    @property
    def may_act(self) -> bool:
        """Whether the operator may pause, resume and retry."""
        return self.role is Role.ACT


class Door:
    """Lets operators in. It counts failed logins by address, and refuses those with too many of them."""

    def __init__(self, settings: Settings, guard: FailureGuard, rejections: Rejections) -> None:
        self._logins: Mapping[str, Login] = settings.operator_logins or {}
        self._secret = (settings.operator_proxy_secret or "").encode()
        self._user_header = settings.operator_proxy_header
        self._may_act = settings.operator_proxy_act or frozenset()
        self._guard = guard
        self._rejections = rejections
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, float] = {}
        self._one_at_a_time = Lock()

    @property
    def has_logins(self) -> bool:
        """Whether passwords are taken. Otherwise there is only the proxy."""
        return bool(self._logins)

    def is_from_proxy(self, incoming: Request) -> bool:
        """Return whether a request has the secret of the login proxy."""
        given = incoming.headers.get(SECRET_HEADER, "").encode()
        return bool(self._secret) and hmac.compare_digest(given, self._secret)

    def find_operator(self, incoming: Request, name: str, password: str) -> Operator | None:
        """Return who sends a request. None without a right login: `name` and `password` are "" if none is given.

        Raises TooManyRequests if the address has failed too often, and Forbidden if the proxy names no user.
        """
        address = incoming.remote_addr or ""
        if self.is_from_proxy(incoming):
            return self._user_of_proxy(incoming)
        if not name and not password:
            if SECRET_HEADER in incoming.headers:
                self._count_failure(address, "wrong secret of the login proxy")
            return None
        if not self._is_right(name, password, address):
            self._count_failure(address, "wrong password" if name in self._logins else "unknown name")
            return None
        return Operator(name, self._logins[name].role, login=name)

    def _user_of_proxy(self, incoming: Request) -> Operator:
        user = incoming.headers.get(self._user_header, "").strip()
        if not _USER.fullmatch(user):
            raise Forbidden(f"The login proxy names no single user in {self._user_header}. See OPERATOR_PROXY_HEADER.")
        may_act = not self._may_act.isdisjoint({EVERYBODY, user.casefold()})
        return Operator(user, Role.ACT if may_act else Role.LOOK, login="proxy")

    def _is_right(self, name: str, password: str, address: str) -> bool:
        if not self._logins:
            return False
        mark = hmac.digest(self._key, f"{name}\0{password}".encode(), "sha256")
        if self._is_remembered(mark):
            return True
        if address and self._guard.is_over_limit(address, MAX_FAILED_LOGINS):
            self._refuse()
        # An unknown name takes as long as a known one, so that the time doesn't show which names exist.
        login = self._logins.get(name) or next(iter(self._logins.values()))
        with self._one_at_a_time:
            is_right = run_in_thread(check_password_hash, login.password_hash, password)
        if not is_right or login.name != name:
            return False
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[mark] = monotonic() + _REMEMBERED_SECONDS
        return True

    def _is_remembered(self, mark: bytes) -> bool:
        return self._remembered.get(mark, 0.0) > monotonic()

    def _count_failure(self, address: str, problem: str) -> None:
        self._rejections.note("operator.login_failed", problem)
        # A Unix socket has no address.
        if address and self._guard.count_failure(address, MAX_FAILED_LOGINS):
            self._refuse()

    def _refuse(self) -> None:
        raise TooManyRequests(
            f"Over {MAX_FAILED_LOGINS} logins a minute from your address have failed. Wait a minute.",
            retry_after=PERIOD_SECONDS,
        )
