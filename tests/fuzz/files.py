"""Hostile surveys.toml and environments: the result is the loaded object, or one error of ours."""

from pathlib import Path
from random import Random

from config.loader import SettingsError, read_settings
from service.surveys.toml.loader import SurveysFileError, read_surveys
from tests.fuzz import corpus
from tests.processes import API_TOKEN, PUBLIC_URL, SECRET_KEY, WEBHOOK_SECRET

GOOD = (Path(__file__).parents[2] / "config" / "surveys.toml").read_text(encoding="utf-8")
VALUES = [
    '""',
    "[]",
    "{}",
    "-1",
    "1e999",
    "nan",
    "true",
    '"9999999999999999w"',
    '"1h1h"',
    "1979-05-27",
    "[[[]]]",
    '"\\u0000"',
]
VALUES += ['"' + "9" * 5000 + 's"', "9" * 5000, '["a", 1]', '"Csat"', '["Csat", "Csat"]', '"\\ud800"', "0.1", "[1", "'"]
SECRETS = (API_TOKEN, WEBHOOK_SECRET, SECRET_KEY, "hunter2-of-redis")
ENVIRON = {
    "DIXA_API_TOKEN": API_TOKEN,
    "DIXA_WEBHOOK_SECRETS": WEBHOOK_SECRET,
    "SECRET_KEYS": SECRET_KEY,
    "PUBLIC_URL": PUBLIC_URL,
    "REDIS_URL": "redis://:hunter2-of-redis@localhost:6379/0",
    "DIXA_API_URL": "https://dev.dixa.io/beta",
    "DIXA_PACE": "9.9/3",
    "SURVEYS_FILE": "config/surveys.toml",
    "SPOOL_DIR": "off",
    "SPOOL_MAX_MB": "256",
    "BRAND_NAME": "Northwind",
    "SUPPORT_URL": "mailto:help@example.com",
    "PRIVACY_URL": "https://example.com/privacy",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "INFO",
    "WEBHOOK_TOLERANCE": "5m",
    "PROXY_HOPS": "0",
    "LEASE": "60s",
    "STEP_BUDGET": "15s",
    "RECONCILE_AFTER": "60s",
}
HOSTILE = [
    *corpus.TEXTS,
    ",",
    ",,,",
    "Bearer x",
    "http://",
    "http://[",
    "http://[::1",
    "https://a:b@c",
    "redis://",
    "redis://h:99999",
]
HOSTILE += [
    "unix://",
    "9.9/",
    "/3",
    "0/0",
    "1e9/1",
    "99999999999",
    "0s",
    "-1s",
    "off",
    "/proc/self/mem",
    "/dev/null",
    "//",
]
HOSTILE += [
    "https://\u2100.example",
    "http://a\u3002b",
    "https://xn--a.example",
    "redis://[fe80::1%25lo]:1/0",
    "x" * 100_000,
]


def surveys_file(chance: Random, path: Path) -> str:
    """Mutate the shipped file, and return the problem with its reading, if any."""
    lines = GOOD.splitlines()
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        name, is_key, _rest = lines[at].partition(" = ")
        lines[at] = (
            f"{name} = {chance.choice(VALUES)}" if is_key else chance.choice([lines[at], "[survey.match]", "[", ""])
        )
    raw = "\n".join(lines).encode()
    path.write_bytes(corpus.spoil_bytes(raw, chance) if chance.random() < 0.3 else raw)
    try:
        read_surveys(path)
    except SurveysFileError as error:
        return "" if str(error).strip() else f"no words for {raw!r}"
    except Exception as error:  # noqa: BLE001 - every other error is a defect
        return f"{type(error).__name__} for the surveys {raw[-300:]!r}"
    return ""


def environment(chance: Random) -> str:
    """Mutate a good environment, and return the problem with its reading, if any."""
    environ = dict(ENVIRON)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(list(ENVIRON))
        way = chance.random()
        good = environ.get(name, "")
        spoilt = corpus.spoil_bytes(good.encode("utf-8", "surrogatepass"), chance).decode("utf-8", "surrogateescape")
        environ[name] = (
            spoilt if way < 0.4 else chance.choice(HOSTILE) if way < 0.9 else f"{good}{chance.choice(HOSTILE)}"
        )
    try:
        output = repr(read_settings(environ))
    except SettingsError as error:
        output = str(error)
    except Exception as error:  # noqa: BLE001 - the same
        changed = {name: value[:80] for name, value in environ.items() if value != ENVIRON[name]}
        return f"{type(error).__name__} for {changed}"
    return "".join(f"{name} shows a secret" for name in environ for secret in SECRETS if secret in output)
