"""Every variable that the settings ask for is explained where operators look."""

import re
from pathlib import Path

import pytest

from config.settings import SettingsError, read_settings

ROOT = Path(__file__).parents[2]


class AskedFor(dict[str, str]):
    """An environment without any variable, which remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, key: str, default: object = None) -> str:
        self.names.add(key)
        return str(default)


@pytest.fixture(scope="module")
def names() -> set[str]:
    environ = AskedFor()
    with pytest.raises(SettingsError):
        read_settings(environ)
    return environ.names


def test_the_names_are_those_of_the_settings(names: set[str]) -> None:
    assert {"DIXA_API_TOKEN", "REDIS_URL", "LEASE", "RELAY_INTERVAL"} <= names


def test_every_setting_is_in_the_example(names: set[str]) -> None:
    assert set(example()) == names


def test_every_setting_has_a_comment_in_the_example() -> None:
    blocks = re.split(r"\n(?=#?[A-Z_]+=)", (ROOT / ".env.example").read_text(encoding="utf-8"))
    bare = {name for before, name in zip(blocks, example(), strict=False) if "\n# " not in f"\n{before}"}
    assert bare <= {"BACKOFF_MAX"}, "explained together with the one before"


def test_the_example_shows_the_defaults() -> None:
    needed = {
        "DIXA_API_TOKEN": "token",
        "DIXA_WEBHOOK_SECRETS": "00ff5f3a9c7e1d2b4860aa11bb22cc33",
        "SECRET_KEYS": "a-key-for-the-links-of-the-tests-0123456789",
        "PUBLIC_URL": "https://feedback.example.com",
        "REDIS_URL": "redis://localhost",
    }
    assert read_settings({**example(), **needed}) == read_settings(needed)


def test_every_setting_is_in_the_docs(names: set[str]) -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in page} == set()


def example() -> dict[str, str]:
    """Read .env.example, the variables that are commented out included."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))
