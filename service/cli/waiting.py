"""How many surveys wait to be asked with. Delivered ones that only have their reminder to come are no part of that."""

from config.settings import Settings
from service.surveys.model import Journey, OfferState
from service.surveys.overview import Overview
from service.surveys.store import connect

_AT_ONCE = 500


class Waiting(Overview):
    """What is due, now or later, looked into: the due set of offers holds reminders too."""

    def count(self) -> int:
        """Count the surveys whose link isn't with the customer yet."""
        ids: list[str] = self._ask(lambda: self._redis.zrange(self._due(Journey.OFFER), 0, -1))
        states = [
            each for start in range(0, len(ids), _AT_ONCE) for each in self._states(ids[start : start + _AT_ONCE])
        ]
        return sum(state not in (None, OfferState.REMINDING) for state in states)

    def _states(self, ids: list[str]) -> list[str | None]:
        pipeline = self._redis.pipeline(transaction=False)
        for survey_id in ids:
            pipeline.hget(self._key(survey_id), f"{Journey.OFFER}_state")
        found: list[str | None] = self._ask(pipeline.execute)
        return found


def open_waiting(settings: Settings) -> Waiting:
    """Make it. Connects to nothing yet."""
    return Waiting(connect(settings.redis_url))
