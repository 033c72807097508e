"""Variables of the process and of `.env`."""

from pathlib import Path

import pytest

from config.loader import SettingsError, read_settings
from config.parsers import Pace
from tests.config.test_settings import GOOD, mistakes


def test_empty_variable_counts_as_not_set() -> None:
    assert mistakes(REDIS_URL=" ") == ["  REDIS_URL is not set. Example: REDIS_URL=redis://localhost:6379/0"]
    assert read_settings({**GOOD, "DIXA_PACE": ""}).dixa_pace == Pace(9.9, 3)


def test_old_name_is_refused_with_the_new_one() -> None:
    assert mistakes(SETTLE="60s", KEEP_RECORDS="90d") == [
        "  SETTLE is called RECONCILE_AFTER now.",
        "  KEEP_RECORDS is called RECORD_RETENTION now.",
    ]


@pytest.mark.parametrize("quote", ['"', "'"])
def test_quotes_around_a_value_are_a_warning(quote: str) -> None:
    key = f"{quote}{GOOD['SECRET_KEYS']}{quote}"
    [warning] = read_settings({**GOOD, "SECRET_KEYS": key}).warnings
    assert warning.startswith("SECRET_KEYS has quotes around its value")
    [mistake] = mistakes(PUBLIC_URL=f"{quote}https://feedback.example.com{quote}")
    assert mistake.endswith("Leave them out.")


class TestDotEnv:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Change to an empty folder, and set only the path of the surveys."""
        monkeypatch.setenv("SURVEYS_FILE", str(Path("config/surveys.toml").resolve()))
        for name in GOOD:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_variable_of_the_process_overrides_the_file(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
        monkeypatch.setenv("PUBLIC_URL", "https://process.example")
        settings = read_settings()
        assert settings.dixa_api_tokens == ("token-one",)
        assert settings.public_url == "https://process.example"

    def test_old_name_in_the_file_is_refused(self, folder: Path) -> None:
        lines = [f"{name}={value}" for name, value in GOOD.items()]
        (folder / ".env").write_text("\n".join([*lines, "SPOOL_MOST_MB=256"]))
        with pytest.raises(SettingsError, match="SPOOL_MOST_MB is called SPOOL_MAX_MB now"):
            read_settings()

    def test_file_in_a_parent_folder_is_not_read(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
        (folder / "below").mkdir()
        monkeypatch.chdir(folder / "below")
        with pytest.raises(SettingsError):
            read_settings()

    def test_file_is_not_read_if_an_environment_is_given(self, folder: Path) -> None:
        (folder / ".env").write_text("REDIS_URL=redis://localhost\n")
        with pytest.raises(SettingsError, match="REDIS_URL"):
            read_settings({})

    @pytest.mark.parametrize("first", ["", "# Ours\n", "\n"])
    def test_file_may_begin_with_a_bom(self, folder: Path, first: str) -> None:
        text = first + "\n".join(f"{name}={value}" for name, value in GOOD.items())
        (folder / ".env").write_text(text, encoding="utf-8-sig")
        assert read_settings().dixa_api_tokens == ("token-one",)

    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("LOGLEVEL", "LOG_LEVEL"),
            ("BINDS", "BIND"),
            ("log_level", "LOG_LEVEL"),
            ("PROXY_HOP", "PROXY_HOPS"),
            ("RECORD_RETENTON", "RECORD_RETENTION"),
            ("DIXA_TOKEN", "DIXA_API_TOKEN"),
            ("SECRET_KEY", "SECRET_KEYS"),
        ],
    )
    def test_misspelt_name_is_a_warning(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
    ) -> None:
        (folder / ".env").touch(mode=0o600)
        lines = [f"{each}={value}" for each, value in GOOD.items()]
        (folder / ".env").write_text("\n".join([*lines, f"{name}=secret-value", "PORT=8000", "COMPOSE_FILE=x"]))
        [warning] = read_settings().warnings
        assert warning == f"{name} in .env is no setting, so it does nothing. Did you mean {meant}?"
        (folder / ".env").write_text("\n".join(lines))
        monkeypatch.setenv(name, "of another program")
        assert read_settings().warnings == ()

    @pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
    def test_file_readable_by_all_is_a_warning(self, folder: Path, mode: int, *, warned: bool) -> None:
        (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in GOOD.items()))
        (folder / ".env").chmod(mode)
        assert ["chmod 600" in warning for warning in read_settings().warnings] == [True] * warned

    def test_dollar_is_not_interpolated(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/of/somebody")
        key = "a-key-with-${HOME}-and-$HOME-and-${NOTHING:-x}-in-it"
        text = "\n".join(f"{name}={value}" for name, value in {**GOOD, "SECRET_KEYS": key}.items())
        (folder / ".env").write_text(text)
        assert read_settings().secret_keys == (key,)

    def test_unreadable_file_reports_no_missing_variables(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / ".env").write_bytes(b"A=\xff\xfe")
        monkeypatch.setenv("DIXA_PACE", "fast")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        pace = "  DIXA_PACE: is not a pace. Write requests per second and burst, such as 9.9/3."
        assert str(caught.value).splitlines()[1:] == ["  .env can't be read: it is not UTF-8 text.", pace]

    def test_folder_named_dot_env_is_a_mistake(self, folder: Path) -> None:
        """Docker creates a folder if the file to mount is missing."""
        (folder / ".env").mkdir()
        with pytest.raises(SettingsError) as caught:
            read_settings()
        line = "  .env can't be read: Is a directory. Make it a file that we may read."
        assert str(caught.value).splitlines()[1:] == [line]
