"""Machines and our own mailboxes are recognised by the address alone."""

from datetime import UTC, datetime

import pytest

from service.rules.machines import is_among, is_machine
from service.rules.matching import choose_at_close
from service.surveys.definition import Survey
from service.surveys.model import Close
from service.surveys.reasons import Reason

MACHINES = [
    *("mailer-daemon@example.com", "MAILER-DAEMON@example.com", "mailerdaemon@x.example", "Mailer_Daemon@x.example"),
    *("mailer.daemon@x.example", "mailer-daemon+123@x.example", "mail-daemon@x.example", "MAILER-DAEMON"),
    *("Mail Delivery Subsystem <MAILER-DAEMON@x.example>", "mail.delivery.system@x.example"),
    *("postmaster@example.com", "Postmaster@example.com", "postmaster+x@example.com", "postmaster1@example.com"),
    *("microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@x.example",),
    *("noreply@x.example", "no-reply@x.example", "no_reply@x.example", "no.reply@x.example", "NoReply@x.example"),
    *("no--reply@x.example", '"no reply"@x.example', "no-reply+abc@x.example", "no-replies@x.example"),
    *("noreply-123@x.example", "noreply2@x.example", "2noreply@x.example", "no-reply.orders@x.example"),
    *(
        "orders-noreply@x.example",
        "orders.no-reply@x.example",
        "orders_noreply_dk@x.example",
        "OrdersNoReply@x.example",
    ),
    *("noreplyorders@x.example", "noreply.@x.example", "noreply@my_host.example", "noreply=ida@x.example"),
    *("do-not-reply@x.example", "donotreply@x.example", "do_not.reply@x.example", "please-do-not-reply@x.example"),
    *("ordersdonotreply@x.example", "dontreply@x.example", "don't-reply@x.example", "not-reply@x.example"),
    *("never-reply@x.example", "no-response@x.example", "do-not-respond@x.example", "unmonitored@x.example"),
    *(
        "svar-ikke@x.example",
        "ikkesvar@x.example",
        "svara_ej@x.example",
        "ala-vastaa@x.example",
        "älä.vastaa@x.example",
    ),
    *("nicht-antworten@x.example", "bitte.nicht.antworten@x.example", "keineantwort@x.example"),
    *("niet-beantwoorden@x.example", "geenantwoord@x.example", "ne-pas-repondre@x.example", "nepasrépondre@x.example"),
    *("non-rispondere@x.example", "no-responder@x.example", "noresponda@x.example", "não-responda@x.example"),
    *("nao_responda@x.example", "nie-odpowiadaj@x.example", "neodpovidat@x.example"),
    *("1234+ida@users.noreply.github.com", "ida@no-reply.x.example"),
    *(
        "bounce@x.example",
        "bounces@x.example",
        "bounces+123@x.example",
        "bounce+abc@x.example",
        "bounces-list@x.example",
    ),
    *("bounce-123@x.example", "bounce_ida=example.com@x.example", "bounce.7f3a@x.example", "list-bounces@x.example"),
    *("autoreply@x.example", "auto-reply@x.example", "auto_responder@x.example", "listserv@x.example"),
    *("owner-list@x.example", "list-request@x.example", "majordomo@x.example", "<>", ""),
]
PERSONS = [
    *("ida@example.com", "ida.holm@example.com", "o'neill@example.com", "ida+orders@example.com"),
    *("eleanoreply@example.com", "anno.reply@example.com", "bruno-reply@example.com", "arnoreply@example.com"),
    *(
        "eleanor.eply@example.com",
        "reply@example.com",
        "no@example.com",
        "noreen@example.com",
        "n.o.replin@example.com",
    ),
    *("noah.replyson@example.com", "replyno@example.com", "no.replyson@example.com"),
    *("ida+noreply@example.com", "ida+bounces@example.com", "ida+postmaster@example.com"),
    *("bouncer@example.com", "bounce-house@example.com", "bounce.fitness@example.com", "trampoline.bounce@example.com"),
    *("damon@example.com", "postmasterson@example.com", "bo.daemon@example.com", "ownerson@example.com"),
    *("requests@example.com", "request@example.com", "owner@example.com", "shop-owner@example.com"),
    *("ida@noreplyson.example", "ida@bounces.example", "ida@postmaster.example", "ida@mailer-daemon.example"),
    *("+4570123456@sms.example", "4570123456@sms.example"),
    # Shared mailboxes read by people (RFC 2142).
    *("info@x.example", "support@x.example", "sales@x.example", "abuse@x.example", "security@x.example"),
    *("hostmaster@x.example", "webmaster@x.example", "noc@x.example"),
]


@pytest.mark.parametrize("address", MACHINES)
def test_address_of_a_machine_is_recognised(address: str) -> None:
    assert is_machine(address)


@pytest.mark.parametrize("address", PERSONS)
def test_address_of_a_person_is_no_machine(address: str) -> None:
    assert not is_machine(address)


OWN = frozenset({"survey@northwind.example", "Help+surveys@Northwind.example"})


@pytest.mark.parametrize(
    "address", ["survey@northwind.example", "Survey@NORTHWIND.example", "survey+bounce@northwind.example", *sorted(OWN)]
)
def test_own_mailbox_is_recognised(address: str) -> None:
    assert is_among(address, OWN)


@pytest.mark.parametrize(
    "address", ["surveys@northwind.example", "survey@southwind.example", "survey", "ida@x.example"]
)
def test_other_mailbox_is_not_our_own(address: str) -> None:
    assert not is_among(address, OWN)


def close_from(email: str | None, **facts: str) -> Close:
    return Close(48213, datetime(2026, 11, 20, tzinfo=UTC), email=email, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("channel", ["Email", "WidgetChat", "ContactForm", "PstnPhone", "Sms", None])
def test_machine_is_skipped_in_every_channel(channel: str) -> None:
    choice = choose_at_close(close_from("no-reply@x.example", channel=channel), [Survey()])
    assert (choice.candidates, choice.reason) == ((), Reason.MACHINE)
    assert [each.fact for each in choice.mismatches] == ["the address of a machine"]


def test_own_mailbox_is_skipped() -> None:
    choice = choose_at_close(close_from("survey@northwind.example"), [Survey()], OWN)
    assert (choice.candidates, choice.reason) == ((), Reason.MACHINE)
    assert [each.fact for each in choice.mismatches] == ["an address of your own"]


def test_contact_point_as_requester_is_skipped() -> None:
    close = close_from("help@nordlys.example", contact_point="Help@nordlys.example")
    assert choose_at_close(close, [Survey()]).reason is Reason.MACHINE
    assert choose_at_close(close_from("ida@example.com", contact_point="+4570123456"), [Survey()]).candidates


def test_customer_without_an_address_is_no_machine() -> None:
    assert choose_at_close(close_from(None), [Survey()], OWN).candidates


def test_first_of_several_reasons_is_used() -> None:
    close = close_from("no-reply@x.example", direction="Internal", user_type="Member")
    assert choose_at_close(close, [Survey()]).reason is Reason.INTERNAL
