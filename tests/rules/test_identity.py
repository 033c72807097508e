"""The same person is recognised by id, address or number, and the hashes reveal none of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.rules.identity import Identities

KEY, OLD_KEY = "k" * 32, "o" * 32
PERSONS = Identities([KEY])
IDA = ("requester-1", "ida@example.com", "+4520123456")

Traits = tuple[str | None, str | None, str | None]


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(IDA, True, id="all traits"),
        pytest.param(("requester-1", None, None), True, id="same id"),
        pytest.param(("requester-2", "ida@example.com", None), True, id="same address"),
        pytest.param(("requester-2", "Ida@Example.com", None), True, id="same address in capitals"),
        pytest.param(("requester-2", None, "+4520123456"), True, id="same number"),
        pytest.param(("requester-2", None, "0045 20 12 34 56"), True, id="same number in another notation"),
        pytest.param(("requester-2", "bo@example.com", "+4520123457"), False, id="another person"),
        pytest.param((None, None, None), False, id="no traits"),
        pytest.param(("ida@example.com", None, None), False, id="id equal to the address"),
    ],
)
def test_id_address_or_number_identifies_a_person(other: Traits, *, is_same: bool) -> None:
    assert bool({*PERSONS.hashes_of(*IDA)} & {*PERSONS.hashes_of(*other)}) is is_same


@pytest.mark.parametrize("phone", ["", "anonymous", "+", "000000000", "123456", "unknown 42"])
def test_hidden_number_has_no_hash(phone: str) -> None:
    assert PERSONS.hashes_of(None, None, phone) == ()


def test_all_hashes_are_kept_while_a_key_is_replaced() -> None:
    before, during, after = Identities([OLD_KEY]), Identities([KEY, OLD_KEY]), Identities([KEY])
    assert {*before.hashes_of(*IDA)} < {*during.hashes_of(*IDA)}
    assert {*after.hashes_of(*IDA)} < {*during.hashes_of(*IDA)}
    assert not {*before.hashes_of(*IDA)} & {*after.hashes_of(*IDA)}


@settings(max_examples=30)
@given(st.text(min_size=1), st.emails(), st.from_regex(r"\+[1-9][0-9]{7,12}", fullmatch=True))
def test_hash_is_stable_and_opaque(requester_id: str, email: str, phone: str) -> None:
    found = PERSONS.hashes_of(requester_id, email, phone)
    assert found == Identities([KEY]).hashes_of(requester_id, email, phone)
    assert len({*found}) == 3
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in found)
