"""A link opts its requester and the address of its delivery out and in. An address named in a chat proves nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.intake.intake import OptOutResult
from service.rules.identity import Identities, IdentityKind, recipient_hashes
from service.sandbox.dixa.model import Person
from service.surveys.links import Link
from service.surveys.model import Record
from service.surveys.reasons import Reason
from service.surveys.states import OfferState
from tests.harness import AT_ONCE, Story
from tests.processes import SECRET_KEY

OFTEN = replace(AT_ONCE, cooldown=timedelta())
EMAIL, PHONE = "ida@example.com", "+4520123456"
IDA = Person("Ida Holm", EMAIL, PHONE)
PERSONS = Identities([SECRET_KEY])


def send_survey(story: Story, requester: Person, channel: str = "Email") -> Record:
    number = story.dixa.make_conversation(requester=requester, channel=channel)
    return story.ask(story.close(number, OFTEN))


def post(story: Story, record: Record, *, is_opt_in: bool = False) -> OptOutResult:
    return story.intake().take_opt_out(Link.to(record), is_opt_in=is_opt_in)


def opted_out_traits(story: Story) -> set[IdentityKind]:
    """Return the kinds of Ida's traits with an opt-out."""
    traits = {
        IDA.id: IdentityKind.REQUESTER,
        **dict.fromkeys(PERSONS.hashes_of(None, EMAIL), IdentityKind.EMAIL),
        **dict.fromkeys(PERSONS.hashes_of(None, phone=PHONE), IdentityKind.PHONE),
    }
    return {*story.opt_outs.find_by_kind(traits)}


@pytest.mark.parametrize(
    ("channel", "reached"),
    [
        ("WidgetChat", set()),
        ("Messenger", set()),
        ("Email", {IdentityKind.EMAIL}),
        ("ContactForm", {IdentityKind.EMAIL}),
        ("Sms", {IdentityKind.PHONE}),
        ("WhatsApp", {IdentityKind.PHONE}),
    ],
)
def test_a_link_opts_out_its_requester_and_address(story: Story, channel: str, reached: set[IdentityKind]) -> None:
    somebody = Person("Somebody", EMAIL, PHONE)
    record = send_survey(story, somebody, channel)
    assert record.offer.state is OfferState.DELIVERED
    assert post(story, record) is OptOutResult.KEPT
    assert story.opt_outs.has(somebody.id)
    assert opted_out_traits(story) == reached
    assert post(story, record, is_opt_in=True) is OptOutResult.KEPT
    assert opted_out_traits(story) == set()


def test_an_address_named_in_a_chat_is_not_opted_out(story: Story) -> None:
    attacker = Person("Nobody", EMAIL, PHONE)
    post(story, send_survey(story, attacker, "WidgetChat"))
    assert send_survey(story, attacker, "WidgetChat").offer.reason == Reason.OPTED_OUT
    assert send_survey(story, IDA).offer.state is OfferState.DELIVERED


def test_an_address_named_in_a_chat_is_not_opted_in(story: Story) -> None:
    mine = send_survey(story, IDA)
    chat = send_survey(story, Person("Nobody", EMAIL, PHONE), "WidgetChat")
    post(story, mine)
    assert post(story, chat) is OptOutResult.KEPT
    assert post(story, chat, is_opt_in=True) is OptOutResult.OTHER_REMAINS
    assert opted_out_traits(story) == {IdentityKind.REQUESTER, IdentityKind.EMAIL}
    assert send_survey(story, IDA).offer.reason == Reason.OPTED_OUT


def test_an_opt_out_of_an_address_applies_in_every_channel(story: Story) -> None:
    other, chatting = Person("I. Holm", EMAIL), Person("Ida", EMAIL)
    before = send_survey(story, other)
    post(story, send_survey(story, IDA))
    assert send_survey(story, chatting, "WidgetChat").offer.reason == Reason.OPTED_OUT
    assert post(story, before, is_opt_in=True) is OptOutResult.KEPT
    assert send_survey(story, chatting, "WidgetChat").offer.state is OfferState.DELIVERED
    # The opt-out by the requester's own link remains.
    assert send_survey(story, IDA).offer.reason == Reason.OPTED_OUT


def test_an_opt_in_removes_an_opt_out_of_an_older_version(story: Story) -> None:
    record = send_survey(story, IDA)
    assert record.close
    names = story.opt_outs._names(IDA.id, record.close.person)
    mine, *along = names
    story.opt_outs._redis.mset({mine: f"1778544000000 {' '.join(along)}", **dict.fromkeys(along, "1")})
    assert send_survey(story, Person("Mobile", None, PHONE), "Sms").offer.reason == Reason.OPTED_OUT
    assert opted_out_traits(story) == {*IdentityKind} - {IdentityKind.UNKNOWN}
    assert post(story, record, is_opt_in=True) is OptOutResult.KEPT
    assert opted_out_traits(story) == set()


def test_a_record_of_an_older_version_opts_out_only_the_id(story: Story) -> None:
    record = send_survey(story, IDA)
    assert record.close
    old = replace(record, close=replace(record.close, email_hashes=(), phone_hashes=()))
    assert recipient_hashes(old) == ()
    assert old.close
    assert {*PERSONS.kinds_of(old.close).values()} == {IdentityKind.REQUESTER, IdentityKind.UNKNOWN}


@pytest.mark.parametrize("channel", ["webhook", ""])
def test_a_link_with_an_unknown_channel_opts_out_no_address(story: Story, channel: str) -> None:
    record = send_survey(story, IDA)
    assert recipient_hashes(replace(record, offer=replace(record.offer, channel=channel))) == ()


def test_our_own_mail_opts_out_the_address_in_any_conversation(story: Story) -> None:
    record = send_survey(story, IDA, "WidgetChat")
    mailed = replace(record, offer=replace(record.offer, channel="email"))
    assert recipient_hashes(mailed) == PERSONS.hashes_of(None, EMAIL)


def test_a_channel_missing_in_the_webhook_is_taken_from_dixa(story: Story) -> None:
    record = send_survey(story, IDA)
    assert record.close
    assert recipient_hashes(replace(record, close=replace(record.close, channel=None))) == PERSONS.hashes_of(
        None, EMAIL
    )
