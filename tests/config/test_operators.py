"""Who may use the operator's window."""

import pytest

from config.loader import read_settings
from config.operators import Role
from tests.config.test_settings import GOOD, mistakes

HASH = f"scrypt:32768:8:1$Qm3ZkP0xYt8vLwRa${'0f' * 64}"


def test_logins_have_a_name_a_role_and_a_hash() -> None:
    settings = read_settings({**GOOD, "OPERATOR_LOGINS": f"anna:act:{HASH},\n ben.holm:look:{HASH}\n"})
    assert settings.operator_logins
    assert {name: each.role for name, each in settings.operator_logins.items()} == {
        "anna": Role.ACT,
        "ben.holm": Role.LOOK,
    }
    assert settings.has_window
    assert HASH not in repr(settings)


def test_without_a_login_there_is_no_window() -> None:
    assert not read_settings(GOOD).has_window


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (",", "only commas"),
        ("anna", "number 1 is not name:look:hash"),
        (f"anna:admin:{HASH}", "number 1 is not name:look:hash"),
        (f"an na:act:{HASH}", "number 1 is not name:look:hash"),
        (f"anna:act:{HASH},anna:look:{HASH}", "the name of number 2 twice"),
        (f"anna:act:{HASH},ben:act:password", "number 2 has no whole hash"),
        ("anna:act:scrypt:32768:8:1", "OPERATOR_LOGINS_FILE"),
        (f"anna:act:{HASH.replace('32768', '1')}", "number 1 has no whole hash"),
    ],
)
def test_a_mistake_is_explained_without_the_text(value: str, problem: str) -> None:
    [line] = mistakes(OPERATOR_LOGINS=value)
    assert line.startswith("  OPERATOR_LOGINS: ")
    assert problem in line
    assert "0f0f" not in line
    assert "password" not in line


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"OPERATOR_URL": "https://admin.example.com"}, "OPERATOR_URL"),
        ({"OPERATOR_PROXY_ACT": "*"}, "OPERATOR_PROXY_SECRET"),
        ({"OPERATOR_PROXY_SECRET": "short"}, "OPERATOR_PROXY_SECRET"),
        ({"OPERATOR_PROXY_SECRET": "0123456789abcdef", "OPERATOR_PROXY_ACT": "anna, ben holm"}, "OPERATOR_PROXY_ACT"),
        ({"OPERATOR_PROXY_SECRET": "0123456789abcdef", "OPERATOR_PROXY_HEADER": "X User"}, "OPERATOR_PROXY_HEADER"),
        ({"OPERATOR_LOGINS": f"anna:act:{HASH}", "OPERATOR_URL": "https://admin.example.com/x"}, "OPERATOR_URL"),
    ],
)
def test_contradictions_and_bad_values_are_mistakes(settings: dict[str, str], name: str) -> None:
    [line] = mistakes(**settings)
    assert name in line


@pytest.mark.parametrize(
    ("settings", "warns"),
    [
        ({}, False),
        ({"PUBLIC_URL": "http://localhost:8000"}, False),
        ({"OPERATOR_URL": "http://admin.northwind.example"}, True),
    ],
)
def test_a_password_over_plain_http_is_a_warning(settings: dict[str, str], *, warns: bool) -> None:
    warnings = read_settings({**GOOD, "OPERATOR_LOGINS": f"anna:act:{HASH}", **settings}).warnings
    assert any("OPERATOR_LOGINS work on this machine only" in each for each in warnings) is warns
