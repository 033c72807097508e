"""`python -m tests.fuzz`: send bad input of every kind, and count the outcomes.

It passes when no answer was a 500 (or another that isn't documented), no log has a traceback, and none a secret.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from flask import Flask, request

from config.logging import set_up_logging
from service.records.redis import connect
from service.web.app import create_app
from tests.fuzz import corpus, files
from tests.fuzz.inside import Inside
from tests.fuzz.wire import Wire
from tests.processes import API_TOKEN, SECRET_KEY, WEBHOOK_SECRET, Afterword, RedisServer, settings_for

SHARES = {
    "webhook bodies": 0.24,
    "webhook headers": 0.14,
    "tokens": 0.2,
    "forms": 0.2,
    "surveys": 0.1,
    "environment": 0.1,
}
"""The rest goes over the wire."""
MOST_SHOWN = 10


def main() -> int:
    """Return 1 if anything is wrong."""
    asked = _read_arguments()
    wrong: list[str] = []
    answers: Counter[int] = Counter()
    with _redis() as server:
        log, hidden = _inside(server, asked.cases, asked.seed, wrong, answers, is_broken=asked.broken)
        _files(asked.cases, asked.seed, wrong)
        wire_log, sent = _wire(server, asked, wrong, answers)
    log += wire_log
    tracebacks = log.count("Traceback (most recent call last)")
    secrets = [each for each in (API_TOKEN, WEBHOOK_SECRET, SECRET_KEY, corpus.MARK, *sent, *hidden) if each in log]
    wrong += [next(line for line in log.splitlines() if each in line)[:400] for each in secrets]
    for each in wrong[:MOST_SHOWN]:
        sys.stdout.write(f"  {each}\n")
    sys.stdout.write(f"  answers: {dict(sorted(answers.items()))} (0: none)\n")
    sys.stdout.write(
        f"fuzz: {asked.cases:,} cases, {answers[500]} answers of 500, {tracebacks} tracebacks, "
        f"{len(secrets)} secrets in {len(log.splitlines()):,} lines of log, "
        f"{len(wrong) - len(secrets)} other surprises (seed {asked.seed})\n"
    )
    return 1 if wrong or tracebacks or secrets or answers[500] else 0


def _inside(
    server: RedisServer, cases: int, seed: int, wrong: list[str], answers: Counter[int], *, is_broken: bool
) -> tuple[str, set[str]]:
    log = io.StringIO()
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        set_up_logging("json", "DEBUG")
        app = create_app(settings_for(server.new_database()))
        if is_broken:
            _break(app)
        inside = Inside(app, seed)
        kinds: dict[str, Callable[[], None]] = {
            "webhook bodies": inside.webhook_body,
            "webhook headers": inside.webhook_headers,
            "tokens": inside.token,
            "forms": inside.form,
        }
        for kind, send in kinds.items():
            for _ in range(int(cases * SHARES[kind])):
                send()
    wrong += inside.unexpected
    answers += inside.answers
    return _readable(log.getvalue()), inside.hidden


def _files(cases: int, seed: int, wrong: list[str]) -> None:
    chance = Random(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "surveys.toml"
        found = [files.surveys_file(chance, path) for _ in range(int(cases * SHARES["surveys"]))]
    found += [files.environment(chance) for _ in range(int(cases * SHARES["environment"]))]
    wrong += filter(None, found)


def _wire(
    server: RedisServer, asked: argparse.Namespace, wrong: list[str], answers: Counter[int]
) -> tuple[str, set[str]]:
    with tempfile.TemporaryDirectory() as name:
        environ = {"REDIS_URL": server.new_database(), "DIXA_API_URL": "http://127.0.0.1:1", "LOG_LEVEL": "DEBUG"}
        afterword = Afterword(Path(name), environ).start("web")
        try:
            wire = Wire(afterword, asked.seed)
            wire.send(asked.cases - sum(int(asked.cases * share) for share in SHARES.values()))
        finally:
            afterword.stop()
        wrong += wire.unexpected
        answers += wire.answers
        return _readable(afterword.log), wire.hidden


def _readable(log: str) -> str:
    """Add the log without JSON's escapes."""
    plain = [json.dumps(json.loads(line), ensure_ascii=False) for line in log.splitlines() if line.startswith("{")]
    return log + "\n".join(plain)


def _break(app: Flask) -> None:
    """The control: an app that sometimes fails, and logs a secret."""

    @app.before_request
    def fail() -> None:
        if (request.content_length or 0) % 40 == 1:
            app.logger.error("it fails with %s", SECRET_KEY)
            raise ValueError


@contextlib.contextmanager
def _redis() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory() as name:
        server = RedisServer(Path(name))
        server.start()
        client = connect(server.url)
        # Nothing here is about crashes: Redis needn't wait for the disk.
        client.config_set("appendonly", "no")
        client.close()
        try:
            yield server
        finally:
            server.stop()


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", action="store_true", help="the control: an app that fails now and then")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
