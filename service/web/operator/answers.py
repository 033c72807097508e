"""The view "Answers": each answer, newest first, with its comment if the archive keeps comments."""

from typing import Final

from flask import Response, request

from service.reports.answers import Cursor, Kind, Mood, read_answers
from service.web.operator.blueprint import bp
from service.web.operator.filters import FilterError
from service.web.operator.rendering import read_filters
from service.web.operator.reports import choose, read, render_report
from service.web.services import services

_WHO: Final = {"people": False, "machines": True}


@bp.get("/answers")
def answers() -> Response:
    """Show a page of answers."""
    filters = read_filters()
    mood = choose(request.args.get("mood"), [*Mood])
    comment = choose(request.args.get("comment"), ("yes",))
    who = choose(request.args.get("by"), [*_WHO])
    kind = Kind(Mood(mood) if mood else None, has_comment=bool(comment), is_suspect=_WHO.get(who))
    after = _load_cursor(request.args.get("after", ""))
    report = read(filters, lambda connection, chosen: read_answers(connection, chosen, kind, after))
    settings = services().settings
    return render_report(
        "answers.html",
        "answers",
        report,
        filters,
        {"mood": mood, "comment": comment, "by": who},
        mood=mood,
        comment=comment,
        who=who,
        after=after,
        dixa_url=settings.dixa_app_url,
        keeps_comments=settings.archive_comments,
    )


def _load_cursor(text: str) -> Cursor | None:
    if not text:
        return None
    try:
        return Cursor.load(text)
    except ValueError:
        raise FilterError({"after": "is no place in this list. Begin with the newest answers."}) from None
