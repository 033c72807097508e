"""The view "Story": why a conversation was asked or not, and what became of it, as `afterword why` tells it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Response, request

from service.dixa.outage import describe_outage, read_down_since
from service.records.history import Histories, OptOuts
from service.rules.identity import Identities
from service.rules.timeline import Line, LineKind, tell
from service.surveys.conversation_names import read_conversation_id
from service.surveys.model import Record
from service.web.operator.blueprint import bp
from service.web.operator.rendering import render_view
from service.web.services import services


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the timeline with its details. `is_next`: it has not happened yet."""

    line: Line
    details: Sequence[str]

    @property
    def is_next(self) -> bool:
        """Whether it comes next."""
        return self.line.kind is LineKind.NEXT


@dataclass(frozen=True, slots=True)
class Round:
    """A survey of the conversation."""

    number: int
    survey: str
    survey_id: str
    moments: Sequence[Moment]


@bp.get("/story")
def story() -> Response:
    """Show the search, and the timeline of the conversation that is looked for."""
    query = request.args.get("q", "").strip()
    if not query:
        return render_view("story.html", "story", query="")
    conversation_id = read_conversation_id(query)
    if conversation_id is None:
        problem = "This is not a conversation. Write its number, such as 48201, or the address of its page in Dixa."
        return render_view("story.html", "story", query=query, problem=problem, status=400)
    rounds = _load(conversation_id)
    if not rounds:
        problem = (
            f"There is no record of conversation {conversation_id}: no close was accepted for it, or its record has "
            f"expired (RECORD_RETENTION). To ask about it: `afterword ask {conversation_id}`"
        )
        return render_view("story.html", "story", query=query, problem=problem, status=404)
    return render_view(
        "story.html",
        "story",
        query=query,
        title=f"Conversation {conversation_id}",
        conversation_id=conversation_id,
        rounds=rounds,
        dixa_url=services().settings.dixa_app_url,
    )


def _load(conversation_id: int) -> Sequence[Round]:
    """Return all rounds, latest first."""
    core = services()
    histories = Histories.beside(core.records)
    traits_of = Identities(core.settings.secret_keys).kinds_of
    history = histories.load_history(conversation_id, traits_of, [core.outage.down_key])
    trouble = describe_outage(read_down_since(history.values[0]))
    paused = "Surveys are paused: none is sent." if history.paused_since else ""
    count = len(history.rounds)
    return [
        _tell_round(count - place, record, paused, trouble, opt_outs)
        for place, (record, opt_outs) in enumerate(history.rounds)
    ]


def _tell_round(number: int, record: Record, paused: str, trouble: str, opt_outs: OptOuts) -> Round:
    zone = services().settings.time_zone
    moments = _group(tell(record, paused, trouble, opt_outs, zone))
    return Round(number, record.terms.name if record.terms else "", record.survey_id, moments)


def _group(lines: Iterable[Line]) -> Sequence[Moment]:
    """Put each detail under the line that it belongs to."""
    found: list[tuple[Line, list[str]]] = []
    for line in lines:
        if line.kind is LineKind.DETAIL and found:
            found[-1][1].append(line.text)
        else:
            found.append((line, []))
    return [Moment(line, details) for line, details in found]
