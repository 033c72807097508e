"""Invents closes of conversations, and what becomes of each. The same seed invents the same days."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from random import Random

from service.sandbox.demo.comments import COMMENTS
from service.sandbox.dixa.model import Person, Queue
from service.surveys.model import Close
from service.surveys.reasons import Reason
from service.surveys.states import FoundBy

FIRST_NUMBER = 20_000

AGENTS = tuple(
    Person(name, f"{name.partition(' ')[0].lower()}@nordlys.example", id=f"demo-agent-{number}")
    for number, name in enumerate(
        ("Jonas Bech", "Priya Nair", "Elif Yılmaz", "Tomás Ribeiro", "Hanna Virtanen", "Owen Clarke"), 1
    )
)
QUEUES = {name: Queue(name, f"demo-queue-{name.lower()}") for name in ("Returns", "Delivery", "Billing", "Chat", "VIP")}


@dataclass(frozen=True, slots=True)
class Habits:
    """How a queue is used: its share of conversations, its channels, and how often its customers are content."""

    share: float
    channels: Mapping[str, float]
    content: float


_QUEUES = {
    "Returns": Habits(0.26, {"Email": 0.7, "ContactForm": 0.2, "PstnPhone": 0.1}, 0.66),
    "Delivery": Habits(0.24, {"Email": 0.5, "WhatsApp": 0.3, "Sms": 0.1, "PstnPhone": 0.1}, 0.85),
    "Billing": Habits(0.14, {"Email": 0.8, "ContactForm": 0.2}, 0.82),
    "Chat": Habits(0.30, {"WidgetChat": 0.8, "Messenger": 0.2}, 0.9),
    "VIP": Habits(0.06, {"Email": 0.7, "PstnPhone": 0.3}, 0.88),
}
_ANSWERS = {"WidgetChat": 0.42, "Messenger": 0.38, "WhatsApp": 0.3, "Sms": 0.2, "Email": 0.17, "ContactForm": 0.16}
"""How many of those with a link answer, by channel."""
_LANGUAGES = {"en": 0.35, "da": 0.3, "de": 0.2, "sv": 0.1, "fr": 0.05}
_CHANCES = {
    "customer was here before": 0.12,
    "outbound": 0.05,
    "no agent": 0.04,
    "spam": 0.03,
    "webhook lost that night": 0.6,
    "offer fails that night": 0.3,
    "result fails that night": 0.5,
    "a machine clicks": 0.015,
    "arrival not confirmed": 0.01,
    "content customer writes": 0.25,
    "unhappy customer writes": 0.55,
}
_SATURDAY, _WEEKEND = 5, 0.35
"""The first day of the weekend, and its share of conversations."""
_WORSE_SINCE = timedelta(days=28)
_WORSE = 0.16
"""The queue Returns has been worse since then."""
_HABIT_OF_AGENTS = (0.05, 0.03, 0.0, 0.0, -0.02, -0.07)
_BAD_NIGHT = (timedelta(hours=9), timedelta(hours=7))
"""So long ago, Dixa lost webhooks and refused calls."""
_AT_NIGHT = {"Chat": {"WidgetChat": 1.0}, "Delivery": {"WhatsApp": 1.0}}


@dataclass(frozen=True, slots=True)
class InventedAnswer:
    """An answer so long after the link. `quality` is from 0 to 1: each rating type has its own scores."""

    after: timedelta
    quality: float
    comment: str = ""
    is_suspect: bool = False
    fails: Reason | None = None


@dataclass(frozen=True, slots=True)
class Invented:
    """A close, and what becomes of it: `against` is a reason found when it is due, `fails` one of a failure."""

    close: Close
    language: str
    against: Reason | None = None
    fails: Reason | None = None
    is_unconfirmed: bool = False
    answer: InventedAnswer | None = None


def invent(until: datetime, days: int, a_day: int, seed: int = 1) -> Iterator[Invented]:
    """Yield the closes of so many days before `until`, about `a_day` on a weekday, earliest first."""
    random = Random(seed)  # noqa: S311 - for variety
    moments = sorted(_moments(random, until, days, a_day))
    for number, closed_at in enumerate(moments, FIRST_NUMBER):
        yield _invent_one(random, number, closed_at, until)


def _moments(random: Random, until: datetime, days: int, a_day: int) -> Iterator[datetime]:
    for ago in range(days, -1, -1):
        day = until.date() - timedelta(days=ago)
        count = round(a_day * (_WEEKEND if day.weekday() >= _SATURDAY else 1) * random.uniform(0.85, 1.15))
        for _ in range(count):
            # Most work is done from eight to eight.
            hour = min(max(random.gauss(13.5, 3.2), 0.1), 23.9)
            moment = datetime.combine(day, time(), until.tzinfo) + timedelta(hours=hour)
            if moment < until:
                yield moment
    began, ended = (until - each for each in _BAD_NIGHT)
    for _ in range(max(a_day // 4, 20)):
        yield began + (ended - began) * random.random()


def _invent_one(random: Random, number: int, closed_at: datetime, until: datetime) -> Invented:
    def happens(what: str) -> bool:
        return random.random() < _CHANCES[what]

    is_night = _BAD_NIGHT[1] <= until - closed_at <= _BAD_NIGHT[0]
    name = random.choice([*_AT_NIGHT]) if is_night else _draw(random, {each: _QUEUES[each].share for each in _QUEUES})
    habits = _QUEUES[name]
    channel = _draw(random, _AT_NIGHT[name] if is_night else habits.channels)
    was_here = happens("customer was here before") and number > FIRST_NUMBER
    customer = random.randrange(FIRST_NUMBER, number) if was_here else number
    agent = random.randrange(len(AGENTS))
    close = Close(
        conversation_id=number,
        closed_at=closed_at,
        channel=channel,
        direction="Outbound" if happens("outbound") else "Inbound",
        queue_id=QUEUES[name].id,
        queue_name=name,
        contact_point="support@nordlys.example",
        requester_id=f"demo-customer-{customer}",
        user_type="Contact",
        agent_id=None if happens("no agent") else AGENTS[agent].id,
        assignee_type="Member",
        tags=("spam",) if happens("spam") else (),
        event_id=f"demo-{number}",
        found_by=FoundBy.DELIVERY_LOG if is_night and happens("webhook lost that night") else None,
        email=f"customer-{customer}@example.com",
    )
    answer = None
    if random.random() < _ANSWERS.get(channel, 0):
        is_worse = name == "Returns" and until - closed_at < _WORSE_SINCE
        is_content = random.random() < habits.content + _HABIT_OF_AGENTS[agent] - _WORSE * is_worse
        speaks = happens("content customer writes" if is_content else "unhappy customer writes")
        answer = InventedAnswer(
            # Half of the answers come within two hours.
            after=timedelta(minutes=min(max(random.lognormvariate(4.6, 1.5), 1), 20 * 24 * 60)),
            quality=random.uniform(0.72, 1.0) if is_content else random.uniform(0.0, 0.55),
            comment=random.choice(COMMENTS[is_content]) if speaks else "",
        )
        if is_night:
            fails = Reason.REFUSED if happens("result fails that night") else None
            answer = replace(answer, after=timedelta(minutes=5), fails=fails)
    if channel == "Email" and happens("a machine clicks"):
        answer = InventedAnswer(timedelta(seconds=2), 1.0, is_suspect=True)
    has_failed = is_night and happens("offer fails that night")
    return Invented(
        close,
        _draw(random, _LANGUAGES),
        against=_draw_against(random),
        fails=random.choice((Reason.FORBIDDEN, Reason.NOT_FOUND)) if has_failed else None,
        is_unconfirmed=happens("arrival not confirmed"),
        answer=answer,
    )


def _draw_against(random: Random) -> Reason | None:
    found = _draw(
        random,
        {
            "": 0.9,
            Reason.REOPENED: 0.03,
            Reason.ALREADY_SURVEYED: 0.02,
            Reason.OPTED_OUT: 0.02,
            Reason.FEW_CUSTOMER_MESSAGES: 0.02,
            Reason.UNREACHABLE: 0.01,
        },
    )
    return Reason(found) if found else None


def _draw(random: Random, shares: Mapping[str, float]) -> str:
    return random.choices([*shares], [*shares.values()])[0]
