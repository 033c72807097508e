"""The sandbox without a server: its state, faults, webhooks and mails. For tests and for the sandbox's own pages."""

from typing import Any

from service.sandbox.dixa.api import Api
from service.sandbox.dixa.faults import FaultShortcuts
from service.sandbox.dixa.limits import RateLimit
from service.sandbox.dixa.model import Conversation, Delivery, Exchange, Message, Note, Rating, Result
from service.sandbox.dixa.samples import add_samples
from service.sandbox.dixa.state import Report, State
from service.sandbox.dixa.subscriptions import Subscription
from service.sandbox.dixa.webhooks import Webhooks
from service.sandbox.mail_server import MailStore, ReceivedMail
from service.sandbox.settings import SandboxSettings


class FakeDixa(FaultShortcuts):
    """A fake Dixa. Methods of `FaultShortcuts` inject faults: `dixa.fails(times=2)`."""

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or SandboxSettings()
        self.state = State()
        self.webhooks = Webhooks(self.state, self.settings)
        self.sends_webhooks_to(self.settings.target)
        self.mail_store = MailStore()
        limit = RateLimit(self.settings.rate, self.settings.burst)
        self.api = Api(self.state, self.faults, limit, self.settings.tokens)
        self.on_exchange = self.api.listeners
        """Callbacks for each exchange, in the server's thread."""
        self.conversation, self.close = self.state.conversation, self.state.close
        self.reopen, self.erase = self.state.reopen, self.state.erase
        self.reset()

    def reset(self) -> None:
        """Delete everything, including late calls. Add the samples again if configured."""
        self.faults.stop()
        self.faults.resume()
        self.faults.clear()
        self.state.clear()
        self.mail_store.clear()
        if self.settings.has_samples:
            add_samples(self.state)

    @property
    def token(self) -> str:
        """A valid token."""
        return self.settings.tokens[0]

    @property
    def secret(self) -> str:
        """The webhook subscription's secret, in hex."""
        return self.settings.secret

    def sends_webhooks_to(self, target: str | None) -> None:
        """Subscribe a URL with the sandbox's secret. None ends the subscription."""
        own, settings = self.state.subscriptions, self.settings
        if target is None:
            own.pop(settings.subscription_id, None)
        else:
            own[settings.subscription_id] = Subscription(target, id=settings.subscription_id, secret=settings.secret)

    def loses_webhooks(self, times: int = 1, *, is_logged: bool = True) -> None:
        """Lose the next webhooks. Dixa's delivery log shows them as failed, or not at all."""
        self.state.lose_webhooks(times, is_logged=is_logged)

    def make_conversation(self, **facts: Any) -> int:
        """Add a conversation and return its id. `facts` are those of `State.make_conversation`."""
        return self.state.make_conversation(**facts).id

    def make_rating(self, conversation_id: int, kind: str = "Csat", *, status: str = "Offered") -> str:
        """Add a rating of Dixa's own, built-in survey and return its id."""
        return self.state.make_rating(conversation_id, kind, status=status).id

    def offers(self, conversation_id: int | None = None) -> list[Rating]:
        """Return the offers made through the API, of one conversation or of all."""
        return [offer for each in self._conversations(conversation_id) for offer in each.offers]

    def results(self, conversation_id: int | None = None) -> list[Result]:
        """Return the results submitted through the API, of one conversation or of all."""
        return [result for each in self._conversations(conversation_id) for result in each.results]

    def messages(self, conversation_id: int | None = None) -> list[Message]:
        """Return the messages, including those of samples, of one conversation or of all."""
        return [message for each in self._conversations(conversation_id) for message in each.messages]

    def notes(self, conversation_id: int | None = None) -> list[Note]:
        """Return the internal notes, of one conversation or of all."""
        return [note for each in self._conversations(conversation_id) for note in each.notes]

    def deliveries(self, conversation_id: int | None = None) -> list[Delivery]:
        """Return the webhooks, of one conversation or of all."""
        with self.state.lock:
            return [each for each in self.state.deliveries if conversation_id in {None, each.conversation_id}]

    @property
    def mails(self) -> list[ReceivedMail]:
        """The received e-mails, oldest first."""
        return self.mail_store.mails

    @property
    def report(self) -> Report:
        """Duplicates, refusals and throttled calls."""
        return self.state.report

    @property
    def calls(self) -> list[Exchange]:
        """The API's exchanges, oldest first."""
        with self.state.lock:
            return list(self.state.exchanges)

    def _conversations(self, conversation_id: int | None) -> list[Conversation]:
        with self.state.lock:
            if conversation_id is not None:
                return [self.state.conversation(conversation_id)]
            return list(self.state.conversations.values())
