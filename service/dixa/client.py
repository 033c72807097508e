"""Dixa's API: its calls, typed.

Paths, bodies and answers are those of Dixa's OpenAPI description (version beta).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from service.dixa import schemas
from service.dixa.payloads import PayloadError
from service.dixa.wire import ORGANIZATION, Effect, Wire
from service.surveys.errors import OutcomeUnknown, RetryLater
from service.surveys.ports import Conversation, Message, Page, Rating, Slot
from service.surveys.ratings import RatingType

Result = TypeVar("Result")


class DixaClient(Wire):
    """Typed calls. Each raises RetryLater, OutcomeUnknown (actions only) or Refused unless it succeeded."""

    def conversation(self, slot: Slot, conversation_id: int) -> Conversation:
        """`GET /conversations/{id}`."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}")
        return _read(schemas.load_conversation, body, "asks")

    def ratings(self, slot: Slot, conversation_id: int) -> tuple[Rating, ...]:
        """`GET /conversations/{id}/ratings`."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/ratings")
        return _read(schemas.load_ratings, body, "asks")

    def offer(
        self,
        slot: Slot,
        conversation_id: int,
        rating: RatingType,
        *,
        user_id: str,
        agent_id: str | None,
        offered_at: datetime,
    ) -> str:
        """`POST /conversations/{id}/ratings/offer`; returns the rating id."""
        sent = schemas.dump_offer(rating, user_id=user_id, agent_id=agent_id, offered_at=offered_at)
        body = self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/ratings/offer", sent)
        return _read(schemas.load_offer_id, body, "acts")

    def submit(
        self,
        slot: Slot,
        conversation_id: int,
        rating_id: str,
        *,
        rating: RatingType,
        score: int,
        comment: str,
        submitted_at: datetime,
    ) -> None:
        """`POST /conversations/{id}/ratings/{ratingId}/submit`."""
        sent = schemas.dump_result(rating, score=score, comment=comment, submitted_at=submitted_at)
        self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/ratings/{rating_id}/submit", sent)

    def messages(self, slot: Slot, conversation_id: int) -> tuple[Message, ...]:
        """`GET /conversations/{id}/messages`, oldest first."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/messages")
        return _read(schemas.load_messages, body, "asks")

    def conversation_tags(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """`GET /conversations/{id}/tags`: their names."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/tags")
        return _read(schemas.load_conversation_tags, body, "asks")

    def add_message(
        self, slot: Slot, conversation_id: int, *, agent_id: str, kind: str, text: str, external_id: str
    ) -> None:
        """`POST /conversations/{id}/messages`, outbound. A second one with the same `external_id` is a 400."""
        sent = schemas.dump_message(agent_id, text, external_id=external_id, kind=kind)
        self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/messages", sent)

    def close(self, slot: Slot, conversation_id: int, *, user_id: str) -> None:
        """`PUT /conversations/{id}/close`."""
        self._call(slot, "acts", "PUT", f"/conversations/{conversation_id}/close", {"userId": user_id})

    def notes(self, slot: Slot, conversation_id: int) -> tuple[str, ...]:
        """`GET /conversations/{id}/notes`: what they say."""
        body = self._call(slot, "asks", "GET", f"/conversations/{conversation_id}/notes")
        return _read(schemas.load_notes, body, "asks")

    def add_note(self, slot: Slot, conversation_id: int, text: str) -> None:
        """`POST /conversations/{id}/notes`."""
        self._call(slot, "acts", "POST", f"/conversations/{conversation_id}/notes", {"message": text})

    def tags(self, slot: Slot) -> dict[str, str]:
        """`GET /tags`: the ids of the organization's active tags, by name."""
        return _read(schemas.load_tags, self._call(slot, "asks", "GET", "/tags"), "asks")

    def add_tag(self, slot: Slot, conversation_id: int, tag_id: str) -> None:
        """`PUT /conversations/{id}/tags/{tagId}`."""
        self._call(slot, "acts", "PUT", f"/conversations/{conversation_id}/tags/{quote(tag_id, safe='')}")

    def closed_between(self, slot: Slot, since: datetime, until: datetime, page_key: str | None = None) -> Page:
        """`POST /search/conversations`, a page at a time. It only asks, whatever its method."""
        path = "/search/conversations" + (f"?{urlencode({'pageKey': page_key})}" if page_key else "")
        body = self._call(slot, "asks", "POST", path, schemas.dump_search(since, until))
        return _read(schemas.load_page, body, "asks")

    def queues(self, slot: Slot) -> dict[str, str]:
        """`GET /queues`: the names by the ids."""
        return _read(schemas.load_queues, self._call(slot, "asks", "GET", "/queues"), "asks")

    def organization_name(self, slot: Slot) -> str:
        """`GET /organization`: whose token this is."""
        return _read(schemas.load_organization_name, self._call(slot, "asks", "GET", ORGANIZATION), "asks")


def _read(load: Callable[[Any], Result], body: Any, effect: Effect) -> Result:
    """Turn an answer into what it means. One that can't be read tells nothing of what happened."""
    try:
        return load(body)
    except PayloadError as error:
        problem = f"Dixa's answer can't be read: {error}"
        raise (OutcomeUnknown(problem) if effect == "acts" else RetryLater(problem)) from error
