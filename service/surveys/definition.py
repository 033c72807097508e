"""What a survey is: one `[[survey]]` of surveys.toml, as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from service.surveys.brand import OwnBrand
from service.surveys.match import Match
from service.surveys.on_answer import OnAnswer
from service.surveys.ratings import RatingType
from service.surveys.words import NEUTRAL, Sender, Words

CHANNELS = ("message", "email", "note", "webhook")
"""The delivery channels that a survey may name in `deliver`."""


_NOBODY = Sender()


class OnReclose(StrEnum):
    """What a close means for a conversation that had its survey, or nearly."""

    NEVER = "never"
    UNANSWERED = "unanswered"
    ALWAYS = "always"


class Credit(StrEnum):
    """Whose rating it is."""

    ASSIGNEE = "assignee"
    DIXA = "dixa"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """The hours in which surveys are sent: on these days (0 is Monday), from one time to another of a time zone."""

    days: tuple[int, ...]
    opens: time
    closes: time
    zone: str


@dataclass(frozen=True, slots=True)
class Survey:
    """One `[[survey]]` of surveys.toml. A record keeps a copy: its terms, as they were at the close.

    `delays` are the channels whose delay isn't the usual one; a daily cap of 0 is none; the key of the sender for all
    languages is "".
    """

    name: str = "default"
    ratings: tuple[RatingType, ...] = (RatingType.CSAT,)
    delay: timedelta = timedelta(minutes=15)
    delays: Mapping[str, timedelta] = field(default_factory=dict)
    editable_for: timedelta = timedelta(minutes=5)
    extend: timedelta = timedelta(minutes=20)
    suspect_editable_for: timedelta = timedelta(days=1)
    expires: timedelta = timedelta(days=28)
    on_reclose: OnReclose = OnReclose.NEVER
    cooldown: timedelta = timedelta(days=30)
    reminder: timedelta | None = None
    credit: Credit = Credit.ASSIGNEE
    not_before: datetime | None = None
    daily_cap: int = 0
    send_window: SendWindow | None = None
    deliver: tuple[str, ...] = ("message",)
    reclose: bool = False
    stop_line: bool = False
    match: Match = field(default_factory=Match)
    words: Mapping[str, Words] = field(default_factory=dict, hash=False)
    senders: Mapping[str, Sender] = field(default_factory=dict, hash=False)
    brand: OwnBrand = field(default_factory=OwnBrand)
    on_answer: tuple[OnAnswer, ...] = ()

    def editable_time(self, *, is_suspect: bool) -> timedelta:
        """Say how long an answer waits before it is submitted."""
        return max(self.editable_for, self.suspect_editable_for) if is_suspect else self.editable_for

    def words_in(self, code: str) -> Words:
        """Give the survey's own words in a language, empty where it has none."""
        return self.words.get(code, NEUTRAL)

    def sender_in(self, code: str) -> Sender:
        """Say who asks in a language: its own sender, and what that leaves open, that of all languages."""
        own, usual = self.senders.get(code, _NOBODY), self.senders.get("", _NOBODY)
        return Sender(own.email or usual.email, own.reply_to or usual.reply_to, own.agent or usual.agent)

    def zone_or(self, usual: ZoneInfo) -> ZoneInfo:
        """The time zone in which customers read dates: the window's, or else the usual one."""
        return ZoneInfo(self.send_window.zone) if self.send_window else usual

    def for_channel(self, channel: str | None) -> "Survey":
        """The same survey with the one delay that this channel has."""
        return replace(self, delay=self.delays.get(channel or "", self.delay), delays={})
