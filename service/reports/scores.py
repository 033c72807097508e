"""Counts of scores, and the figure of each rating type with its interval."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from service.reports.estimates import Estimate, estimate_nps, estimate_share
from service.surveys.ratings import RatingType

SATISFIED: Final = (4, 5)
"""The scores of a satisfied customer: Dixa's Intelligence API counts CSAT so too."""
PROMOTERS: Final = (9, 10)
DETRACTORS: Final = range(7)


@dataclass(slots=True)
class Scores:
    """How often each score of one rating type was given."""

    rating: RatingType
    counts: Counter[int] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        """The number of scores."""
        return self.counts.total()

    @property
    def estimate(self) -> Estimate | None:
        """The figure of the type: CSAT % and thumbs % as a share, or the NPS."""
        if self.rating is RatingType.NPS:
            return estimate_nps(self._count(PROMOTERS), self._count(DETRACTORS), self.size)
        good = SATISFIED if self.rating is RatingType.CSAT else (1,)
        return estimate_share(self._count(good), self.size)

    @property
    def distribution(self) -> list[tuple[int, int]]:
        """All scores of the type with their counts, the lowest first."""
        return [(score, self.counts[score]) for score in self.rating.scores]

    def __add__(self, other: Self) -> "Scores":
        return Scores(self.rating, self.counts + other.counts)

    def __sub__(self, other: Self) -> "Scores":
        return Scores(self.rating, self.counts - other.counts)

    def _count(self, scores: Iterable[int]) -> int:
        return sum(self.counts[score] for score in scores)


@dataclass(slots=True)
class Answers:
    """Answers with their scores. Those of suspected machines are counted apart: a score is a person's."""

    people: int = 0
    suspects: int = 0
    scores: Mapping[RatingType, Scores] = field(default_factory=lambda: {each: Scores(each) for each in RatingType})
    suspect_scores: Mapping[RatingType, Scores] = field(
        default_factory=lambda: {each: Scores(each) for each in RatingType}
    )

    def add(self, given: Mapping[RatingType, int | None], count: int, *, is_suspect: bool) -> None:
        """Add so many answers with the same scores."""
        if is_suspect:
            self.suspects += count
        else:
            self.people += count
        scores = self.suspect_scores if is_suspect else self.scores
        for rating, score in given.items():
            if score is not None:
                scores[rating].counts[score] += count
