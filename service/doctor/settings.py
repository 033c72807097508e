"""Checks of the settings and surveys.toml: of this command, and of the running processes."""

from collections.abc import Callable, Iterator

from config.fingerprint import take_fingerprint
from service.doctor.finding import Check, Finding, fail, ok, warn
from service.doctor.installation import Installation
from service.doctor.redis import REACHABLE


def _settings(installation: Installation) -> Iterator[Finding]:
    warnings = installation.settings.warnings
    for each in warnings:
        yield warn(each.removesuffix("."))
    if not warnings:
        yield ok("no mistake")


def _surveys(installation: Installation) -> Iterator[Finding]:
    names = ", ".join(survey.name for survey in installation.settings.surveys)
    yield ok(f"{names} (version {_survey_hash(installation)})")


def _running(installation: Installation) -> Iterator[Finding]:
    """Name each process with other surveys than those of the file, and each that refused newer settings."""
    found = [*_disagreements(installation, "refused", fail), *_disagreements(installation, "surveys", fail)]
    yield from found
    if not found:
        yield ok(f"all running processes have version {_survey_hash(installation)}")


def _alike(installation: Installation) -> Iterator[Finding]:
    found = [*_disagreements(installation, "settings", warn), *_disagreements(installation, "clock", warn)]
    yield from found
    if not found:
        yield ok("all running processes agree")


def _refused(installation: Installation) -> Iterator[Finding]:
    found = [*_disagreements(installation, "webhooks", warn)]
    yield from found
    if not found:
        yield ok("none that hints at a mistake of ours")


def _disagreements(installation: Installation, aspect: str, level: Callable[[str, str], Finding]) -> Iterator[Finding]:
    for each in installation.disagreements:
        if each.aspect == aspect:
            yield level(each.problem, each.remedy)


def _survey_hash(installation: Installation) -> str:
    return take_fingerprint(installation.settings)["SURVEYS_FILE"]


OWN = (Check("settings", _settings), Check("surveys", _surveys))
RUNNING = (
    Check("surveys.running", _running, (REACHABLE,)),
    Check("processes", _alike, (REACHABLE,)),
    Check("webhook.refused", _refused, (REACHABLE,)),
)
