"""`python -m tests.fuzz` sends bad input of every kind and counts the responses.

It passes if every response is a documented one other than 500, and no log has a traceback or a secret.
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
MAX_SHOWN = 10


def main() -> int:
    """Return 1 if anything is wrong."""
    arguments = _read_arguments()
    wrong: list[str] = []
    responses: Counter[int] = Counter()
    with _redis() as server:
        log, hidden = _inside(server, arguments.cases, arguments.seed, wrong, responses, is_broken=arguments.broken)
        _files(arguments.cases, arguments.seed, wrong)
        wire_log, sent = _wire(server, arguments, wrong, responses)
    log += wire_log
    tracebacks = log.count("Traceback (most recent call last)")
    secrets = [each for each in (API_TOKEN, WEBHOOK_SECRET, SECRET_KEY, corpus.MARK, *sent, *hidden) if each in log]
    wrong += [next(line for line in log.splitlines() if each in line)[:400] for each in secrets]
    for each in wrong[:MAX_SHOWN]:
        sys.stdout.write(f"  {each}\n")
    sys.stdout.write(f"  responses: {dict(sorted(responses.items()))} (0: none)\n")
    sys.stdout.write(
        f"fuzz: {arguments.cases:,} cases, {responses[500]} responses of 500, {tracebacks} tracebacks, "
        f"{len(secrets)} secrets in {len(log.splitlines()):,} lines of log, "
        f"{len(wrong) - len(secrets)} other failures (seed {arguments.seed})\n"
    )
    return 1 if wrong or tracebacks or secrets or responses[500] else 0


def _inside(
    server: RedisServer, cases: int, seed: int, wrong: list[str], responses: Counter[int], *, is_broken: bool
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
    responses += inside.responses
    return _readable(log.getvalue()), inside.hidden


def _files(cases: int, seed: int, wrong: list[str]) -> None:
    chance = Random(seed)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "surveys.toml"
        found = [files.surveys_file(chance, path) for _ in range(int(cases * SHARES["surveys"]))]
    found += [files.environment(chance) for _ in range(int(cases * SHARES["environment"]))]
    wrong += filter(None, found)


def _wire(
    server: RedisServer, arguments: argparse.Namespace, wrong: list[str], responses: Counter[int]
) -> tuple[str, set[str]]:
    with tempfile.TemporaryDirectory() as name:
        environ = {"REDIS_URL": server.new_database(), "DIXA_API_URL": "http://127.0.0.1:1", "LOG_LEVEL": "DEBUG"}
        afterword = Afterword(Path(name), environ).start("web")
        try:
            wire = Wire(afterword, arguments.seed)
            wire.send(arguments.cases - sum(int(arguments.cases * share) for share in SHARES.values()))
        finally:
            afterword.stop()
        wrong += wire.unexpected
        responses += wire.responses
        return _readable(afterword.log), wire.hidden


def _readable(log: str) -> str:
    """Return the log, followed by its lines without JSON's escapes."""
    plain = [json.dumps(json.loads(line), ensure_ascii=False) for line in log.splitlines() if line.startswith("{")]
    return log + "\n".join(plain)


def _break(app: Flask) -> None:
    """Make some requests fail and log a secret, to prove that the fuzz notices both."""

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
        # No test of a crash: Redis needn't wait for the disk.
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
    parser.add_argument("--broken", action="store_true", help="the control: an app that sometimes fails")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
