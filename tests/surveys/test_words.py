"""`[survey.words]` and `[survey.sender]`: their keys, errors, and their copy in a record."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.records.terms_codec import dump_terms, load_terms, store_terms
from service.surveys.definition import Survey
from service.surveys.language_codes import LANGUAGES
from service.surveys.mailbox import Mailbox
from service.surveys.ratings import RatingType
from service.surveys.toml.loader import load_surveys
from service.surveys.toml.words import MAX_BYTES
from service.surveys.words import NEUTRAL, Sender, Words
from tests.surveys.test_toml_errors import mistakes

CSAT, NPS, THUMBS = RatingType
ALL = """
[[survey]]
rating = ["Csat", "Nps"]
[survey.words.da]
question = { Csat = " Var du tilfreds? ", Nps = "Vil du anbefale os?" }
message = "Fortæl os, hvordan det gik:"
subject = "Hvordan gik det?"
[survey.words.el]
subject = "Πώς πήγε;"
[survey.sender]
email = "Northwind Returns <returns@northwind.example>"
reply_to = "desk@northwind.example"
agent = "7b2d1c3e-5f4a-4d0b-9c8e-1a2b3c4d5e6f"
[survey.sender.da]
reply_to = "retur@northwind.example"
"""


def test_every_key_of_words_and_sender_is_read() -> None:
    (survey,) = load_surveys(ALL)
    assert survey.words == {
        "da": Words(
            {CSAT: "Var du tilfreds?", NPS: "Vil du anbefale os?"}, "Fortæl os, hvordan det gik:", "Hvordan gik det?"
        ),
        "el": Words(subject="Πώς πήγε;"),
    }
    usual = Sender(
        Mailbox("returns@northwind.example", "Northwind Returns"),
        Mailbox("desk@northwind.example"),
        "7b2d1c3e-5f4a-4d0b-9c8e-1a2b3c4d5e6f",
    )
    assert survey.sender_in("el") == usual
    assert survey.sender_in("da") == replace(usual, reply_to=Mailbox("retur@northwind.example"))
    assert survey.words_in("da").subject == "Hvordan gik det?"
    assert survey.words_in("fr") == NEUTRAL


def test_a_single_question_needs_no_table() -> None:
    (survey,) = load_surveys('[[survey]]\nrating = "Nps"\n[survey.words.da]\nquestion = "Vil du anbefale os?"')
    assert survey.words_in("da").questions == {NPS: "Vil du anbefale os?"}
    (usual,) = load_surveys('[[survey]]\n[survey.words.da]\nquestion = "Var du tilfreds?"')
    assert usual.words_in("da").questions == {CSAT: "Var du tilfreds?"}


@pytest.mark.parametrize(
    ("text", "key", "fix"),
    [
        ('[survey.words.xx]\nsubject = "a"', "words.xx", "Write one of: cs, da"),
        ('[survey.words.pt-BR]\nsubject = "a"', "words.pt-BR", "Write [survey.words.pt]."),
        ('[survey.words.Danish]\nsubject = "a"', "words.Danish", "Write [survey.words.da]."),
        ('[survey.words.da]\nheading = "a"', "words.da.heading", "No such key"),
        ('[survey.words.da]\nsubject = ""', "words.da.subject", "leave the key out"),
        ("[survey.words.da]\nsubject = 5", "words.da.subject", "Not a text"),
        (f'[survey.words.da]\nsubject = "{"s" * 121}"', "words.da.subject", "at most 120"),
        (f'[survey.words.da]\nquestion = "{"s" * 161}"', "words.da.question", "at most 160"),
        (f'[survey.words.da]\nmessage = "{"s" * 401}"', "words.da.message", "at most 400"),
        ('[survey.words.da]\nsubject = "a\\r\\nBcc: eve@evil.example"', "words.da.subject", "Write one line"),
        ('[survey.words.da]\nmessage = "a\\u0000"', "words.da.message", "Write one line"),
        ('[survey.words.da]\nmessage = "a\\u2028b"', "words.da.message", "Write one line"),
        ('[survey.words.da]\nquestion = { Nps = "a" }', "words.da.question.Nps", "It asks: Csat"),
        ('[survey.words.da]\nquestion = { Csat = "" }', "words.da.question", "Not a text"),
        ('rating = ["Csat", "Nps"]\n[survey.words.da]\nquestion = "a"', "words.da.question", 'Csat = "…", Nps = "…"'),
        ('words = "da"', "words", "[survey.words.da]"),
        ('[survey.words]\nda = "Hej"', "words.da", "[survey.words.da]"),
        ('[survey.sender]\nemail = "nobody"', "sender.email", "Northwind <survey@example.com>"),
        ('[survey.sender]\nemail = ""', "sender.email", "Northwind <survey@example.com>"),
        ('[survey.sender]\nreply_to = "a\\nb <a@b.example>"', "sender.reply_to", "Not an address"),
        ('[survey.sender]\nagent = "Marta Jensen"', "sender.agent", "Not an agent's id"),
        ('[survey.sender]\nname = "a"', "sender.name", "No such key"),
        ('sender = "a"', "sender", "[survey.sender]"),
        ('[survey.sender.xx]\nagent = "a"', "sender.xx", "No such key"),
        ('[survey.sender]\nda = "a"', "sender.da", "[survey.sender.da]"),
        ('[survey.sender.da]\nemail = "nobody"', "sender.da.email", "Northwind <survey@example.com>"),
        ('[survey.sender.da]\n[survey.sender.da.de]\nagent = "a"', "sender.da.de", "No such key"),
    ],
)
def test_an_error_names_key_and_fix(text: str, key: str, fix: str) -> None:
    (line,) = mistakes(f"[[survey]]\n{text}")
    assert line.startswith(f"survey 1: {key}: "), line
    assert fix in line


def test_all_mistakes_of_a_sender_are_reported_together() -> None:
    text = '[survey.sender]\nname = "a"\nagent = ""\n[survey.sender.da]\nemail = "b"\n[survey.sender.el]\nname = "c"'
    found = [": ".join(line.split(": ")[:2]) for line in mistakes(f"[[survey]]\n{text}")]
    assert sorted(found) == [f"survey 1: sender.{key}" for key in ("agent", "da.email", "el.name", "name")]


def test_the_size_of_all_words_is_limited() -> None:
    tables = [f'[survey.words.{code}]\nmessage = "{"é" * 400}"' for code in LANGUAGES]
    (line,) = mistakes("\n".join(["[[survey]]", *tables]))
    assert line.startswith("survey 1: words: Too long: ")
    (survey,) = load_surveys("\n".join(["[[survey]]", *tables[:9]]))
    assert len(json.dumps(dump_terms(survey)["words"], ensure_ascii=False).encode()) < MAX_BYTES + 1000


def test_a_record_contains_only_set_values() -> None:
    assert not {"words", "senders"} & set(dump_terms(Survey()))
    (survey,) = load_surveys('[[survey]]\n[survey.words.el]\nsubject = "Πώς πήγε;"')
    assert dump_terms(survey)["words"] == {"el": {"message": "", "subject": "Πώς πήγε;"}}
    assert "Πώς" in store_terms(survey).text, "as it is, not escaped: that would take three times the room"


printable = st.text(st.characters(categories=["L", "N", "P", "S", "Zs", "Cf"]), min_size=1, max_size=60)
texts = printable.map(str.strip).filter(bool)
words = st.builds(
    Words,
    questions=st.dictionaries(st.sampled_from(RatingType), texts, max_size=3),
    message=texts | st.just(""),
    subject=texts | st.just(""),
)
mailboxes = st.sampled_from(
    [None, Mailbox("a@b.example"), Mailbox("a@b.example", "Nörth & Wind"), Mailbox("a@b.c", "É")]
)
senders = st.builds(Sender, mailboxes, mailboxes, st.sampled_from([None, "7b2d-1"])).filter(Sender().__ne__)


@given(
    st.dictionaries(st.sampled_from([*LANGUAGES]), words, max_size=4),
    st.dictionaries(st.sampled_from(["", *LANGUAGES]), senders, max_size=4),
)
def test_words_survive_the_terms_codec(own: dict[str, Words], by_language: dict[str, Sender]) -> None:
    survey = Survey(ratings=tuple(RatingType), expires=timedelta(days=3), words=own, senders=by_language)
    assert load_terms(dump_terms(survey)) == survey


def test_unknown_keys_of_a_record_are_ignored() -> None:
    terms = dump_terms(load_surveys(ALL)[0])
    terms["words"]["da"]["farewell"] = "a"
    terms["senders"][""]["fax"] = "a"
    assert load_terms(terms) == load_surveys(ALL)[0]
