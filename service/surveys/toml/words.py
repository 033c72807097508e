"""A survey's own words for customers, and whom its messages and e-mails are from: parts of surveys.toml.

What isn't written is neutral: the texts of `service/texts/translations`, MAIL_FROM, the assignee.
"""

import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, fields, post_dump, post_load, validate

from service.surveys.language_codes import LANGUAGES, find_language
from service.surveys.mailbox import Mailbox, mailbox
from service.surveys.toml.fields import Strict, Text, written_as
from service.surveys.words import Sender, Words

MOST_BYTES: Final = 8000
"""Of all words of a survey: every record keeps a copy."""

_LONGEST = {"question": 160, "message": 400, "subject": 120}
_NO_TEXT = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


class _Text(fields.Field[str]):
    """One line that customers read."""

    def __init__(self, longest: int) -> None:
        super().__init__()
        self._longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        return _read_line(value, self._longest)


class _Questions(fields.Field[Mapping[str, str]]):
    """One text, for the one rating type of the survey, or a table of them; the key of a lone text is empty."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Mapping[str, str]:
        texts = value if isinstance(value, Mapping) else {"": value}
        return {name: _read_line(text, _LONGEST["question"]) for name, text in texts.items()}

    def _serialize(self, value: Mapping[str, str] | None, attr: str | None, obj: Any, **_: Any) -> dict[str, str]:
        return dict(value or {})


class WordsSchema(Strict):
    """`[survey.words.da]`."""

    error_messages = written_as("[survey.words.da]", 'subject = "…"')

    questions = _Questions(data_key="question")
    message = _Text(_LONGEST["message"])
    subject = _Text(_LONGEST["subject"])

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Words:
        return Words(**data)

    @post_dump
    def _keep_what_is_set(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value}


class ByLanguage(fields.Field[Mapping[str, Words]]):
    """`[survey.words]`: a table of words for each language that has some."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Mapping[str, Words]:
        if not isinstance(value, Mapping):
            raise ValidationError("Not a table. Write a table for each language, such as [survey.words.da].")
        found, mistakes = {}, {}
        for code, words in value.items():
            try:
                found[code] = self._load(code, words)
            except ValidationError as error:
                mistakes[code] = error.messages
        if mistakes:
            raise ValidationError(mistakes)
        if (size := len(json.dumps(self._serialize(found, None, None), ensure_ascii=False).encode())) > MOST_BYTES:
            raise ValidationError(
                f"Too long: {size:,} bytes, and every record keeps a copy. Write at most {MOST_BYTES:,} in "
                f"all languages together, or make two surveys of it."
            )
        return found

    @staticmethod
    def _load(code: str, words: Any) -> Words:
        if code not in LANGUAGES:
            meant = find_language(code)
            way_out = f"Write [survey.words.{meant}]" if meant else f"Write one of: {', '.join(LANGUAGES)}"
            raise ValidationError(f"Not the code of a language of ours. {way_out}.")
        loaded: Words = WordsSchema().load(words)
        return loaded

    def _serialize(self, value: Mapping[str, Words] | None, attr: str | None, obj: Any, **_: Any) -> dict[str, Any]:
        return {code: WordsSchema().dump(words) for code, words in (value or {}).items()}


class _Mailbox(fields.Field[Mailbox]):
    """Somebody, written as in MAIL_FROM."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Mailbox:
        found = mailbox(value.strip()) if isinstance(value, str) and value.strip() else None
        if found is None:
            raise ValidationError("Not an address. Write survey@example.com or Northwind <survey@example.com>.")
        return found

    def _serialize(self, value: Mailbox | None, attr: str | None, obj: Any, **_: Any) -> str | None:
        if value is None:
            return None
        return f"{value.name} <{value.address}>" if value.name else value.address


class SenderSchema(Strict):
    """`[survey.sender]`, or the `[survey.sender.da]` of a language."""

    error_messages = {"type": "Not a table. Write it as [survey.sender] or, for a language, [survey.sender.da]."}

    email = _Mailbox()
    reply_to = _Mailbox()
    agent = Text(
        validate=validate.Regexp(r"[A-Za-z0-9-]{1,64}\Z", error="Not an agent's id. Write it as Dixa's API shows it.")
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Sender:
        return Sender(**data)

    @post_dump
    def _keep_what_is_set(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value}


class Senders(fields.Field[Mapping[str, Sender]]):
    """`[survey.sender]`, whose key is "" here, and in it a table for each language that has a sender of its own."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Mapping[str, Sender]:
        given = value if isinstance(value, Mapping) else {}
        own = {code: given[code] for code in LANGUAGES if code in given}
        usual = {name: each for name, each in given.items() if name not in own} if own else value
        found: dict[str, Sender] = {}
        mistakes: dict[str, Any] = {}
        for code, sender in {"": usual, **own}.items():
            try:
                found[code] = SenderSchema().load(sender)
            except ValidationError as error:
                mistakes |= {code: error.messages} if code else error.messages_dict
        if mistakes:
            raise ValidationError(mistakes)
        return {code: sender for code, sender in found.items() if sender != Sender()}

    def _serialize(self, value: Mapping[str, Sender] | None, attr: str | None, obj: Any, **_: Any) -> dict[str, Any]:
        dumped: dict[str, dict[str, Any]] = {code: SenderSchema().dump(each) for code, each in (value or {}).items()}
        return {**dumped.pop("", {}), **dumped}


def _read_line(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValidationError("Not a text. Write some words, or leave the key out.")
    text = value.strip()
    if len(text) > longest:
        raise ValidationError(f"Too long. Write at most {longest} characters.")
    if any(unicodedata.category(character) in _NO_TEXT for character in text):
        raise ValidationError("Has a line break or another character that can't be shown. Write one line.")
    return text
