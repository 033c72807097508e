"""The sandbox's inbox, for closing conversations and seeing their surveys. Plain forms without JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.sandbox.dixa.faults import Fault, Kind
from service.sandbox.dixa.model import MESSAGE_CHANNELS, Conversation, Rating, iso, now
from service.sandbox.fake_dixa import FakeDixa
from service.sandbox.ui.message_text import readable, snippet

_FOR_AN_OFFER, _FOR_AN_ANSWER = timedelta(minutes=2), timedelta(minutes=15)
_CHANNEL_NAMES = {
    "WidgetChat": "Chat",
    "ContactForm": "Contact form",
    "Sms": "SMS",
    "PstnPhone": "Phone",
    "FacebookMessenger": "Facebook Messenger",
}
_CSAT = ("Very dissatisfied", "Dissatisfied", "Neutral", "Satisfied", "Very satisfied")
_PASSIVE, _PROMOTER = 7, 9

FAULT_BUTTONS: Mapping[str, Fault] = {
    "fail": Fault(Kind.FAILS),
    "lose": Fault(Kind.EXECUTES_THEN_DROPS),
    "lose-offer": Fault(Kind.EXECUTES_THEN_DROPS, call="offer"),
    "lose-submit": Fault(Kind.EXECUTES_THEN_DROPS, call="submit"),
    "drop": Fault(Kind.DROPS_BEFORE),
    "hang": Fault(Kind.HANGS, seconds=20),
    "late": Fault(Kind.EXECUTES_LATE, seconds=5),
    "throttle": Fault(Kind.THROTTLES, retry_after=2),
}
"""The buttons of the panel. Each injects one fault."""

_IN_WORDS: Mapping[Kind, str] = {
    Kind.FAILS: "Dixa reports an error",
    Kind.DROPS_BEFORE: "The connection breaks before Dixa does anything",
    Kind.EXECUTES_THEN_DROPS: "Dixa does its work, but its reply is lost",
    Kind.EXECUTES_THEN_FAILS: "Dixa does its work, but reports an error",
    Kind.HANGS: "Dixa takes very long to reply",
    Kind.SLOW: "Dixa takes long to reply",
    Kind.EXECUTES_LATE: "The connection breaks, and Dixa does its work later",
    Kind.THROTTLES: "Dixa says that it is too busy",
}
_CALLS_IN_WORDS = {
    "offer": "when a survey is begun",
    "submit": "when an answer is stored",
    "message": "when a link is sent",
}


@dataclass(frozen=True, slots=True)
class ScoreLabel:
    """A rating in words: `CSAT 4 of 5`, `Satisfied`, and good, fair or poor."""

    score: str
    meaning: str
    tone: str


def score_label(rating: Rating) -> ScoreLabel | None:
    """Return a rating's result in words, or None."""
    if rating.result is None:
        return None
    value = rating.result.value
    if rating.type == "Csat":
        tone = "good" if value >= 4 else "fair" if value == 3 else "poor"  # noqa: PLR2004
        return ScoreLabel(f"CSAT {value} of 5", _CSAT[value - 1], tone)
    if rating.type == "Nps":
        meaning = "Promoter" if value >= _PROMOTER else "Passive" if value >= _PASSIVE else "Detractor"
        return ScoreLabel(f"NPS {value} of 10", meaning, {"Promoter": "good", "Passive": "fair"}.get(meaning, "poor"))
    return ScoreLabel("Thumbs up" if value else "Thumbs down", "Good" if value else "Bad", "good" if value else "poor")


def inbox_blueprint(dixa: FakeDixa) -> Blueprint:
    """Make the routes of the inbox."""
    blueprint = Blueprint("inbox", __name__, template_folder="templates")
    _route_pages(blueprint, dixa)
    _route_buttons(blueprint, dixa)
    for template_filter in (ago, channel_name, clock, in_words, iso, readable, snippet, score_label):
        blueprint.add_app_template_filter(template_filter)
    blueprint.app_context_processor(lambda: {"dixa": dixa, "fault_buttons": FAULT_BUTTONS})
    return blueprint


def _route_pages(blueprint: Blueprint, dixa: FakeDixa) -> None:
    @blueprint.get("/")
    def inbox() -> ResponseReturnValue:
        with dixa.state.lock:
            everyone = sorted(dixa.state.conversations.values(), key=_last_at, reverse=True)
            shown = everyone[:100]
            return render_template(
                "inbox.html",
                conversations=shown,
                count=len(everyone),
                is_waiting=any(_is_waiting(dixa, each) for each in shown),
            )

    @blueprint.get("/conversations/<int:number>")
    def conversation(number: int) -> ResponseReturnValue:
        with dixa.state.lock:
            found = dixa.state.conversations.get(number) or abort(404)
            return render_template(
                "conversation.html",
                conversation=found,
                deliveries=[each for each in dixa.state.deliveries if each.conversation_id == number],
                names={agent.id: agent.name for agent in dixa.state.agents},
                takes_messages=found.channel in MESSAGE_CHANNELS,
                is_waiting=_is_waiting(dixa, found),
                mails=dixa.mail_store.to(found.requester.email),
            )

    @blueprint.get("/preview")
    def preview() -> ResponseReturnValue:
        return redirect(dixa.settings.preview or abort(404))


def _route_buttons(blueprint: Blueprint, dixa: FakeDixa) -> None:
    switches = {"outage": dixa.outage, "outage-is-over": dixa.outage_is_over, "none": dixa.faults.clear}

    @blueprint.post("/conversations/<int:number>/<any(close, reopen):move>")
    def change(number: int, move: str) -> ResponseReturnValue:
        if number not in dixa.state.conversations:
            abort(404)
        (dixa.close if move == "close" else dixa.reopen)(number)
        return redirect(url_for("inbox.conversation", number=number), 303)

    @blueprint.post("/trouble/<name>")
    def trouble(name: str) -> ResponseReturnValue:
        if name in switches:
            switches[name]()
        else:
            dixa.faults.inject(FAULT_BUTTONS.get(name) or abort(404))
        return redirect(_back(), 303)

    @blueprint.post("/reset")
    def reset() -> ResponseReturnValue:
        dixa.reset()
        return redirect(url_for("inbox.inbox"), 303)


def _back() -> str:
    """Return the page with the button, if it is one of ours."""
    path = request.form.get("back", "/")
    return path if path.startswith("/conversations/") else url_for("inbox.inbox")


def _last_at(conversation: Conversation) -> datetime:
    return conversation.messages[-1].created_at if conversation.messages else conversation.created_at


def _is_waiting(dixa: FakeDixa, conversation: Conversation) -> bool:
    """Return whether something may still happen soon, so the page should reload."""
    if any(not each.is_done for each in dixa.deliveries(conversation.id)):
        return True
    if conversation.state != "Closed" or not dixa.state.subscriptions:
        return False
    if conversation.results or conversation.agent is None:
        return False
    max_wait = _FOR_AN_ANSWER if conversation.offers else _FOR_AN_OFFER
    return now() - conversation.state_updated_at < max_wait


def in_words(fault: Fault) -> str:
    """Describe a fault for the head of a support team."""
    when = _CALLS_IN_WORDS.get(fault.call or "", f"at the next “{fault.call}”") if fault.call else ""
    times = f"{fault.times} times" if fault.times > 1 else ""
    return ", ".join(filter(None, (_IN_WORDS[fault.kind], when, times)))


def channel_name(channel: str) -> str:
    """Return a channel's everyday name."""
    return _CHANNEL_NAMES.get(channel, channel)


def clock(moment: datetime) -> str:
    """Format the time of day, in UTC."""
    return f"{moment:%H:%M}"


def ago(moment: datetime) -> str:
    """Format how long ago a time was, in few letters."""
    seconds = (now() - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"
