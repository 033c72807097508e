"""The definition of a survey: one `[[survey]]` of surveys.toml."""

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

DELIVERY_CHANNELS = ("message", "email", "note", "webhook")
"""The delivery channels."""

_DEFAULT_SENDER = Sender()


class OnReclose(StrEnum):
    """Whether a later close of the same conversation begins another survey."""

    NEVER = "never"
    UNANSWERED = "unanswered"
    ALWAYS = "always"


class Credit(StrEnum):
    """The agent who gets the rating: the assignee at the close, or Dixa's choice."""

    ASSIGNEE = "assignee"
    DIXA = "dixa"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """The hours for sending, on these weekdays (0 is Monday)."""

    days: tuple[int, ...]
    opens: time
    closes: time
    zone: str


@dataclass(frozen=True, slots=True)
class Survey:
    """One `[[survey]]` of surveys.toml. A record keeps a copy from the time of the close: its terms.

    `delays` are exceptions from `delay` by channel. A daily cap of 0 is none. The sender for all languages has the key
    "".
    """

    name: str = "default"
    ratings: tuple[RatingType, ...] = (RatingType.CSAT,)
    delay: timedelta = timedelta(minutes=15)
    delays: Mapping[str, timedelta] = field(default_factory=dict, hash=False)
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
        """Return how long an answer stays editable before it is submitted."""
        return max(self.editable_for, self.suspect_editable_for) if is_suspect else self.editable_for

    def words_in(self, code: str) -> Words:
        """Return the survey's own words in a language, or empty ones."""
        return self.words.get(code, NEUTRAL)

    def sender_in(self, code: str) -> Sender:
        """Return the sender for a language. Empty fields come from the sender for all languages."""
        own, default = self.senders.get(code, _DEFAULT_SENDER), self.senders.get("", _DEFAULT_SENDER)
        return Sender(own.email or default.email, own.reply_to or default.reply_to, own.agent or default.agent)

    def zone_or(self, default: ZoneInfo) -> ZoneInfo:
        """Return the time zone for dates: the send window's or the default."""
        return ZoneInfo(self.send_window.zone) if self.send_window else default

    def for_channel(self, channel: str | None) -> "Survey":
        """Return the survey with the delay of this channel only."""
        return replace(self, delay=self.delays.get(channel or "", self.delay), delays={}) if self.delays else self
