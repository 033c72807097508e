"""The environment: the process's variables, and those of `.env`. Nothing else reads them.

How the text of each becomes a value is in `config.values` and its kin.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from dotenv import dotenv_values
from environs import Env, EnvValidationError

from config import brand, endpoints, listening, mail, urls, values

_DOTENV = Path(".env")
_FOR_EVERYBODY = 0o004
_QUOTES = "\"'"
_QUOTED = "has quotes around its value, which count as part of it, as with docker --env-file. Leave them out."
_NOT_SET = "Environment variable not set."
"""In environs' words."""
_EXAMPLES = {
    "DIXA_API_TOKEN": "eyJhbGciOi… (made in Dixa's settings)",
    "DIXA_WEBHOOK_SECRETS": "5f3a9c… (shown with the webhook subscription in Dixa)",
    "SECRET_KEYS": f"what this prints: {values.MAKE_A_KEY}",
    "PUBLIC_URL": "https://feedback.example.com",
    "REDIS_URL": "redis://localhost:6379/0",
}
"""An example for each variable that has no default."""
_RENAMED = {
    "SETTLE": "RECONCILE_AFTER",
    "HINT_AGAIN": "REQUEUE_AFTER",
    "OFFER_WITHIN": "OFFER_MAX_AGE",
    "ANSWER_WITHIN": "ANSWER_MAX_AGE",
    "BACKOFF_FIRST": "BACKOFF_MIN",
    "BACKOFF_MOST": "BACKOFF_MAX",
    "SPOOL_MOST_MB": "SPOOL_MAX_MB",
    "KEEP_RECORDS": "RECORD_RETENTION",
    "RELAY_EVERY": "RELAY_INTERVAL",
    "TOKEN_PAUSE": "TOKEN_RETRY_AFTER",
}
"""Former names of variables. They are refused, since an ignored one would silently fall back to the default."""


class Environment(Env):
    """The variables that were given. environs collects the mistakes of all that is asked for, until it is sealed."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        """Take these, or else those of the process and of `.env`."""
        super().__init__(eager=False)
        self._given = os.environ if given is None else given
        self._unread: list[str] = []
        self._asked = set[str]()
        self._is_open_to_all = False
        for name in ("webhook_keys", "tokens", "signing_keys", "http_url", "public_url", "redis_url"):
            self.add_parser(name, getattr(values, name))
        for name in (
            "surveys_file",
            "folder",
            "megabytes",
            "pace",
            "count",
            "language",
            "log_format",
            "switch",
            "bearer",
            "certificates",
        ):
            self.add_parser(name, getattr(values, name))
        self.add_parser("zone", values.time_zone)
        self.add_parser("level", values.log_level)
        for name in ("label", "light_accent", "dark_accent", "logo"):
            self.add_parser(name, getattr(brand, name))
        for name in ("link", "contact"):
            self.add_parser(name, getattr(urls, name))
        for name in ("endpoint_url", "webhook_secret", "hosts"):
            self.add_parser(name, getattr(endpoints, name))
        for name in ("port", "addresses"):
            self.add_parser(name, getattr(listening, name))
        self.add_parser("smtp_url", mail.smtp_url)
        self.add_parser("mailbox", mail.mailbox)
        self.add_parser("duration", lambda value: value if isinstance(value, timedelta) else values.duration(value))
        if given is None:
            self._read_dotenv()

    def has(self, name: str) -> bool:
        """Say whether a variable was given, be it right or wrong."""
        return bool(self.text(name))

    def text(self, name: str) -> str:
        """Give a variable as it is written; one that wasn't given is empty."""
        return str(self._get_value(name, ""))

    def cautions(self) -> Iterator[str]:
        """Warn of what is odd about how they were given, once all of ours have been asked for."""
        yield from self._misspelt()
        yield from (f"{name} {_QUOTED}" for name in sorted(self._asked) if self._is_quoted(name))
        if self._is_open_to_all:
            yield f"{_DOTENV} can be read by everybody on this machine, and holds secrets. Run: chmod 600 {_DOTENV}"

    def mistakes(self) -> Iterator[str]:
        """Seal, and give a line for each mistake. What isn't set may stand in a `.env` that can't be read."""
        yield from self._unread
        found = {name for each in (self._given, self._environ) for name, value in each.items() if value.strip()}
        yield from (f"  {old} is called {new} now." for old, new in _RENAMED.items() if old in found)
        try:
            self.seal()
        except EnvValidationError as error:
            for name, problems in cast("Mapping[str, list[str]]", error.error_messages).items():
                hint = f" It {_QUOTED}" if self._is_quoted(name) else ""
                told = (each for each in problems if not (self._unread and each == _NOT_SET))
                yield from (_line(name, problem) + hint for problem in told)

    def _misspelt(self) -> Iterator[str]:
        """Warn of each name in `.env` that is near one of ours."""
        for name in self._environ:
            near = get_close_matches(name.upper(), self._asked, 1, 0.8)
            if near and name not in self._asked:
                yield f"{name} in {_DOTENV} is no setting, so it does nothing. Did you mean {near[0]}?"

    def _read_dotenv(self) -> None:
        """Add what `.env` says of variables that the process doesn't have. The file may begin with a BOM."""
        try:
            with _DOTENV.open(encoding="utf-8-sig") as text:
                self._is_open_to_all = bool(os.fstat(text.fileno()).st_mode & _FOR_EVERYBODY)
                found = dotenv_values(stream=text, interpolate=False)
                self._environ.update({name: value for name, value in found.items() if value is not None})
        except FileNotFoundError:
            return
        except UnicodeDecodeError:
            self._unread.append(f"  {_DOTENV} can't be read: it is not UTF-8 text.")
        except OSError as error:
            self._unread.append(f"  {_DOTENV} can't be read: {error.strerror}. Make it a file that we may read.")

    def _is_quoted(self, name: str) -> bool:
        value = self.text(name)
        return len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES

    def _get_value(self, env_key: str, default: Any) -> Any:
        self._asked.add(env_key)
        return self._given.get(env_key, "").strip() or self._environ.get(env_key, "").strip() or default


def trust_certificates(certificates: Path | None) -> None:
    """Let all connections of this process trust SSL_CERT_FILE; OpenSSL, which makes them, looks there alone."""
    if certificates:
        os.environ["SSL_CERT_FILE"] = str(certificates)


def _line(name: str, problem: str) -> str:
    """Say what is wrong with a variable; environs' own words are only for one that isn't set."""
    if problem == _NOT_SET:
        return f"  {name} is not set. Example: {name}={_EXAMPLES[name]}"
    return f"  {name}: {problem}"
