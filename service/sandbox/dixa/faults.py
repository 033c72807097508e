"""Injects faults: by rules for the next calls, by an outage, or at random."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from http.client import responses
from random import Random
from threading import Event, Lock, Timer

from service.sandbox.dixa.call import DixaResponse
from service.sandbox.dixa.calls import CALLS


class Kind(StrEnum):
    """The kinds of faults."""

    FAILS = "fails"
    DROPS_BEFORE = "drops_before"
    EXECUTES_THEN_DROPS = "executes_then_drops"
    EXECUTES_THEN_FAILS = "executes_then_fails"
    HANGS = "hangs"
    SLOW = "slow"
    EXECUTES_LATE = "executes_late"
    THROTTLES = "throttles"


EXECUTING = frozenset({Kind.EXECUTES_THEN_DROPS, Kind.EXECUTES_THEN_FAILS, Kind.SLOW})
"""Kinds with the call executed before the fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule for the next `times` calls named `call` about this conversation. None means any."""

    kind: Kind
    times: int = 1
    call: str | None = None
    status: int = 503
    seconds: float = 1.0
    retry_after: int | None = None
    conversation: int | None = None


class Faults:
    """The active rules. Thread-safe. `given` counts applied faults by kind."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: list[Fault] = []
        self._chances: Mapping[Kind, float] = {}
        self._random = Random()  # noqa: S311  (chaos that can be repeated, not a secret)
        self._seconds = 0.5
        self._timers: set[Timer] = set()
        self._stopping = Event()
        self.given: Counter[str] = Counter()
        self.outage_status: int | None = None
        self.is_out = False

    def inject(self, fault: Fault) -> None:
        """Add a rule. The oldest rule for a call applies first. Raises ValueError for an unknown call."""
        if fault.call is not None and fault.call not in CALLS:
            raise ValueError(f"There is no call {fault.call!r}. Known: {', '.join(CALLS)}.")
        with self._lock:
            self._rules.append(fault)

    def outage(self, status: int | None = 503) -> None:
        """Make every call fail until `outage_is_over`. A status of None closes the connections instead."""
        with self._lock:
            self.is_out, self.outage_status = True, status

    def outage_is_over(self) -> None:
        """End an outage."""
        self.is_out = False

    def randomly(self, seed: int, chances: Mapping[str, float], seconds: float = 0.5) -> None:
        """Make each call fail with these probabilities by kind. `seconds` is the wait of some kinds."""
        with self._lock:
            self._chances = {Kind(name): chance for name, chance in chances.items()}
            self._random = Random(seed)  # noqa: S311
            self._seconds = seconds

    def clear(self) -> None:
        """Drop all rules, chances and an outage; what executes late still does."""
        with self._lock:
            self._rules, self._chances, self.is_out = [], {}, False

    def pending(self) -> list[Fault]:
        """List the rules that wait for calls."""
        with self._lock:
            return list(self._rules)

    def next_for(self, call: str, conversation: str | None = None) -> Fault | None:
        """Use up one rule for this call, or draw by chance."""
        with self._lock:
            fault = self._next_rule(call, conversation) or self._random_fault()
            if fault:
                self.given[fault.kind] += 1
            return fault

    def _next_rule(self, call: str, conversation: str | None) -> Fault | None:
        for position, rule in enumerate(self._rules):
            is_about = rule.conversation is None or str(rule.conversation) == conversation
            if is_about and rule.call in {None, call}:
                if rule.times > 1:
                    self._rules[position] = replace(rule, times=rule.times - 1)
                else:
                    del self._rules[position]
                return rule
        return None

    def _random_fault(self) -> Fault | None:
        if not self._chances:
            return None
        point = self._random.random()
        for kind, chance in self._chances.items():
            if point < chance:
                return Fault(kind, status=self._random.choice((500, 502, 503)), seconds=self._seconds)
            point -= chance
        return None

    def apply(self, fault: Fault, execute: Callable[[], DixaResponse]) -> DixaResponse | None:
        """Apply a fault to one call. Return the response, or None to close the connection."""
        response = execute() if fault.kind in EXECUTING else None
        if fault.kind is Kind.EXECUTES_LATE:
            self._later(fault.seconds, execute)
        if fault.kind in {Kind.SLOW, Kind.HANGS}:
            self._stopping.wait(fault.seconds)
        if fault.kind in {Kind.FAILS, Kind.THROTTLES, Kind.EXECUTES_THEN_FAILS}:
            return failure(429 if fault.kind is Kind.THROTTLES else fault.status, fault.retry_after)
        return response if fault.kind is Kind.SLOW else None

    def resume(self) -> None:
        """Allow waits again after a stop."""
        self._stopping.clear()

    def stop(self) -> None:
        """End all waits, and drop calls to be executed late."""
        self._stopping.set()
        with self._lock:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()

    def _later(self, seconds: float, execute: Callable[[], DixaResponse]) -> None:
        timer = Timer(seconds, execute)
        timer.daemon = True
        with self._lock:
            self._timers = {each for each in self._timers if not each.finished.is_set()} | {timer}
        timer.start()


class FaultShortcuts:
    """One method for each kind of fault. `call` is a name in `calls.CALLS`, such as "offer"; None means any call."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.inject = self.faults.inject

    def outage(self, status: int | None = 503) -> None:
        """Make every call fail until `outage_is_over`. A status of None closes the connections instead."""
        self.faults.outage(status)

    def outage_is_over(self) -> None:
        """End an outage."""
        self.faults.outage_is_over()

    def fails(
        self, times: int = 1, status: int = 503, *, call: str | None = None, retry_after: int | None = None
    ) -> None:
        """Return an error without executing the call."""
        self.inject(Fault(Kind.FAILS, times, call, status, retry_after=retry_after))

    def drops_before(self, times: int = 1, *, call: str | None = None) -> None:
        """Close the connection without executing the call."""
        self.inject(Fault(Kind.DROPS_BEFORE, times, call))

    def executes_then_drops(self, times: int = 1, *, call: str | None = None) -> None:
        """Execute the call, and close the connection without a response."""
        self.inject(Fault(Kind.EXECUTES_THEN_DROPS, times, call))

    def executes_then_fails(self, times: int = 1, status: int = 500, *, call: str | None = None) -> None:
        """Execute the call, and return an error."""
        self.inject(Fault(Kind.EXECUTES_THEN_FAILS, times, call, status))

    def hangs(self, seconds: float, times: int = 1, *, call: str | None = None) -> None:
        """Wait, then close the connection without executing the call."""
        self.inject(Fault(Kind.HANGS, times, call, seconds=seconds))

    def executes_late(self, seconds: float, times: int = 1, *, call: str | None = None) -> None:
        """Close the connection now, and execute the call later."""
        self.inject(Fault(Kind.EXECUTES_LATE, times, call, seconds=seconds))

    def throttles(self, times: int = 1, *, retry_after: int | None = None, call: str | None = None) -> None:
        """Return 429, with a Retry-After if given."""
        self.inject(Fault(Kind.THROTTLES, times, call, retry_after=retry_after))


def failure(status: int, retry_after: int | None = None) -> DixaResponse:
    """Return the response for an error."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return DixaResponse(status, {"message": responses.get(status, "The request failed")}, headers)
