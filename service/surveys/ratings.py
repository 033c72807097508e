"""The kinds of rating that Dixa knows."""

from enum import StrEnum


class RatingType(StrEnum):
    """Dixa's rating types, spelled as its API spells them (OpenAPI description, CreateRatingOfferInput)."""

    CSAT = "Csat"
    NPS = "Nps"
    THUMBS = "ThumbsUpOrDown"

    @property
    def scores(self) -> range:
        """The scores that Dixa takes for this type, lowest first (OpenAPI description, SubmittedRatingResult)."""
        return {RatingType.CSAT: range(1, 6), RatingType.NPS: range(11), RatingType.THUMBS: range(2)}[self]
