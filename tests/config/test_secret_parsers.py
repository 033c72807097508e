"""Secrets in variables. A refused one is not repeated."""

import pytest

from config.loader import read_settings
from config.secret_parsers import webhook_secret
from tests.config.test_settings import GOOD, mistakes
from tests.receiver import SECRET


def test_secrets_are_separated_by_commas() -> None:
    settings = read_settings(
        {
            **GOOD,
            "DIXA_API_TOKEN": "a, b,",
            "DIXA_WEBHOOK_SECRETS": f"{'00ff' * 8},{'AABB' * 8}",
            "SECRET_KEYS": f"{'no' * 16},{'on' * 16}",
        }
    )
    assert settings.dixa_api_tokens == ("a", "b")
    assert settings.webhook_secrets == (b"\x00\xff" * 8, b"\xaa\xbb" * 8)
    assert settings.secret_keys == ("no" * 16, "on" * 16)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("DIXA_WEBHOOK_SECRETS", "00ff"),
        ("DIXA_WEBHOOK_SECRETS", "1a2b" * 7 + "1a"),
        ("DIXA_WEBHOOK_SECRETS", "not-hex-15-char"),
        ("DIXA_WEBHOOK_SECRETS", "0" * 32),
        ("DIXA_WEBHOOK_SECRETS", "0" * 33),
        ("DIXA_WEBHOOK_SECRETS", "5a" * 32),
        ("DIXA_WEBHOOK_SECRETS", "x" * 40),
        ("SECRET_KEYS", "a" * 32),
        ("SECRET_KEYS", "0" * 64),
        ("SECRET_KEYS", "5a" * 32),
        ("SECRET_KEYS", "k" * 33),
        ("DELIVERY_WEBHOOK_SECRET", "whsec_" + "A" * 32),
        ("ANSWER_WEBHOOK_SECRET", "whsec_" + "eHh4" * 10),
    ],
)
def test_guessable_key_is_refused_with_a_command_to_make_one(name: str, key: str) -> None:
    """HMAC pads a key with zeros, so a key of zeros signs like no key at all."""
    good = f"{GOOD[name]}," if name in GOOD else ""
    url = {name.replace("SECRET", "URL"): "https://shop.example/hook"} if not good else {}
    (line,) = mistakes(**{name: good + key}, **url)
    assert line.startswith(f"  {name}: ")
    assert "python3 -c" in line
    assert key not in line


@pytest.mark.parametrize("text", ["whsec_c2hvcnQ=", SECRET.removeprefix("whsec_"), "whsec_!!!", "whsec_", "s3cr3t"])
def test_refused_webhook_secret_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|would|doesn.t) ") as caught:
        webhook_secret(text)
    assert text.removeprefix("whsec_") not in str(caught.value) or text == "whsec_"
