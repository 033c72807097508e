"""Dixa's rating types."""

from enum import StrEnum


class RatingType(StrEnum):
    """Dixa's rating types in its API's spelling (OpenAPI description, CreateRatingOfferInput)."""

    CSAT = "Csat"
    NPS = "Nps"
    THUMBS = "ThumbsUpOrDown"

    @property
    def scores(self) -> range:
        """The valid scores, lowest first (OpenAPI description, SubmittedRatingResult)."""
        return {RatingType.CSAT: range(1, 6), RatingType.NPS: range(11), RatingType.THUMBS: range(2)}[self]
