"""E-mail addresses of machines. Nobody reads a survey there, or another machine answers it.

Only the mailbox name and the labels of the domain count. People read shared mailboxes (info, support, abuse,
hostmaster; RFC 2142), so these are no machines. Neither are people with such a word in their name.
"""

import re
import unicodedata
from collections.abc import Collection

_NO_REPLY = (
    "no reply|no replies|not reply|do not reply|dont reply|never reply|cannot reply|cant reply|"
    "no response|no responses|not respond|dont respond|no answer|not answer|dont answer|"
    "not monitored|unmonitored|unattended|"
    "svar ikke|ikke svar|ikke besvar|ingen svar|intet svar|svara inte|svara ej|ej svar|inget svar|inga svar|"
    "ekki svara|ei vastausta|ala vastaa|"
    "nicht antworten|nicht beantworten|keine antwort|keine antworten|antwort nicht|"
    "niet antwoorden|niet beantwoorden|niet reageren|geen antwoord|geen reactie|"
    "ne pas repondre|pas de reponse|sans reponse|non rispondere|nessuna risposta|"
    "no responder|no responda|no respondas|no contestar|no conteste|sin respuesta|no respongueu|"
    "nao responda|nao responder|sem resposta|nu raspunde|nu raspundeti|"
    "nie odpowiadaj|bez odpowiedzi|neodpovidat|neodpovidejte|neodpovedat|neodpovedajte|"
    "ne odgovarjaj|ne odgovaraj|ne valaszoljon"
)
"""Translations of "no reply", without accents, in the languages of such addresses."""

_DELIVERY = "mailer daemon|mail daemon|postmaster|mail delivery subsystem|mail delivery system"
"""Senders of delivery reports (RFC 5321, 4.5.1; RFC 3464)."""

_ROBOTS = "auto reply|auto replies|auto responder|auto response|auto answer|listserv|majordomo"
"""Automatic replies and mailing lists."""

_LETTER = r"[^\W\d_]"


def _word(phrases: str) -> re.Pattern[str]:
    """Match a phrase, however its words are joined. A longer word may be a name; digits are no letters."""
    joined = phrases.replace(" ", r"[\W_]*")
    return re.compile(rf"(?<!{_LETTER})(?:{joined})(?!{_LETTER})")


_NO_REPLY_WORD, _OTHER_WORD = _word(_NO_REPLY), _word(f"{_DELIVERY}|{_ROBOTS}")

_SHAPE = re.compile(
    r"""
    ^(?:noreply|mailer-?daemon)                 # noreplyorders: no name begins like this,
    | do[\W_]*not[\W_]*reply                    # and none contains this
    | ^bounces?$ | ^bounces[\W_] | [\W_]bounces$
    | ^bounce[-_=.].*[\d=]                      # bounce-123, bounce_ida=example.com; but bounce-house is a shop
    | ^owner- | -request$                       # of mailing lists (RFC 2142, 6), as vacation responders have it
    | ^microsoftexchange[0-9a-f]{32}$           # Exchange reports with this address
    """,
    re.VERBOSE,
)


def is_machine(address: str) -> bool:
    """Return whether this is a machine's. A sub-address belongs to its mailbox: `ida+noreply@example.com` is Ida's."""
    # "OrdersNoReply" is three words.
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", address)
    local, domain = _split(spaced)
    name = local.strip('"')
    found = (pattern.search(name) for pattern in (_NO_REPLY_WORD, _OTHER_WORD, _SHAPE))
    return not name or any(found) or any(_NO_REPLY_WORD.fullmatch(label) for label in domain.split("."))


def is_among(address: str, mailboxes: Collection[str]) -> bool:
    """Return whether an address is one of the mailboxes, or a sub-address of one."""
    return _split(address) in {_split(each) for each in mailboxes}


def _split(address: str) -> tuple[str, str]:
    """Return the mailbox and the domain of an address in a normal form.

    Case, accents, apostrophes, a name before `<…>` and a `+` suffix of the mailbox are dropped.
    """
    bare = re.search(r"<([^<>]*)>\s*$", address)
    plain = bare[1] if bare else address
    plain = (plain if plain.isascii() else unicodedata.normalize("NFKD", plain)).casefold()
    if not plain.isascii():
        plain = "".join(each for each in plain if not unicodedata.combining(each) and each != "’")
    plain = plain.replace("'", "").strip()
    local, at, domain = plain.rpartition("@")
    if not at:
        local, domain = plain, ""
    return local.partition("+")[0] or local, domain
