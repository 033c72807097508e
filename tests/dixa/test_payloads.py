"""The JSON of a webhook is read strictly, and errors don't quote it."""

import pytest

from service.dixa.events import load_event
from service.dixa.payloads import PayloadError
from tests.dixa.closes import RECEIVED


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"event_fqn": "X"}',
        b'{"event_fqn": "\xed\xa0\x80"}',
        b"null",
        b"5",
        b'"event_fqn"',
        b"[]",
        b'[{"event_fqn": "X"}]',
        b"{",
        b"{'event_fqn': 'X'}",
        b'{"event_fqn": "X"} {}',
        b'{"event_fqn": "X", "a": NaN}',
        b'{"event_fqn": "X", "a": -Infinity}',
        b'{"event_fqn": "X", "a": 1e999}',
        b'{"event_fqn": "X", "a": ' + b"9" * 5000 + b"}",
        b'{"event_fqn": "X", "a": ' + b"[" * 100_000,
        b'{"event_fqn": "X", "a": ' + b'{"a":' * 100_000,
        b'{"event_fqn": "X", "event_fqn": "Y"}',
        b'{"event_fqn": "X", "a": {"b": 1, "b": 1}}',
    ],
)
def test_invalid_json_is_refused(raw: bytes) -> None:
    with pytest.raises(PayloadError, match=r"^(The )?body"):
        load_event(raw, RECEIVED)


def test_an_error_does_not_quote_the_body() -> None:
    for raw in (b'{"event_fqn": "ida@example.com"', b'{"event_fqn": ["ida@example.com"]}'):
        with pytest.raises(PayloadError) as caught:
            load_event(raw, RECEIVED)
        assert "ida" not in str(caught.value)
