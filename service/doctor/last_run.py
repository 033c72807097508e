"""The last whole run of `afterword doctor`: the command leaves it in Redis, since the web never calls Dixa itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from service.doctor.finding import Finding, Level
from service.records.redis import Store

RETENTION: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class LastRun:
    """When and where the command ran, and its findings with the ids of their checks."""

    at: datetime
    host: str
    found: Sequence[tuple[str, Finding]]


class LastRuns(Store):
    """Keeps the last run of one installation. Raises RecordsUnavailable when Redis can't be reached."""

    def write(self, run: LastRun) -> None:
        """Keep a run in place of the one before."""
        found = [[name, each.level, each.text, each.remedy] for name, each in run.found]
        text = json.dumps({"at": run.at.timestamp(), "host": run.host, "found": found}, ensure_ascii=False)
        self._run_command(lambda: self._redis.set(self._key, text, ex=RETENTION))

    def read(self) -> LastRun | None:
        """Return the last run, or None if there was none in the retention."""
        text = self._run_command(lambda: self._redis.get(self._key))
        if text is None:
            return None
        run = json.loads(text)
        found = [(name, Finding(Level(level), *rest)) for name, level, *rest in run["found"]]
        return LastRun(datetime.fromtimestamp(run["at"], UTC), run["host"], found)

    @property
    def _key(self) -> str:
        return f"{self._prefix}doctor"
