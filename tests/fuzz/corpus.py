"""Hostile values, and mutations of valid input. All randomness comes from the given `Random`."""

import copy
import json
from collections.abc import Sequence
from random import Random
from typing import Any
from urllib.parse import quote_plus

MARK = "kumquat"
"""Every comment and name contains this word, and no log may."""

TEXTS = [
    "",
    " ",
    "\0",
    "\x00\x01\x1b[2J",
    "\ud800",
    "\udfff\ud800",
    "\u202e\u2066evil\u2069",
    "\u200b\ufeff",
    "é" * 300,
    "🙂" * 500,
    "a\r\nSet-Cookie: a=b",
    "%0d%0aSet-Cookie:%20a=b",
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}${7*7}",
    "'; DROP TABLE surveys; --",
    "../../etc/passwd",
    "٤٨٢١٣",
    "½",
    "1e9",
    "-1",
    "0x1",
    "NaN",
    "x" * 5000,
    "\u0130\u0131ß",
    "\x85\u2028\u2029",
    MARK,
]
ODD: list[Any] = [None, True, False, 0, -1, 1.5, 10**30, 10**400, 2**63, 2**63 - 1, 1e308, [], [None], {}, [[[[]]]]]
ODD += [{"id": []}, {"": {}}, {"name": None}, ["spam", 1, {"name": "spam"}], *TEXTS]
BYTES = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf5\x80\x80\x80",
    b"%",
    b"%zz",
    b"%u0041",
    b"\r\n\r\n",
    b"&",
    b"=",
]
BYTES += [b"+", b";", b"[", b'"', b"\\u", b"\xef\xbb\xbf", b"\x1f\x8b\x08"]


def spoil_bytes(raw: bytes, chance: Random) -> bytes:
    """Cut, repeat, replace or insert bytes up to four times."""
    for _ in range(chance.randint(1, 4)):
        at, to = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
        way = chance.randrange(6)
        if way == 0:
            raw = raw[:at] + raw[to:]
        elif way == 1:
            raw = raw[:to] + raw[at:]
        elif way == 2:
            raw = raw[:at] + chance.choice(BYTES) + raw[at:]
        elif way == 3:
            raw = raw[:at] + chance.randbytes(chance.randint(1, 8)) + raw[at:]
        elif way == 4:
            raw = raw[:at]
        elif raw:
            at = chance.randrange(len(raw))
            raw = raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :]
    return raw


def spoil_json(document: Any, chance: Random) -> Any:
    """Replace, drop or add up to three parts at any depth."""
    document = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        place = document
        while isinstance(place, dict) and place:
            name = chance.choice(list(place))
            if isinstance(place[name], dict) and place[name] and chance.random() < 0.7:
                place = place[name]
                continue
            if chance.random() < 0.2:
                del place[name]
            else:
                place[chance.choice([name, name, name, *TEXTS])] = chance.choice(ODD)
            break
    return document


def dump(document: Any, chance: Random) -> bytes:
    """Return the document as JSON in a random encoding, sometimes with a repeated key."""
    text = json.dumps(document, ensure_ascii=chance.random() < 0.7)
    if chance.random() < 0.05:
        text = text[:-1] + ', "event_fqn": "X"}'
    if chance.random() < 0.02:
        return text.encode("utf-16", "surrogatepass")
    return text.encode("utf-8", "surrogatepass")


def header(chance: Random, good: str) -> str:
    """Return a header's value that WSGI can carry."""
    if chance.random() < 0.4:
        text = spoil_bytes(good.encode(), chance).decode("latin-1")
    else:
        text = chance.choice([*TEXTS, good * 3, good + ",", f"{good},{good}", good.upper(), f" {good} "])
        text = text.encode("utf-8", "surrogatepass").decode("latin-1")
    return text.replace("\r", "").replace("\n", "")


def form(chance: Random, names: Sequence[str]) -> bytes:
    """Return a urlencoded form with repeated, unknown or odd fields, sometimes malformed."""
    values = [*TEXTS, "0", "1", "4", "5", "11", " 4", "4 ", "+4", "04", "４", f"{MARK} " * 100]
    if chance.random() < 0.01:
        values = [MARK * 150_000]
    pairs = [(chance.choice([*names, *TEXTS]), chance.choice(values)) for _ in range(chance.randint(0, 14))]
    if chance.random() < 0.6:
        pairs.append(("rating", chance.choice(["4", "5", "0"])))
    raw = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs).encode()
    return spoil_bytes(raw, chance) if chance.random() < 0.3 else raw


def multipart(chance: Random, names: Sequence[str]) -> tuple[bytes, str]:
    """Return a multipart form and its content type. It may have files, no names, no end or another boundary."""
    boundary = chance.choice(["b", "-", "x" * 70, "x" * 300, 'a"b', "é"])
    parts = []
    for _ in range(chance.randint(0, 15)):
        name = chance.choice([*names, *TEXTS]).encode("utf-8", "surrogatepass")
        file = chance.choice([b"", b'; filename="a.exe"', b"; filename*=UTF-8''%ff", b'; filename="../../x"'])
        kind = chance.choice([b"", b"Content-Type: text/plain\r\n", b"Content-Transfer-Encoding: base64\r\n"])
        lead = b"--" + boundary.encode() + b'\r\nContent-Disposition: form-data; name="' + name + b'"' + file
        parts.append(lead + b"\r\n" + kind + b"\r\n" + chance.choice([b"4", MARK.encode(), b"\0" * 100]) + b"\r\n")
    raw = b"".join(parts) + b"--" + boundary.encode() + chance.choice([b"--\r\n", b"", b"-"])
    shown = chance.choice([boundary, boundary, "other", ""]).encode().decode("latin-1")
    return (spoil_bytes(raw, chance) if chance.random() < 0.5 else raw), f"multipart/form-data; boundary={shown}"


def _quoted(text: str) -> str:
    return quote_plus(text.encode("utf-8", "surrogatepass"))
