"""`[survey.words]` and `[survey.sender]` of surveys.toml: texts for customers, and the senders of e-mails and messages.

The defaults are the translated texts of `service/texts`, MAIL_FROM, MAIL_REPLY_TO and the assignee.
"""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from service.surveys.language_codes import LANGUAGES, find_language
from service.surveys.mailbox import Mailbox, mailbox
from service.surveys.toml.fields import Strict, Text, written_as
from service.surveys.words import Sender, Words

MAX_BYTES: Final = 8000
"""The limit for all words of one survey. Every record keeps a copy."""

_MAX_LENGTH = {"question": 160, "message": 400, "subject": 120}
_INVISIBLE = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def _line(max_length: int) -> fields.Function:
    """Return a field for one line of text for customers."""
    return fields.Function(deserialize=lambda value: _read_line(value, max_length))


def _read_questions(value: Any) -> Mapping[str, str]:
    """Read one text, or a table of texts by rating type. A single text has the key ""."""
    texts = value if isinstance(value, Mapping) else {"": value}
    return {name: _read_line(text, _MAX_LENGTH["question"]) for name, text in texts.items()}


class WordsSchema(Strict):
    """`[survey.words.da]`."""

    made = Words
    error_messages = written_as("[survey.words.da]", 'subject = "…"')

    questions = fields.Function(deserialize=_read_questions, data_key="question")
    message = _line(_MAX_LENGTH["message"])
    subject = _line(_MAX_LENGTH["subject"])


def read_words(value: Any) -> Mapping[str, Words]:
    """Read `[survey.words]`: one table per language."""
    if not isinstance(value, Mapping):
        raise ValidationError("Not a table. Write a table for each language, such as [survey.words.da].")
    found, mistakes = {}, {}
    for code, words in value.items():
        try:
            found[code] = _read_words_in(code, words)
        except ValidationError as error:
            mistakes[code] = error.messages
    if mistakes:
        raise ValidationError(mistakes)
    if (size := len(json.dumps(value, ensure_ascii=False).encode())) > MAX_BYTES:
        raise ValidationError(
            f"Too long: {size:,} bytes, and every record keeps a copy. Write at most {MAX_BYTES:,} in "
            f"all languages together, or make two surveys of it."
        )
    return found


def _read_words_in(code: str, words: Any) -> Words:
    if code not in LANGUAGES:
        guess = find_language(code)
        fix = f"Write [survey.words.{guess}]" if guess else f"Write one of: {', '.join(LANGUAGES)}"
        raise ValidationError(f"Not the code of a language of ours. {fix}.")
    loaded: Words = _WORDS.load(words)
    return loaded


def _read_mailbox(value: Any) -> Mailbox:
    """Read a mailbox, written as in MAIL_FROM."""
    try:
        return mailbox(value.strip() if isinstance(value, str) else "")
    except ValueError as error:
        problem = "Not an address. Write survey@example.com or Northwind <survey@example.com>."
        raise ValidationError(problem) from error


class SenderSchema(Strict):
    """`[survey.sender]` or, for one language, `[survey.sender.da]`."""

    made = Sender
    error_messages = {"type": "Not a table. Write it as [survey.sender] or, for a language, [survey.sender.da]."}

    email = fields.Function(deserialize=_read_mailbox)
    reply_to = fields.Function(deserialize=_read_mailbox)
    agent = Text(
        validate=validate.Regexp(r"[A-Za-z0-9-]{1,64}\Z", error="Not an agent's id. Write it as Dixa's API shows it.")
    )


def read_senders(value: Any) -> Mapping[str, Sender]:
    """Read `[survey.sender]` as the sender of the key "", and its nested tables under their language codes."""
    given = value if isinstance(value, Mapping) else {}
    own = {code: given[code] for code in LANGUAGES if code in given}
    default = {name: each for name, each in given.items() if name not in own} if own else value
    found: dict[str, Sender] = {}
    mistakes: dict[str, Any] = {}
    for code, sender in {"": default, **own}.items():
        try:
            found[code] = _SENDER.load(sender)
        except ValidationError as error:
            mistakes |= {code: error.messages} if code else error.messages_dict
    if mistakes:
        raise ValidationError(mistakes)
    return {code: sender for code, sender in found.items() if sender != Sender()}


_WORDS: Final = WordsSchema()
_SENDER: Final = SenderSchema()


def _read_line(value: Any, max_length: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValidationError("Not a text. Write some words, or leave the key out.")
    text = value.strip()
    if len(text) > max_length:
        raise ValidationError(f"Too long. Write at most {max_length} characters.")
    if any(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValidationError("Has a line break or another character that can't be shown. Write one line.")
    return text
