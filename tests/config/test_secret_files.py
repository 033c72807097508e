"""Each secret can be in a file, which `NAME_FILE` names."""

import os
from pathlib import Path

import pytest

from config.environment import rows_of
from config.loader import SettingsError, read_settings
from config.settings import Settings
from tests.config.test_settings import GOOD

SECRETS = {row.name for row in rows_of(Settings).values() if row.is_secret}
VALUES = GOOD | {
    "DIXA_WEBHOOK_AUTHORIZATION": "Bearer 0123456789abcdef",
    "READYZ_TOKEN": "0123456789abcdef",
    "DIXA_CARD_TOKEN": "fedcba9876543210",
    "METRICS_TOKEN": "0123456789fedcba",
    "API_READ_TOKEN": "01234567fedcba98",
    "SMTP_URL": "smtps://user:password@localhost:465",
    "MAIL_FROM": "survey@northwind.example",
    "DELIVERY_WEBHOOK_URL": "https://northwind.example/send",
    "DELIVERY_WEBHOOK_SECRET": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "ANSWER_WEBHOOK_URL": "https://northwind.example/answer",
    "ANSWER_WEBHOOK_SECRET": "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=",
    "EVENTS_WEBHOOK_URL": "https://northwind.example/events",
    "EVENTS_WEBHOOK_SECRET": "whsec_MTIzNDU2Nzg5MGFiY2RlZjEyMzQ1Njc4OTBhYmNkZWY=",
    "DIGEST_SLACK_WEBHOOK_URL": "https://hooks.slack.example/services/2",
    "ARCHIVE_URL": "postgresql://afterword:secret@db.northwind.example/archive",
    "SENTRY_DSN": "https://0123456789abcdef@sentry.northwind.example/1",
    "OPERATOR_LOGINS": "anna:act:pbkdf2:sha256:600000$0123456789abcdef$" + 32 * "0f",
    "OPERATOR_PROXY_SECRET": "0123456789abcdef",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.example/services/1",
}


def files(folder: Path, ending: str = "\n") -> dict[str, str]:
    """Write every secret of `VALUES` into a file, and return an environment that names the files."""
    environ = {}
    for name, value in VALUES.items():
        if name in SECRETS:
            (folder / name).write_bytes((value + ending).encode())
            environ[f"{name}_FILE"] = str(folder / name)
        else:
            environ[name] = value
    return environ


def mistakes(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ)
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_secrets_in_files_are_those_in_variables(tmp_path: Path, ending: str) -> None:
    assert set(VALUES) >= SECRETS, "a secret that this test lacks"
    assert read_settings(files(tmp_path, ending)) == read_settings(VALUES)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_variable_beside_its_file_is_refused_with_both_names(tmp_path: Path, name: str) -> None:
    environ = files(tmp_path) | {name: VALUES[name]}
    assert mistakes(environ) == [f"  {name} and {name}_FILE are both set. Leave one of them out."]


def test_unusable_file_is_named_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large").write_text("k" * 65537)
    os.mkfifo(tmp_path / "pipe")
    found = {}
    for name in ("empty", "binary", "large", "pipe", "missing", "."):
        environ = files(tmp_path) | {"SECRET_KEYS_FILE": str(tmp_path / name)}
        [found[name]] = mistakes(environ)
    assert {name: line.partition(": ")[2].partition(".")[0] for name, line in found.items()} == {
        "empty": "is empty",
        "binary": "can't be read: it is not UTF-8 text",
        "large": "has more than 64 KiB",
        "pipe": "is no regular file",
        "missing": "can't be read: No such file or directory",
        ".": "is no regular file",
    }
    assert all(line.startswith("  SECRET_KEYS_FILE: ") for line in found.values())


def test_mistake_in_a_file_never_shows_the_secret(tmp_path: Path) -> None:
    environ = files(tmp_path)
    (tmp_path / "SECRET_KEYS").write_text("hunter2")
    [line] = mistakes(environ)
    assert line.startswith("  SECRET_KEYS: ")
    assert "hunter2" not in line


def test_dotenv_may_name_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = files(tmp_path)
    surveys = Path("config/surveys.toml").resolve()
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    lines = [f"{name}={value}" for name, value in environ.items()]
    (tmp_path / ".env").write_text("\n".join([*lines, f"SURVEYS_FILE={surveys}"]))
    (tmp_path / ".env").chmod(0o600)
    settings = read_settings()
    assert settings.secret_keys == (VALUES["SECRET_KEYS"],)
    assert settings.warnings == ()
    with (tmp_path / ".env").open("a") as dotenv:
        dotenv.write("\nSECRET_KEY_FILE=x")
    [warning] = read_settings().warnings
    assert "Did you mean SECRET_KEYS_FILE?" in warning
