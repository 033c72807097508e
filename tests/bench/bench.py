"""What every figure needs: a folder, a Redis with production's settings, and the rounds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from tests.processes import ROOT, RedisServer

T = TypeVar("T")

SURVEYS = (ROOT / "config" / "surveys.toml").read_text(encoding="utf-8")
"""The surveys.toml as shipped, for figures of the web. All its surveys wait."""

AT_ONCE = """
[[survey]]
delay = "0s"
editable_for = "0s"
suspect_editable_for = "0s"
"""
"""A survey without waiting, for figures of the worker."""


@dataclass(frozen=True, slots=True)
class Bench:
    """The place of all measurements. `rounds` is how often each is repeated, `surveys_due` how many workers drain."""

    folder: Path
    redis: RedisServer
    rounds: int = 3
    surveys_due: int = 60
    has_million: bool = False

    def surveys(self, text: str) -> str:
        """Return the path of a surveys.toml with this text."""
        file = self.new_folder() / "surveys.toml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    def new_folder(self) -> Path:
        """Return an empty folder, for the logs of one server."""
        folder = self.folder / f"{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return folder

    def interleave(self, measurements: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
        """Take each measurement in turn, as many times as there are rounds: A B A B."""
        found: dict[str, list[T]] = {name: [] for name in measurements}
        for _ in range(self.rounds):
            for name, measure in measurements.items():
                found[name].append(measure())
        return found


@contextmanager
def open_bench(rounds: int, *, surveys_due: int, has_million: bool) -> Iterator[Bench]:
    """Start a Redis with `appendonly yes` and `appendfsync always`, and stop it."""
    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (data := folder / "redis").mkdir()
        redis = RedisServer(data)
        redis.start()
        try:
            yield Bench(folder, redis, rounds, surveys_due, has_million)
        finally:
            redis.stop()
