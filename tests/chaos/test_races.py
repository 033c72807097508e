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
    model.start(seconds=35, is_answer=True, far=4, fate=Fate.DONE)
    assert model.world.dixa.results
    model.disturb(what=Event.LOSS, journey=Journey.OFFER)
    model.disturb(what=Event.WEBHOOK, journey=Journey.OFFER)
    model.answer(scores=(4, 3), comment="", both=False, late=None)
    model.teardown()
    assert len(model.world.dixa.results) == 1
