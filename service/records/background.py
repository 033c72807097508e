"""A loop in a thread that survives every error of its step, and reports them without flooding the log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Condition, Thread
from time import monotonic
from traceback import format_tb

import structlog

log = structlog.get_logger()

_REPEAT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LogEvents:
    """The log events of a loop: an expected failure, the end of one, and an error of our own."""

    failed: str
    recovered: str
    broken: str


class BackgroundLoop:
    """Runs a step again and again until `stop`.

    A step may return the time until the next one, if that is less than the interval. `wake` makes it come sooner.
    `describe` returns the text of an expected error, and nothing for any other. If the thread ended at an unexpected
    error, the process would go on without it: the breaker would stay open, or no task would be queued.
    """

    def __init__(
        self,
        step: Callable[[], timedelta | None],
        interval: timedelta,
        events: LogEvents,
        *,
        describe: Callable[[Exception], str],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self._step = step
        self._interval = interval
        self._events = events
        self._describe = describe
        self._prepare = prepare
        self._is_stopping = False
        self._changed = Condition()
        self._next_at = monotonic() + interval.total_seconds()
        self._thread: Thread | None = None
        self._problem = ""
        self._repeat_at = monotonic()

    def start(self, name: str) -> None:
        """Run in a thread of this name."""
        self._thread = Thread(target=self.run, name=name, daemon=True)
        self._thread.start()

    def run(self) -> None:
        """Run `prepare` once, then the step at each interval."""
        self._attempt(self._prepare)
        while self._wait():
            self.report(self._attempt(self._run_step))

    def wake(self, within: timedelta = timedelta()) -> None:
        """Let the next step begin within this time. Safe for threads."""
        at = monotonic() + within.total_seconds()
        with self._changed:
            if at < self._next_at:
                self._next_at = at
                self._changed.notify()

    def stop(self) -> None:
        """End after the current step. Wait for it, 5 s at most."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread:
            self._thread.join(timeout=5)

    def report(self, problem: str) -> None:
        """Log a problem when it begins, once a minute while it lasts, and when it is over."""
        if problem and (problem != self._problem or monotonic() >= self._repeat_at):
            self._repeat_at = monotonic() + _REPEAT_SECONDS
            log.warning(self._events.failed, problem=problem)
        if self._problem and not problem:
            log.info(self._events.recovered)
        self._problem = problem

    def _wait(self) -> bool:
        """Wait for the time of the next step. Return False if the loop stops."""
        with self._changed:
            while not self._is_stopping and (left := self._next_at - monotonic()) > 0:
                self._changed.wait(left)
            # From here on, `wake` asks for the step after this one.
            self._next_at = monotonic() + self._interval.total_seconds()
            return not self._is_stopping

    def _run_step(self) -> None:
        within = self._step()
        if within is not None:
            self.wake(within)

    def _attempt(self, act: Callable[[], object]) -> str:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the next step may succeed
            if expected := self._describe(error):
                return expected
            problem = type(error).__name__
            if problem != self._problem:
                # The text of the error may quote a customer. Its place in the code doesn't.
                log.error(self._events.broken, problem=problem, where="".join(format_tb(error.__traceback__)))  # noqa: TRY400
            return problem
        return ""
