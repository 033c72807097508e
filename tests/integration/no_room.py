"""Fills Redis, the spool or the disk."""

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import redis

from service.intake.spool_codec import SpooledClose, write_entry
from service.surveys.model import Close
from service.surveys.reasons import Reason
from tests.integration.live_survey import LiveSurvey
from tests.processes import Afterword, RedisServer


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    client = redis.Redis.from_url(server.url)
    client.config_set("maxmemory", "1")
    try:
        yield
    finally:
        client.config_set("maxmemory", "0")
        client.close()


def fill(spool: Path, story: LiveSurvey) -> None:
    """Write an entry that leaves no room for another."""
    story.dixa.close(story.id)
    close = SpooledClose(Close(story.id, datetime.now(UTC)), (), Reason.NO_SURVEY_MATCHES)
    entry = write_entry(close) | {"padding": "x" * 1024 * 1024}
    (spool / "9-filler.json").write_text(json.dumps(entry))


@contextmanager
def no_room_for(afterword: Afterword) -> Iterator[None]:
    """Stop the web's processes from writing any byte to a file, including the log."""
    pid = afterword._running["web"].pid
    processes = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    before = {each: resource.prlimit(each, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)) for each in processes}
    try:
        yield
    finally:
        for each, limits in before.items():
            resource.prlimit(each, resource.RLIMIT_FSIZE, limits)
