"""Everything kept of a person: found once, for `show-person` and `erase`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import click

from config.settings import Settings
from service.cli.context import open_records
from service.cli.customer import Customer
from service.intake.spool_search import SpooledData, find_entries
from service.records.opt_outs import HashedOptOuts
from service.records.personal_data import CooldownSlot, Person, PersonalData, PersonsSurvey
from service.records.records import Records
from service.rules.identity import Identities, IdentityKind


@dataclass(frozen=True)
class Kept:
    """What is kept of a person. `opt_outs` have their time, if it is known."""

    records: Records
    person: Person
    kinds: Mapping[str, IdentityKind]
    surveys: list[PersonsSurvey]
    cooldown_slots: list[CooldownSlot]
    opt_outs: Mapping[str, datetime | None]
    spooled: list[SpooledData]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not (self.surveys or self.cooldown_slots or self.opt_outs or self.spooled)

    def kind_of(self, trait: str) -> IdentityKind:
        """Return the kind of an identity."""
        return self.kinds.get(trait, IdentityKind.UNKNOWN)


def find_kept(settings: Settings, customer: Customer) -> Kept:
    """Find everything kept of a customer, in Redis and in the spool of this host. Raises RecordsUnavailable.

    An address or a number leads to the requesters who had it, and these to all of their surveys.
    """
    identities, records = Identities(settings.secret_keys), open_records(settings)
    given = _person_of(identities, customer)
    data, surveys = PersonalData.beside(records), _search(records, given)
    requesters = frozenset[str]().union(*(each.person.requester_ids for each in surveys)) - given.requester_ids
    if requesters:
        person = given | Person(requesters, frozenset(h for each in requesters for h in identities.hashes_of(each)))
        surveys = _search(records, person)
    else:
        person = given
    for each in surveys:
        person |= each.person
    folder = settings.spool_dir
    return Kept(
        records=records,
        person=person,
        kinds=_kinds(identities, customer, surveys),
        surveys=surveys,
        cooldown_slots=[*data.cooldown_slots(person)],
        opt_outs=HashedOptOuts.beside(records).find(person.traits),
        spooled=find_entries(folder, person.is_in, {each.survey_id for each in surveys}) if folder else [],
    )


def _search(records: Records, person: Person) -> list[PersonsSurvey]:
    data = PersonalData.beside(records)
    with click.progressbar(length=max(data.count_keys(), 1), label="Searching the surveys", file=sys.stderr) as bar:
        return data.find_surveys(person, bar.update)


def _person_of(identities: Identities, customer: Customer) -> Person:
    ids = [customer.requester_id] if customer.requester_id else []
    return Person(frozenset(ids), frozenset(customer.hashes(identities)))


def _kinds(identities: Identities, customer: Customer, surveys: list[PersonsSurvey]) -> dict[str, IdentityKind]:
    kind = (
        IdentityKind.REQUESTER
        if customer.requester_id
        else IdentityKind.EMAIL
        if customer.email
        else IdentityKind.PHONE
    )
    given = (*customer.opt_out_traits(identities), *customer.hashes(identities))
    return dict.fromkeys(given, kind) | {k: v for each in surveys for k, v in identities.kinds_of(each.close).items()}
