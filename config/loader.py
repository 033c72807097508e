"""Loads the settings, and reports all mistakes together."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from config.checks import find_mistakes, find_warnings
from config.environment import Environment
from config.settings import Settings, Timings


class SettingsError(Exception):
    """Afterword can't start with these settings. The text has a line for each mistake, with the way out."""


def read_settings(
    environ: Mapping[str, str] | None = None, stand_ins: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Read the settings from `environ`, or else from the process's environment and `.env` in the working folder.

    A variable of the process overrides the one in `.env`. An empty variable counts as not set. `stand_ins` are for
    variables that need not be set yet.
    Raises SettingsError naming every mistake.
    """
    env = Environment(environ, stand_ins)
    values = env.read(Settings)
    settings = Settings(**values, timings=Timings(**env.read(Timings)))
    mistakes = [*env.mistakes(), *find_mistakes(settings, env.has)]
    if mistakes:
        raise SettingsError("\n".join(["The settings can't be used:", *mistakes]))
    if settings.port and not env.has("BIND"):
        # A platform sets PORT and reaches us from outside. Without PORT, the proxy is on this machine.
        settings = replace(settings, bind=(f"0.0.0.0:{settings.port}",))
    return replace(settings, warnings=(*env.warnings(), *find_warnings(settings, env.text("DIXA_WEBHOOK_SECRETS"))))
