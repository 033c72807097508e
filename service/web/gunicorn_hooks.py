"""What the web's master holds for its children: the settings that could be read last.

gunicorn.conf.py hands these functions to gunicorn. A HUP reads `.env` and surveys.toml anew. With a mistake in
them the ones before are kept, and so they are for a child that takes the place of one that has ended: no slip in a file
ends what is running. New code needs a restart, since the master has imported `config` once; so do BIND and PORT.
"""

import mmap
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from config.loader import SettingsError, read_settings
from config.logging import set_up_logging
from config.settings import Settings

_MOVED = "BIND or PORT has changed since the start, which needs a restart: the web listens where it did."

_CANT_START = 4
"""With this status gunicorn ends too; with any other it would start the same child again, for ever."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The settings in use. `problem` names the mistakes in newer ones, if there are any.

    `are_new` is true for the first children: what those can't work with stops the start.
    """

    settings: Settings
    problem: str = ""
    are_new: bool = True


_kept: Kept | None = None
_awaited = mmap.mmap(-1, mmap.PAGESIZE)
"""Shared by master and children: a byte for each child that a HUP has called for, 1 until it is ready."""


def kept_settings() -> Kept:
    """Give what the master has read; without a master of ours, read it now."""
    return _kept or _first()


def addresses() -> Sequence[str]:
    """Give where to listen. A HUP moves nobody: gunicorn asks before it calls `on_reload`."""
    return kept_settings().settings.bind


def refuse_to_start(problem: str) -> NoReturn:
    """End, and gunicorn with it."""
    sys.stderr.write(f"{problem}\n")
    sys.exit(_CANT_START)


def on_starting(_master: Any) -> None:
    """Read the settings before there is a child; gunicorn calls this."""
    global _kept  # noqa: PLW0603 - a fork is how a child gets it
    _kept = _first()
    _set_up_logging()


def on_reload(master: Any) -> None:
    """Read the settings anew before the children are; gunicorn calls this after a HUP."""
    global _kept  # noqa: PLW0603 - the same
    for number in range(master.cfg.workers):
        _awaited[number] = 1
    before = kept_settings()
    try:
        _kept = Kept(_stay(read_settings(), before.settings.bind))
    except SettingsError as error:
        _kept = Kept(before.settings, str(error))
    _set_up_logging()


def post_fork(master: Any, child: Any) -> None:
    """Tell a child whether others were served by before it; gunicorn calls this in the child."""
    global _kept  # noqa: PLW0603 - the same
    _kept = replace(kept_settings(), are_new=child.age <= master.cfg.workers)


def post_worker_init(child: Any) -> None:
    """Note that a child is ready to serve; gunicorn calls this in the child. Their ages are consecutive."""
    _awaited[child.age % child.cfg.workers] = 0


def are_children_awaited() -> bool:
    """Say whether a HUP has called for children that aren't all ready yet."""
    return any(_awaited[:])


def _stay(settings: Settings, bind: tuple[str, ...]) -> Settings:
    """Keep where we listen, and warn of it where the newer settings say otherwise."""
    warnings = settings.warnings if settings.bind == bind else (*settings.warnings, _MOVED)
    return replace(settings, bind=bind, warnings=warnings)


def _set_up_logging() -> None:
    """Log as our own lines what gunicorn says, in the master and in a child that can't be loaded."""
    settings = kept_settings().settings
    set_up_logging(settings.log_format, settings.log_level)


def _first() -> Kept:
    try:
        return Kept(read_settings())
    except SettingsError as error:
        refuse_to_start(str(error))
