"""Actions after an answer, by score: `[[survey.on_answer]]` of surveys.toml."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.surveys.ratings import RatingType


@dataclass(frozen=True, slots=True)
class OnAnswer:
    """One `[[survey.on_answer]]`. `comment` lets alerts and notes quote the customer; the webhook always does."""

    scores: tuple[int, ...]
    rating: RatingType | None = None
    note: bool = False
    tag: str = ""
    slack: bool = False
    webhook: bool = False
    comment: bool = False
    thank_you: str = ""
    redirect: bool = False

    def matches(self, scores: Mapping[RatingType, int]) -> bool:
        """Return whether an answer has one of these scores."""
        return self.rating is not None and scores.get(self.rating) in self.scores

    @property
    def thank_you_host(self) -> str:
        """The host of the thank-you page, or ""."""
        return urlsplit(self.thank_you).hostname or ""
