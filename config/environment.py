"""The environment: the variables of the process and of `.env`. No other module reads them.

A table of settings is a dataclass whose fields `variable` declares, each with its parser, default and help. The tables
also generate docs/settings.md and .env.example (`make docs`).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast, overload

from dotenv import dotenv_values
from environs import Env, EnvValidationError
from marshmallow import ValidationError

from config.secret_files import file_variable, read_secret_file

T = TypeVar("T")

_DOTENV = Path(".env")
_READABLE_BY_ALL = 0o004
_QUOTED = "has quotes around its value, which count as part of it, as with docker --env-file. Leave them out."
_NOT_SET = "Environment variable not set."
"""The message of environs."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A row of a table of settings.

    Without a default, a variable is required. An empty default means None. A `group` begins a section of the docs.
    """

    parse: Callable[[str], Any]
    help_text: str
    default: str | None = None
    name: str = ""
    example: str = ""
    group: str = ""
    former_name: str = ""
    is_secret: bool = False


@overload
def variable(
    parse: Callable[[str], T], help_text: str, *, default: Literal[""], is_secret: bool = False, **row: str
) -> T | None: ...
@overload
def variable(
    parse: Callable[[str], T], help_text: str, *, default: str | None = None, is_secret: bool = False, **row: str
) -> T: ...
def variable(parse: Callable[[str], Any], help_text: str, **row: Any) -> Any:
    """Declare a field that is read from the environment. `name` is by default the field's name in capitals."""
    made = Variable(parse, help_text, **row)
    return field(repr=not made.is_secret, metadata={"variable": made})


def rows_of(table: type) -> dict[str, Variable]:
    """Return the rows of a table of settings, by field."""
    rows = {each.name: each.metadata["variable"] for each in fields(table) if "variable" in each.metadata}
    return {name: replace(row, name=row.name or name.upper()) for name, row in rows.items()}


def _parse(text: str, parse: Callable[[str], T]) -> T | None:
    """Parse a variable. An empty one is None. environs collects ValidationErrors only."""
    try:
        return parse(text) if text else None
    except ValueError as error:
        raise ValidationError(str(error).splitlines()) from None  # The cause may show a secret.


class Environment(Env):
    """The variables that are set. environs collects the mistakes of all tables until it is sealed."""

    def __init__(
        self, given: Mapping[str, str] | None = None, stand_ins: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Use `given`, or else the variables of the process and of `.env`. `stand_ins` are for those not set."""
        super().__init__(eager=False)
        self._stand_ins = stand_ins
        self._given = os.environ if given is None else given
        self._unreadable: list[str] = []
        self._secrets: dict[str, str] = {}
        self._file_mistakes: dict[str, str] = {}
        self._rows: dict[str, Variable] = {}
        self._is_readable_by_all = False
        self.add_parser("parsed", _parse)
        if given is None:
            self._read_dotenv()

    def read(self, table: type) -> dict[str, Any]:
        """Return the values of a table, by field. A value with a mistake is None."""
        rows = rows_of(table)
        self._rows |= {row.name: row for row in rows.values()}
        for row in rows.values():
            if row.is_secret:
                self._read_secret(row.name)
        return {
            name: self.parsed(row.name, ... if row.default is None else row.default, parse=row.parse)
            for name, row in rows.items()
        }

    def has(self, name: str) -> bool:
        """Return whether a variable is set, be its value right or wrong."""
        return bool(self.text(name)) or name in self._file_mistakes

    def text(self, name: str) -> str:
        """Return a variable as it is written, or an empty text."""
        return str(self._get_value(name, ""))

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each oddity in how the variables are set."""
        known = {*self._rows, *(file_variable(row.name) for row in self._rows.values() if row.is_secret)}
        for name in self._environ:
            near = get_close_matches(name.upper(), known, 1, 0.8)
            if near and name not in known:
                yield f"{name} in {_DOTENV} is no setting, so it does nothing. Did you mean {near[0]}?"
        yield from (f"{name} {_QUOTED}" for name in sorted(self._rows) if self._is_quoted(name))
        if self._is_readable_by_all:
            yield f"{_DOTENV} can be read by everybody on this machine, and holds secrets. Run: chmod 600 {_DOTENV}"

    def mistakes(self) -> Iterator[str]:
        """Seal, and yield a line for each mistake."""
        yield from self._unreadable
        yield from self._file_mistakes.values()
        for row in self._rows.values():
            # Ignoring a former name would silently use the default.
            if row.former_name and self.has(row.former_name):
                yield f"  {row.former_name} is called {row.name} now."
        try:
            self.seal()
        except EnvValidationError as error:
            for name, problems in cast("Mapping[str, list[str]]", error.error_messages).items():
                hint = f" It {_QUOTED}" if self._is_quoted(name) else ""
                for problem in problems:
                    if problem != _NOT_SET:
                        yield f"  {name}: {problem}{hint}"
                    elif not (self._unreadable or name in self._file_mistakes):  # A file may have it.
                        yield f"  {name} is not set. Example: {name}={self._rows[name].example}"

    def _read_secret(self, name: str) -> None:
        """Read a secret from its file, if the environment names one."""
        file = file_variable(name)
        if not (path := self.text(file)):
            return
        if self.text(name):
            self._file_mistakes[name] = f"  {name} and {file} are both set. Leave one of them out."
            return
        try:
            self._secrets[name] = read_secret_file(path)
        except ValueError as error:
            self._file_mistakes[name] = f"  {file}: {error}"

    def _read_dotenv(self) -> None:
        """Add the variables of `.env` that the process lacks. Windows editors begin the file with a BOM."""
        try:
            with _DOTENV.open(encoding="utf-8-sig") as text:
                self._is_readable_by_all = bool(os.fstat(text.fileno()).st_mode & _READABLE_BY_ALL)
                # A dollar in a password is a dollar, so nothing is interpolated.
                found = dotenv_values(stream=text, interpolate=False)
                self._environ.update({name: value for name, value in found.items() if value is not None})
        except FileNotFoundError:
            return
        except UnicodeDecodeError:
            self._unreadable.append(f"  {_DOTENV} can't be read: it is not UTF-8 text.")
        except OSError as error:
            self._unreadable.append(f"  {_DOTENV} can't be read: {error.strerror}. Make it a file that we may read.")

    def _is_quoted(self, name: str) -> bool:
        value = self.text(name)
        return len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"

    def _get_value(self, env_key: str, default: Any) -> Any:
        """Find a variable. environs would take an empty one as set, and always look into the process's own."""
        found = self._given.get(env_key, "").strip() or self._environ.get(env_key, "").strip()
        return found or self._secrets.get(env_key) or self._stand_ins.get(env_key) or default


def trust_certificates(certificates: Path | None) -> None:
    """Make all connections of this process trust the authorities in this file.

    OpenSSL reads only the environment of the process, so a value from `.env` has to be put there.
    """
    if certificates:
        os.environ["SSL_CERT_FILE"] = str(certificates)
