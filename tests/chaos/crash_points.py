"""Every numbered step of both journeys (docs/architecture), with Dixa's faults, as points for a crash."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.sandbox.server import Sandbox
from service.surveys.ratings import RatingType
from tests.chaos.crashing_worker import Point

ONE = (RatingType.CSAT,)
TWO = (RatingType.CSAT, RatingType.NPS)

Steps = tuple[tuple[str, tuple[str, ...]], ...]
Trouble = Callable[[Sandbox, int], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A crash in one journey. `trouble` is Dixa's fault meanwhile, `ends` the permitted ends of the offer."""

    journey: str
    point: Point
    story: str = "all is well"
    trouble: Trouble | None = None
    ratings: tuple[RatingType, ...] = ONE
    ends: frozenset[str] = frozenset({"delivered"})

    def __str__(self) -> str:
        return f"{self.journey}, {self.story}: {self.point}"


OFFER_STEPS = (
    "records.accept",
    "records.queue_due",
    "records.claim",
    "dixa.take_slot",
    "dixa.conversation",
    "dixa.take_slot 2",
    "dixa.ratings",
    "records.decide",
    "dixa.take_slot 3",
    "records.begin_call",
    "dixa.offer",
    "records.offered",
    "records.begin_delivery",
    "dixa.take_slot 4",
    "dixa.add_message",
    "records.delivered",
)
ANSWER_STEPS = (
    "records.save_answer",
    "records.queue_due",
    "records.claim",
    "dixa.take_slot",
    "records.begin_call",
    "dixa.submit",
    "records.submitted",
)
STEPS: Steps = (("offer", OFFER_STEPS), ("answer", ANSWER_STEPS))
SKIPPED, FAILED = frozenset({"skipped"}), frozenset({"delivered", "failed"})

TROUBLED: tuple[tuple[str, str, Trouble, tuple[str, ...], frozenset[str]], ...] = (
    (
        "offer",
        "the offer's answer is lost",
        lambda dixa, _: dixa.executes_then_drops(call="offer"),
        (
            "records.call_lost",
            "records.claim 2",
            "dixa.take_slot 4",
            "dixa.ratings 2",
            "records.offered",
            "records.reschedule",
        ),
        frozenset({"delivered"}),
    ),
    (
        "offer",
        "the offer is lost",
        lambda dixa, _: dixa.drops_before(call="offer"),
        ("dixa.ratings 2", "records.call_failed", "records.begin_call 2", "dixa.offer 2"),
        frozenset({"delivered"}),
    ),
    (
        "offer",
        "too many requests",
        lambda dixa, _: dixa.throttles(call="offer", retry_after=0),
        ("records.call_failed",),
        frozenset({"delivered"}),
    ),
    (
        "offer",
        "Dixa can't be asked",
        lambda dixa, _: dixa.fails(call="conversation"),
        ("records.reschedule",),
        frozenset({"delivered"}),
    ),
    (
        "offer",
        "the message's answer is lost",
        lambda dixa, _: dixa.executes_then_drops(call="message"),
        ("records.reschedule", "dixa.messages", "records.delivered"),
        frozenset({"delivered"}),
    ),
    (
        "offer",
        "the message is lost",
        lambda dixa, _: dixa.drops_before(call="message"),
        ("records.reschedule", "dixa.messages", "dixa.add_message 2"),
        frozenset({"delivered"}),
    ),
    ("offer", "surveyed before", lambda dixa, number: dixa.make_rating(number), ("records.decide",), SKIPPED),
    ("offer", "the offer is refused", lambda dixa, _: dixa.fails(status=400, call="offer"), ("records.fail",), FAILED),
    (
        "answer",
        "the result's answer is lost",
        lambda dixa, _: dixa.executes_then_drops(call="submit"),
        (
            "records.call_lost",
            "records.claim 2",
            "dixa.take_slot 2",
            "dixa.ratings",
            "records.submitted",
            "records.reschedule",
        ),
        frozenset({"delivered"}),
    ),
    (
        "answer",
        "the result is lost",
        lambda dixa, _: dixa.drops_before(call="submit"),
        ("dixa.ratings", "records.call_failed", "records.begin_call 2", "dixa.submit 2"),
        frozenset({"delivered"}),
    ),
    (
        "answer",
        "too many requests",
        lambda dixa, _: dixa.throttles(call="submit", retry_after=0),
        ("records.call_failed",),
        frozenset({"delivered"}),
    ),
    (
        "answer",
        "refused after it was kept",
        lambda dixa, _: dixa.executes_then_fails(status=400, call="submit"),
        ("dixa.ratings", "records.submitted"),
        frozenset({"delivered"}),
    ),
)
OF_TWO: Steps = (
    ("offer", ("records.begin_call 2", "dixa.offer 2", "records.offered 2")),
    ("answer", ("records.begin_call 2", "dixa.submit 2", "records.submitted 2")),
)


def all_cases() -> tuple[Case, ...]:
    """Return a case before and after every step, with and without trouble."""
    return tuple(_cases())


def _cases() -> Iterator[Case]:
    for journey, steps in STEPS:
        for step in steps:
            yield from (Case(journey, point) for point in _around(step))
    for journey, story, trouble, steps, ends in TROUBLED:
        for step in steps:
            yield from (Case(journey, point, story, trouble, ends=ends) for point in _around(step))
    for journey, steps in OF_TWO:
        for step in steps:
            yield from (Case(journey, point, "two questions", ratings=TWO) for point in _around(step))


def _around(step: str) -> Iterator[Point]:
    name, _, nth = step.partition(" ")
    for when in ("before", "after"):
        yield Point(name, when, int(nth or 1))
