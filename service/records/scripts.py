"""The Lua scripts, and how their arguments are written."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.commands.core import Script
from redis.exceptions import NoScriptError

from service.records.codec import to_ms
from service.records.tasks import QUEUE
from service.surveys.ratings import RatingType
from service.surveys.retention import Retention
from service.surveys.states import SurveyEvent

_HERE = Path(__file__).parent
LUA = _HERE / "lua"
SCRIPTS = tuple(sorted(path.stem for path in LUA.glob("*.lua") if path.stem != "record"))
"""The names of the transitions."""
_COMMENT = re.compile(r"^ *--.*\n", re.MULTILINE)


def load_scripts(
    client: redis.Redis,
    retention: Retention | None = None,
    *,
    is_archived: bool = False,
    events: Collection[SurveyEvent] = (),
) -> dict[str, Script]:
    """Return every script by its name. Nothing is sent to Redis until one is called.

    With a retention, ended records are scheduled for the deletion of single fields. `is_archived`: changed records are
    scheduled for the archive. `events` are noted, to be sent.
    """
    texts = _read_all(retention, is_archived=is_archived, events=tuple(sorted(events)))
    return {name: client.register_script(text) for name, text in texts.items()}


@cache
def _read_all(retention: Retention | None, *, is_archived: bool, events: tuple[SurveyEvent, ...]) -> dict[str, str]:
    """Read all scripts, without their comments. Those would more than double the memory, here and in Redis."""
    others = {path.stem: path.read_text(encoding="utf-8") for path in _HERE.glob("*.lua")}
    found = others | {name: read_script(name, retention, is_archived=is_archived, events=events) for name in SCRIPTS}
    return {name: _COMMENT.sub("", text) for name, text in found.items()}


def read_script(
    name: str,
    retention: Retention | None = None,
    *,
    is_archived: bool = False,
    events: Collection[SurveyEvent] = (),
) -> str:
    """Return the source of a transition, between the shared functions and the write of the record."""
    rating_types = ", ".join(f"'{rating}'" for rating in RatingType)
    shared, script = ((LUA / f"{each}.lua").read_text(encoding="utf-8") for each in ("record", name))
    trims = {"comment": retention.comment, "facts": retention.facts, "agent": retention.agent} if retention else {}
    after_ms = ", ".join(f"{kind} = {to_ms(time)}" for kind, time in trims.items())
    return f"""local RATING_TYPES, QUEUE, TRIM_AFTER_MS = {{{rating_types}}}, '{QUEUE}', {{{after_ms}}}
local IS_ARCHIVED, EVENTS = {str(is_archived).lower()}, {{{", ".join(f"{each} = true" for each in events)}}}
{shared}
local function transition()
{script}
end
local outcome = transition()
save()
return outcome
"""


def call_script(run: Callable[..., Any], script: Script, keys: Sequence[str], args: Iterable[object]) -> Any:
    """Call a script with `run`, a method of its client that runs a command."""
    command = ("EVALSHA", script.sha, len(keys), *keys, *map(to_argument, args))
    try:
        return run(*command)
    except NoScriptError:
        script.registered_client.script_load(script.script)
        return run(*command)


def to_argument(value: object) -> str:
    """Return an argument as scripts take it: times and durations in ms, flags as 1 or 0, and None as an empty text."""
    if value is None:
        return ""
    if isinstance(value, datetime | timedelta):
        return str(to_ms(value))
    return str(int(value) if isinstance(value, bool) else value)
