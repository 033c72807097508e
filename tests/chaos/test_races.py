"""The short forms of rows 8, 9, 12 and 13. Each control must fail."""

import sys

import pytest

from service.surveys.states import Journey
from tests.chaos.model import Event, Model
from tests.chaos.modelled import World
from tests.chaos.modelled_dixa import Fate
from tests.chaos.races import ROWS
from tests.processes import RedisServer


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", ROWS)
def test_row(number: int) -> None:
    row = ROWS[number](1, "short")
    sys.stdout.write(f"\n{row}\n")
    assert row.passed, row


def test_result_is_reconciled_after_redis_was_emptied_and_the_close_was_resent(redis_server: RedisServer) -> None:
    """Row 12 found this case: the new record has no offer, and the customer answers again."""
    model = type("Found", (Model,), {"make_world": staticmethod(lambda: World(redis_server.new_database()))})()
    model.begin(two=False)
    model.start(seconds=0, is_answer=False, far=13, fate=Fate.DONE)
    model.answer(scores=(4, 3), comment="", both=False, late=None)
    model.holds()
    model.start(seconds=35, is_answer=True, far=6, fate=Fate.DONE)
    assert model.world.dixa.results
    model.disturb(what=Event.LOSS, journey=Journey.OFFER)
    model.disturb(what=Event.WEBHOOK, journey=Journey.OFFER)
    model.answer(scores=(4, 3), comment="", both=False, late=None)
    model.teardown()
    assert len(model.world.dixa.results) == 1


def test_an_offer_younger_than_the_backup_is_adopted_after_a_crash_of_its_adoption(redis_server: RedisServer) -> None:
    """Row 12 found this case: the adoption wrote its call, and the look-up then took the offer for one from before."""
    model = type("Found", (Model,), {"make_world": staticmethod(lambda: World(redis_server.new_database()))})()
    model.begin(two=True)
    model.start(seconds=0, is_answer=False, far=12, fate=Fate.DONE)
    model.holds()
    model.disturb(what=Event.BACKUP, journey=Journey.OFFER)
    model.go_on(which=0, far=2, fate=Fate.DONE)
    assert len(model.world.dixa.known) == 2
    model.holds()
    model.disturb(what=Event.RESTORE, journey=Journey.OFFER)
    model.holds()
    model.start(seconds=14, is_answer=False, far=6, fate=Fate.DONE)
    assert model.world.read()[0]["offer_call"] == "Csat"
    model.teardown()
    assert len(model.world.dixa.known) == 2
