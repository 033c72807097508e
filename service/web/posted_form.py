"""The posted form of a survey page: the answer in it, its errors, and their HTTP status."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import parse_qsl

from flask import request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from service.surveys.ratings import RatingType
from service.web import page_texts
from service.web.forms import COMMENT, AnswerForm, FormError, FormErrors, field_names, load_answer_form
from service.web.request_body import read_body, read_start
from service.web.survey_context import SurveyContext

MAX_FORM_BYTES = 256 * 1024
"""2,000 characters can take 24,000 bytes in a urlencoded form. A form ten times as long still gets an error page."""

_SCORES_WITHIN_BYTES = 1024
"""The scores come before the comment, so they are in the first bytes of a form that is too large."""

_MAX_FIELDS = 50
"""Several times as many as our forms have. Parsing more would take time for nothing."""


@dataclass(frozen=True, slots=True)
class PostedForm:
    """A posted form. With `errors`, `form` still has the valid fields."""

    form: AnswerForm
    errors: FormErrors = field(default_factory=dict)
    status: int = HTTPStatus.OK


def read_form(context: SurveyContext) -> PostedForm:
    """Read the form in this request. Raises HTTPException if the body can't be read."""
    try:
        form = load_answer_form(_read_fields(), context.ratings)
    except RequestEntityTooLarge:
        form = AnswerForm(_read_scores_of_large_form(context), "", is_suspect=False)
        return PostedForm(form, {COMMENT: page_texts.COMMENT_TOO_LONG}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    except FormError as error:
        return _with_errors(error, context)
    return PostedForm(form, _missing_addition(form, context), HTTPStatus.UNPROCESSABLE_ENTITY)


def _with_errors(error: FormError, context: SurveyContext) -> PostedForm:
    form = error.typed
    if form.language is not None:
        # This button only changes the language. Nothing is saved, so errors can wait.
        return PostedForm(form)
    if form.removes_comment and context.scores:
        # The comment is removed even if the rest of the form has errors.
        return PostedForm(replace(form, scores={**context.scores, **form.scores}))
    return PostedForm(form, error.errors, HTTPStatus.UNPROCESSABLE_ENTITY)


def _missing_addition(form: AnswerForm, context: SurveyContext) -> FormErrors:
    """Return errors if the form of the thanks page adds nothing to the answer."""
    if not form.is_addition or form.comment or form.scores != context.scores:
        return {}
    if not context.has_comment:
        return {COMMENT: page_texts.NOTHING_TO_ADD}
    names = field_names(context.ratings)
    return {name: page_texts.NOTHING_CHOSEN for rating, name in names.items() if rating not in form.scores}


def _read_fields() -> MultiDict[str, str]:
    raw = read_body(request, MAX_FORM_BYTES)
    if request.mimetype != "application/x-www-form-urlencoded":
        return MultiDict()
    return _parse(raw)


def _parse(raw: bytes) -> MultiDict[str, str]:
    """Parse the fields and replace invalid UTF-8.

    Werkzeug's own parser replaces it byte by byte, which would take long for a body of nothing else.
    """
    try:
        return MultiDict(
            parse_qsl(
                raw.decode(errors="replace"), keep_blank_values=True, errors="replace", max_num_fields=_MAX_FIELDS
            )
        )
    except ValueError:
        raise BadRequest("The form has too many fields.") from None


def _read_scores_of_large_form(context: SurveyContext) -> Mapping[RatingType, int]:
    """Read the scores at the beginning of the body. The last field may be cut in two, so it is dropped."""
    whole_fields, _, _ = read_start(request, _SCORES_WITHIN_BYTES).rpartition(b"&")
    try:
        return load_answer_form(_parse(whole_fields), context.ratings).scores
    except FormError as error:
        return error.typed.scores
