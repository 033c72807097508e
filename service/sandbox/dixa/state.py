"""The state of the sandbox, without HTTP. It reports duplicates."""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from service.sandbox.dixa.model import (
    Activity,
    Conversation,
    Delivery,
    Exchange,
    Link,
    Message,
    Organization,
    Person,
    Queue,
    Rating,
    Result,
    Tag,
    now,
)
from service.sandbox.dixa.subscriptions import Subscription

FIRST_ID = 48201
KEPT_EXCHANGES = 50_000


class Refused(Exception):
    """A call is refused. `status` and `message` become the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Report:
    """Ids of duplicates, none with a correct client. `refused` counts 4xx responses except 429, by call and status."""

    second_offers: list[str] = field(default_factory=list)
    double_submits: list[str] = field(default_factory=list)
    duplicate_messages: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    throttled: int = 0

    @property
    def rejections(self) -> int:
        """The number of refused calls."""
        return self.refused.total()


Listener = Callable[[str, Conversation], None]


class State:
    """All objects, behind one lock. Hold `lock` for consistent reads of several objects."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.organization = Organization()
        self.listeners: list[Listener] = []
        self.agents = [
            Person("Mads Lund", "mads@nordlys.example"),
            Person("Aisha Rahman", "aisha@nordlys.example"),
            Person("Camille Laurent", "camille@nordlys.example"),
        ]
        self.subscriptions: dict[str, Subscription] = {}
        self.contact_points = ["support@nordlys.example", "+4570123456"]
        self.queues: dict[str, Queue] = {}
        self.tags: dict[str, Tag] = {}
        self.clear()

    def clear(self) -> None:
        """Delete all conversations and reports, and behave as at the start. The organization stays."""
        with self.lock:
            self.message_reopens = False
            """Whether a message reopens a closed conversation."""
            self.listing_lag = 0.0
            """The delay in seconds until the list of ratings shows an offer or a result."""
            self.conversations: dict[int, Conversation] = {}
            self.deliveries: list[Delivery] = []
            self.activities: list[Activity] = []
            self._losses: deque[str] = deque()
            self.exchanges: deque[Exchange] = deque(maxlen=KEPT_EXCHANGES)
            self.report = Report()
            self._external_ids: set[str] = set()
            self._next_id = FIRST_ID

    def make_conversation(  # noqa: PLR0913  (a conversation has this many facts, and a test sets two of them)
        self,
        *,
        channel: str = "Email",
        language: str | None = None,
        agent: Person | bool = True,
        requester: Person | None = None,
        queue: str | None = "Support",
        tags: Iterable[str] = (),
        direction: str = "Inbound",
        subject: str | None = None,
        state: str = "Open",
        link: Link | None = None,
        created_at: datetime | None = None,
    ) -> Conversation:
        """Add a conversation. `agent=True` assigns the first agent, False nobody."""
        with self.lock:
            number, self._next_id = self._next_id, self._next_id + 1
            assignee = agent if isinstance(agent, Person) else self.agents[0] if agent else None
            conversation = Conversation(
                id=number,
                channel=channel,
                requester=requester or Person("Ida Holm", f"ida+{number}@example.com", f"+452{number:07}"),
                agent=assignee,
                queue=None if queue is None else self.queues.setdefault(queue, Queue(queue)),
                state=state,
                direction=direction,
                language=language,
                subject=subject,
                tags=[self.tag(name) for name in tags],
                link=link,
                created_at=created_at or now(),
                closed_at=now() if state == "Closed" else None,
            )
            self.conversations[number] = conversation
            return conversation

    def subscription(self, subscription_id: str) -> Subscription:
        """Find a webhook subscription. Raises Refused (404)."""
        try:
            return self.subscriptions[subscription_id]
        except KeyError:
            raise Refused(404, "The requested resource could not be found") from None

    def subscriptions_for(self, event: str) -> list[Subscription]:
        """Return the enabled subscriptions for an event, in the spelling of webhooks."""
        name = "".join(map(str.title, event.split("_")))
        with self.lock:
            return [each for each in self.subscriptions.values() if each.enabled and name in each.events]

    def lose_webhooks(self, times: int, *, is_logged: bool) -> None:
        """Lose the next webhooks. The delivery log shows them as failed, or not at all."""
        with self.lock:
            self._losses.extend(["logged" if is_logged else "unlogged"] * times)

    def next_loss(self) -> str | None:
        """Return whether the next webhook is lost, "logged" or "unlogged", or None."""
        with self.lock:
            return self._losses.popleft() if self._losses else None

    def tag(self, name: str) -> Tag:
        """Return the organization's tag of this name. Make it if necessary."""
        with self.lock:
            return self.tags.setdefault(name, Tag(name))

    def conversation(self, number: int) -> Conversation:
        """Find a conversation. Raises Refused (404)."""
        try:
            return self.conversations[number]
        except KeyError:
            raise Refused(404, "The requested resource could not be found") from None

    def requester(self, user_id: str) -> Person:
        """Find the requester with this id. Raises Refused (404), also for an agent."""
        with self.lock:
            found = (each.requester for each in self.conversations.values() if each.requester.id == user_id)
            person = next(found, None)
        if person is None or person.user_type == "Member":
            raise Refused(404, "An entity in this request could not be found")
        return person

    def closed_between(self, since: datetime, until: datetime) -> list[int]:
        """Return conversations last closed between two times, latest first, even if reopened since."""
        with self.lock:
            closed = ((each.closed_at, each.id) for each in self.conversations.values() if each.closed_at)
            return [number for at, number in sorted(closed, reverse=True) if since <= at <= until]

    def offer(
        self, number: int, kind: str, *, user_id: str | None, agent_id: str | None, offered_at: datetime | None
    ) -> Rating:
        """Make a rating offer. A second one of the same type succeeds (no error is documented), but is reported."""
        with self.lock:
            conversation = self.conversation(number)
            agent = conversation.agent or self.agents[0]
            rating = Rating(
                kind, user_id or conversation.requester.id, agent_id or agent.id, offered_at=offered_at or now()
            )
            if any(earlier.type == kind for earlier in conversation.offers):
                self.report.second_offers.append(rating.id)
            conversation.ratings.append(rating)
            return rating

    def make_rating(self, number: int, kind: str = "Csat", *, status: str = "Offered") -> Rating:
        """Add a rating of Dixa's own, built-in survey."""
        with self.lock:
            conversation = self.conversation(number)
            agent = conversation.agent or self.agents[0]
            rating = Rating(kind, conversation.requester.id, agent.id, status=status, language="en", is_builtin=True)
            if status == "Rated":
                moment = now()
                rating.result = Result(rating.id, kind, 1, None, moment, moment)
            conversation.ratings.append(rating)
            return rating

    def rating(self, number: int, rating_id: str) -> Rating:
        """Find a rating offered through the API. Raises Refused (400)."""
        conversation = self.conversations.get(number)
        for rating in conversation.offers if conversation else ():
            if rating.id == rating_id:
                return rating
        raise Refused(400, "Invalid value in request")

    def submit(
        self, number: int, rating_id: str, *, value: int, comment: str | None, submitted_at: datetime | None
    ) -> Result:
        """Record a result. A second one is refused, and reported."""
        with self.lock:
            rating = self.rating(number, rating_id)
            if rating.result:
                self.report.double_submits.append(rating_id)
                raise Refused(400, "The rating has been submitted before")
            moment = now()
            rating.result = Result(rating_id, rating.type, value, comment, submitted_at or moment, moment)
            rating.status = "Rated"
            self._notify("CONVERSATION_RATED", self.conversation(number))
            return rating.result

    def add_message(self, number: int, message: Message) -> Message:
        """Add a message. Raises Refused for an external id used before."""
        with self.lock:
            conversation = self.conversation(number)
            if message.external_id is not None:
                if message.external_id in self._external_ids:
                    self.report.duplicate_messages.append(message.external_id)
                    raise Refused(400, "Duplicate externalId")
                self._external_ids.add(message.external_id)
            conversation.messages.append(message)
            if self.message_reopens and conversation.state == "Closed":
                self.reopen(number)
            return message

    def add_tag(self, number: int, tag_id: str) -> None:
        """Tag a conversation. Raises Refused (404) for an unknown tag."""
        with self.lock:
            conversation = self.conversation(number)
            found = next((tag for tag in self.tags.values() if tag.id == tag_id), None)
            if found is None:
                raise Refused(404, "The requested resource could not be found")
            if found not in conversation.tags:
                conversation.tags.append(found)

    def close(self, number: int) -> None:
        """Close a conversation. Without an agent the event is `ABANDONED`."""
        with self.lock:
            agent = self.conversation(number).agent
            self._move(number, "Closed", "CONVERSATION_CLOSED" if agent else "CONVERSATION_ABANDONED")

    def reopen(self, number: int) -> None:
        """Open a conversation again."""
        self._move(number, "Open", "CONVERSATION_OPEN")

    def erase(self, number: int) -> None:
        """Anonymize a conversation. There is no event for that."""
        with self.lock:
            conversation = self.conversation(number)
            conversation.anonymized_at = now()
            conversation.requester = Person("Anonymized", id=conversation.requester.id)
            conversation.messages.clear()
            conversation.subject = None

    def _move(self, number: int, state: str, event: str) -> None:
        with self.lock:
            conversation = self.conversation(number)
            conversation.state, conversation.state_updated_at = state, now()
            if state == "Closed":
                conversation.closed_at = conversation.state_updated_at
            kind = {"Closed": "ConversationClosed", "Open": "ConversationReopened"}.get(state)
            if kind:
                self.activities.append(Activity(number, kind, conversation.state_updated_at))
            self._notify(event, conversation)

    def _notify(self, event: str, conversation: Conversation) -> None:
        for listener in self.listeners:
            listener(event, conversation)
