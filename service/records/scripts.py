"""The Lua scripts of the transitions, and the constants they share with Python."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import redis
from redis.commands.core import Script

from service.records.codec import to_ms
from service.surveys.ratings import RatingType

LUA = Path(__file__).with_name("lua")
SCRIPTS = tuple(sorted(path.stem for path in LUA.glob("*.lua") if path.stem != "record"))

_CONSTANTS: Mapping[str, timedelta] = {
    "HINT_GRACE_MS": timedelta(seconds=1),
    "COUNTS_RETENTION_MS": timedelta(days=400),
    "ROUNDS_MARGIN_MS": timedelta(days=365),
}
"""Durations used by several scripts, as local variables of each."""


def load_scripts(client: redis.Redis) -> dict[str, Script]:
    """Return every script by its name. Nothing is sent to Redis until one is called."""
    return {name: client.register_script(read_script(name)) for name in SCRIPTS}


def read_script(name: str) -> str:
    """Return the source of a script, with the constants and the shared functions in front of it."""
    files = (LUA / "record.lua", LUA / f"{name}.lua")
    return "\n".join((*_constants(), *(path.read_text(encoding="utf-8") for path in files)))


def _constants() -> Iterator[str]:
    yield "local RATING_TYPES = {" + ", ".join(f"'{rating}'" for rating in RatingType) + "}"
    for name, duration in _CONSTANTS.items():
        yield f"local {name} = {to_ms(duration)}"
