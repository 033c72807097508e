"""gunicorn's hooks: they keep the last valid settings in the master. Its children get them by the fork.

A HUP reads `.env` and surveys.toml again. If they have a mistake, the old settings stay in use, also for the
successor of a crashed child. New code needs a restart, because the master has imported `config`; so do BIND and PORT.
"""

import gc
import mmap
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from gevent import monkey  # type: ignore[import-untyped]

from config.loader import SettingsError, read_settings
from config.logging import set_up_logging
from config.settings import Settings

if TYPE_CHECKING:
    from flask import Flask

_MOVED = "BIND or PORT changed. The web still listens at the old address. Restart it."

_CANT_START = 4
"""gunicorn's exit status for "app failed to load". After any other status it would restart the child for ever."""

_LATE = (
    "encodings.idna",
    "gevent.resolver.thread",
    "gevent.selectors",
    "gevent.signal",
    "gevent.subprocess",
    "gevent.threadpool",
    "gevent.time",
)
"""What a child would import after the fork: to patch the standard library, and for its first connection."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The settings in use. `problem` has the mistakes in newer settings, or is "".

    `are_new` is true for the children of the start. If they can't work with the settings, the start fails. `app` is
    theirs. A later child makes its own, since parts of an app measure the time from when they were made.
    """

    settings: Settings
    problem: str = ""
    are_new: bool = True
    app: "Flask | None" = None


_kept: Kept | None = None
_pending = mmap.mmap(-1, mmap.PAGESIZE)
"""Memory shared by the master and its children: a byte for each child of a HUP, 1 until it is ready."""


def kept_settings() -> Kept:
    """Return the master's settings. Read them now if no hook has run, as in a test."""
    return _kept or _first()


def addresses() -> Sequence[str]:
    """Return the addresses to listen on. After a HUP they are the old ones: gunicorn calls this before `on_reload`."""
    return kept_settings().settings.bind


def refuse_to_start(problem: str) -> NoReturn:
    """Exit, and end gunicorn."""
    sys.stderr.write(f"{problem}\n")
    sys.exit(_CANT_START)


def on_starting(_master: Any) -> None:
    """Read the settings, and load the code, before the first fork."""
    global _kept  # noqa: PLW0603 - children get it by the fork
    _kept = _first()
    _set_up_logging()
    _kept = replace(_kept, app=share_app(_kept.settings))


def share_app(settings: Settings) -> "Flask":
    """Load the web's code into the master, and make an app without connections. Children share that memory."""
    # Other modules keep names of these three. A child patches the rest, which the master needs as it is.
    monkey.patch_thread()
    monkey.patch_queue()
    monkey.patch_ssl()
    for name in _LATE:
        import_module(name)
    app: Flask = import_module("service.web.app").create_app(settings)
    gc.collect()
    # Without this, the children's garbage collector would write to each page of memory, and so unshare it.
    gc.freeze()
    return app


def on_reload(master: Any) -> None:
    """Read the settings again after a HUP, before new children are forked."""
    global _kept  # noqa: PLW0603 - the same
    for number in range(master.cfg.workers):
        _pending[number] = 1
    before = kept_settings()
    try:
        _kept = Kept(_keep_addresses(read_settings(), before.settings.bind))
    except SettingsError as error:
        _kept = Kept(before.settings, str(error))
    _set_up_logging()


def post_fork(master: Any, child: Any) -> None:
    """Set `are_new` in a child: the first children have the ages 1 to `workers`."""
    global _kept  # noqa: PLW0603 - the same
    kept = kept_settings()
    are_new = child.age <= master.cfg.workers
    _kept = replace(kept, are_new=are_new, app=kept.app if are_new else None)


def post_worker_init(child: Any) -> None:
    """Mark this child ready. Ages are consecutive, so each child of a HUP has its own byte."""
    _pending[child.age % child.cfg.workers] = 0


def are_children_pending() -> bool:
    """Return whether children of a HUP aren't ready yet."""
    return any(_pending[:])


def _keep_addresses(settings: Settings, bind: tuple[str, ...]) -> Settings:
    """Keep the addresses, and warn if the newer settings change them."""
    warnings = settings.warnings if settings.bind == bind else (*settings.warnings, _MOVED)
    return replace(settings, bind=bind, warnings=warnings)


def _set_up_logging() -> None:
    """Format gunicorn's log lines as ours, in the master and in a child before it has loaded the app."""
    settings = kept_settings().settings
    set_up_logging(settings.log_format, settings.log_level)


def _first() -> Kept:
    try:
        return Kept(read_settings())
    except SettingsError as error:
        refuse_to_start(str(error))
