"""What is odd about settings, and no reason not to start: each is a line in the log, and in `afterword check`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.spelling import CHANNELS, USER_TYPES
from config.surveys import Survey

_TOLERANCE_AT_MOST = timedelta(hours=1)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_WRITABLE_BY_OTHERS = 0o002


def find_odd_names(surveys: Sequence[Survey]) -> Iterator[str]:
    """Warn of what Dixa may have added since, and is a slip more often."""
    for survey in surveys:
        for kind, names, known in (
            ("channel", (*survey.ask.channels, *survey.delays), CHANNELS),
            ("user type", survey.ask.user_types, USER_TYPES),
            ("assignee type", survey.ask.assignee_types, USER_TYPES),
        ):
            for name in dict.fromkeys(names):
                if name not in known:
                    yield (
                        f'survey "{survey.name}": Dixa documents no {kind} "{name}", so it may match nothing '
                        f"({', '.join(known)})."
                    )


def find_borrowed_logos(usual_name: str, surveys: Sequence[Survey]) -> Iterator[str]:
    """Warn of a survey whose brand has another name and would show the installation's logo in its place."""
    for survey in surveys:
        if survey.brand.name not in {None, usual_name} and survey.brand.logo is None:
            yield (
                f'survey "{survey.name}": asks for "{survey.brand.name}" under the logo of BRAND_LOGO. '
                f'Write a `logo` in its [survey.brand]; "" is none.'
            )


def find_long_texts(surveys: Sequence[Survey], *, are_short: bool) -> Iterator[str]:
    """Warn of a second signed link in a text that costs by its length."""
    for survey in surveys:
        if survey.stop_line and not are_short:
            yield (
                f'survey "{survey.name}": stop_line without SHORT_LINKS puts two long links into an SMS, which takes '
                f"two segments at least. Write SHORT_LINKS=on."
            )


def find_exposures(found: Mapping[str, Any]) -> Iterator[str]:
    """Warn of what lets others read along, or send again what they have read."""
    for name, carried in (("PUBLIC_URL", "links and answers"), ("DIXA_API_URL", "the token and what customers say")):
        parts = urlsplit(found[name.lower()])
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            yield f"{name} is http://, so {carried} cross the network in the clear. Write https://."
    if found["webhook_tolerance"] > _TOLERANCE_AT_MOST:
        yield "WEBHOOK_TOLERANCE is over 1h: who got hold of a webhook can send it again for that long. Such as 5m."
    folder: Path | None = found["spool_dir"]
    if folder and _is_writable_by_others(folder):
        yield f"SPOOL_DIR can be written by others, who could put answers there. Run: chmod o-w {folder}"


def _is_writable_by_others(folder: Path) -> bool:
    """Say whether any account may write into a folder; of one that can't be looked at, the start says what is wrong."""
    try:
        return folder.is_dir() and bool(folder.stat().st_mode & _WRITABLE_BY_OTHERS)
    except OSError:
        return False
