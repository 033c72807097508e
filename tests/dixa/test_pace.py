"""All workers together keep Dixa's rate limit, and no token is stored in Redis."""

from datetime import timedelta
from itertools import pairwise
from threading import Event

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from service.dixa.errors import NoSlot, TokenRefused
from service.dixa.pace import ObserverPace, SharedPace
from service.records.redis import connect
from service.surveys.ports import Deadline
from tests.processes import free_port

TOKENS = ("first-secret-token", "second-secret-token")
SECOND = timedelta(seconds=1)


def pace_of(client: redis.Redis, prefix: str, rate: float = 10, burst: int = 1, tokens: int = 1) -> SharedPace:
    """A rate limit without waiting."""
    return SharedPace(client, TOKENS[:tokens], rate=rate, burst=burst, wait=lambda _: None, prefix=prefix)


class Grants:
    """Takes slots as fast as possible, and records the earliest and latest possible time of each."""

    def __init__(self, client: redis.Redis, prefix: str, rate: float, burst: int, tokens: int = 1) -> None:
        self._client = client
        self._waits: list[float] = []
        self._pace = SharedPace(client, TOKENS[:tokens], rate=rate, burst=burst, wait=self._waits.append, prefix=prefix)
        self.times: dict[str, list[tuple[float, float]]] = {}

    def take(self) -> bool:
        """Take one more slot, if there is one within a second."""
        self._waits.clear()
        before = self._now()
        try:
            slot = self._pace.take_slot(Deadline(5 * SECOND), SECOND)
        except NoSlot:
            return False
        wait = sum(self._waits)
        self.times.setdefault(slot.token, []).append((before + wait, self._now() + wait))
        return True

    def count(self) -> int:
        """How many slots there are from now on, within a second; at most 500."""
        return next(taken for taken in range(501) if taken == 500 or not self.take())

    def _now(self) -> float:
        seconds, micros = self._client.time()
        return float(seconds) + float(micros) / 1_000_000


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.floats(2, 60),
    burst=st.integers(1, 5),
    tokens=st.integers(1, 2),
    pauses=st.lists(st.integers(0, 40), max_size=4),
)
def test_no_window_exceeds_burst_and_rate(
    redis_client: redis.Redis, prefix: str, rate: float, burst: int, tokens: int, pauses: list[int]
) -> None:
    redis_client.delete(*redis_client.keys(f"{prefix}*"), f"{prefix}none")
    grants = Grants(redis_client, prefix, rate, burst, tokens)
    for pause in [0, *pauses]:
        Event().wait(pause / 1000)
        grants.count()
    for times in grants.times.values():
        for first, (earliest, _) in enumerate(times):
            for last in range(first, len(times)):
                window = times[last][1] - earliest
                assert last - first + 1 <= burst + rate * window + 0.001


@pytest.mark.parametrize(("rate", "burst"), [(10, 1), (9.5, 3), (50, 4), (5, 5)])
def test_a_second_has_as_many_slots_as_burst_and_rate_allow(
    redis_client: redis.Redis, prefix: str, rate: float, burst: int
) -> None:
    grants = Grants(redis_client, prefix, rate, burst)
    found = grants.count()
    [times] = grants.times.values()
    # The first slot is at once, the last up to a second away. Taking them takes time, so there are a few more.
    assert burst + rate - 1 <= found <= burst + rate * (times[-1][1] - times[0][0]) + 0.001


def test_two_tokens_double_the_pace(redis_client: redis.Redis, prefix: str) -> None:
    two = Grants(redis_client, prefix, 20, 4, tokens=2)
    assert two.count() >= 2 * (4 + 20 - 1)
    first, second = two.times.values()
    # Each token counts from its own first slot. On a slow machine the second one begins later and has fewer.
    apart = second[0][1] - first[0][0]
    assert abs(len(first) - len(second)) <= 1 + 20 * apart


def test_a_slot_beyond_max_wait_is_not_reserved(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=0.1)
    pace.take_slot(Deadline(SECOND), timedelta())
    keys = sorted(redis_client.keys(f"{prefix}*"))
    before = redis_client.mget(keys)
    for _ in range(20):
        with pytest.raises(NoSlot) as caught:
            pace.take_slot(Deadline(SECOND), timedelta(milliseconds=100))
        assert caught.value.retry_in is not None
        assert timedelta() < caught.value.retry_in <= timedelta(seconds=10)
    assert redis_client.mget(keys) == before


def test_the_first_slot_waits_at_most_a_second_and_not_beyond_the_deadline(
    redis_client: redis.Redis, prefix: str
) -> None:
    pace = pace_of(redis_client, prefix, rate=0.05)
    pace.take_slot(Deadline(SECOND), timedelta())
    with pytest.raises(NoSlot):
        pace.take_slot(Deadline(timedelta(minutes=1)), timedelta(minutes=1))
    quick = pace_of(redis_client, f"{prefix}quick:", rate=1.1)
    quick.take_slot(Deadline(SECOND), timedelta())
    with pytest.raises(NoSlot):
        quick.take_slot(Deadline(timedelta(milliseconds=20)), SECOND)


def test_claims_that_have_begun_go_before_new_ones(redis_client: redis.Redis, prefix: str) -> None:
    """Otherwise each claim would spend its slot on the same first query, and none would finish."""
    pace = pace_of(redis_client, prefix, rate=0.5)
    begun = Deadline(timedelta(seconds=30))
    pace.take_slot(begun, timedelta())
    with pytest.raises(NoSlot):
        pace.take_slot(Deadline(timedelta(seconds=30)), SECOND)
    pace.take_slot(begun, timedelta())


def test_a_wait_for_a_later_slot_leaves_time_for_the_call(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=0.5)
    begun = Deadline(timedelta(seconds=6))
    pace.take_slot(begun, timedelta())
    with pytest.raises(NoSlot):
        pace.take_slot(begun, timedelta())


@pytest.mark.parametrize("tokens", [1, 2])
def test_free_slots_are_counted_and_not_taken(redis_client: redis.Redis, prefix: str, tokens: int) -> None:
    pace = pace_of(redis_client, prefix, rate=0.1, tokens=tokens)
    assert pace.count_free(timedelta(seconds=35)) == 3 * tokens + 1 + (tokens - 1)
    assert redis_client.keys(f"{prefix}*") == []
    pace.take_slot(Deadline(SECOND), timedelta())
    assert pace.count_free(timedelta(seconds=35)) > 0
    for _ in range(tokens - 1):
        pace.take_slot(Deadline(SECOND), timedelta())
    assert pace.count_free(timedelta(seconds=5)) == 0


def test_a_pause_leaves_no_slot_free(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=1000, burst=100)
    pace.pause(timedelta(seconds=30))
    assert pace.count_free(SECOND) == 0


def test_a_pause_applies_to_all_processes_and_tokens(redis_client: redis.Redis, prefix: str) -> None:
    pace_of(redis_client, prefix, tokens=1).pause(timedelta(seconds=30))
    with pytest.raises(NoSlot) as caught:
        pace_of(redis_client, prefix, rate=1000, burst=100, tokens=2).take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in is not None
    assert timedelta(seconds=28) < caught.value.retry_in <= timedelta(seconds=30)


def test_there_is_no_burst_after_a_pause(redis_client: redis.Redis, prefix: str) -> None:
    grants = Grants(redis_client, prefix, rate=10, burst=4)
    pace_of(redis_client, prefix).pause(timedelta(milliseconds=500))
    grants.count()
    ((times),) = grants.times.values()
    gaps = [later[1] - earlier[0] for earlier, later in pairwise(times)]
    assert min(gaps) > 0.09


def test_a_shorter_pause_does_not_end_a_longer_one(redis_client: redis.Redis, prefix: str) -> None:
    """Two calls in flight got a 429: one with a Retry-After, one without."""
    pace = pace_of(redis_client, prefix)
    pace.pause(timedelta(seconds=30))
    pace.pause(timedelta(seconds=2))
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in is not None
    assert caught.value.retry_in > timedelta(seconds=28)


def test_a_pause_lasts_five_minutes_at_most(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    pace.pause(timedelta(days=1))
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in is not None
    assert caught.value.retry_in <= timedelta(minutes=5)


def keys_ahead(client: redis.Redis, prefix: str, pace: SharedPace, **hours: float) -> None:
    """Write the keys as if Redis's clock had stepped back by `hours`."""
    seconds, _ = client.time()
    for key in pace._keys:
        kind = "pause" if key.endswith(":pause") else "arrival"
        if kind in hours:
            client.set(key, f"{(seconds + hours[kind] * 3600) * 1000:.3f}", px=7_200_000)


@pytest.mark.parametrize("ahead", [{"arrival": 1.0}, {"pause": 1.0}, {"arrival": 0.1, "pause": 1.0}])
def test_a_clock_stepping_back_stops_nobody(redis_client: redis.Redis, prefix: str, ahead: dict[str, float]) -> None:
    pace = pace_of(redis_client, prefix, tokens=2, burst=4)
    keys_ahead(redis_client, prefix, pace, **ahead)
    pace.take_slot(Deadline(SECOND), SECOND)
    assert all(redis_client.pttl(key) <= 2000 for key in pace._keys)


def test_a_small_step_of_the_clock_keeps_the_pause(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    keys_ahead(redis_client, prefix, pace, pause=0.08)
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in is not None
    assert timedelta(seconds=280) < caught.value.retry_in < timedelta(seconds=289)


def test_a_pause_begun_after_the_clock_stepped_back_counts(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    keys_ahead(redis_client, prefix, pace, pause=1.0)
    pace.pause(timedelta(seconds=30))
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in is not None
    assert timedelta(seconds=28) < caught.value.retry_in <= timedelta(seconds=30)


def test_a_pause_of_zero_length_is_none(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    pace.pause(timedelta())
    pace.take_slot(Deadline(SECOND), SECOND)


def test_without_redis_there_is_no_slot_and_no_error() -> None:
    pace = pace_of(connect(f"redis://127.0.0.1:{free_port()}/0"), "none:")
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in == SECOND
    assert pace.count_free(SECOND) == 0
    pace.pause(SECOND)
    assert pace.cooldown() is None


def test_keys_expire_and_contain_no_token(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=100, burst=2, tokens=2)
    for _ in range(6):
        pace.take_slot(Deadline(SECOND), SECOND)
    pace.pause(SECOND)
    keys = redis_client.keys(f"{prefix}*")
    assert len(keys) == 3
    for key in keys:
        assert not any(token in str((key, redis_client.get(key))) for token in TOKENS)
        assert 0 < redis_client.pttl(key) <= 5000


def test_the_cooldown_is_reported_while_all_tokens_have_one(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix)
    pace.pause(30 * SECOND)
    assert pace.cooldown() is None
    with capture_logs() as logs:
        pace.cool_down(TOKENS[0], 40 * SECOND, "Dixa returned 401")
    assert [each["event"] for each in logs] == ["dixa.token_refused"]
    reported = "Dixa returned 401: is DIXA_API_TOKEN right?"
    problem, wait = pace.cooldown() or ("", SECOND)
    assert problem == reported
    assert 38 * SECOND < wait <= 40 * SECOND
    redis_client.delete(*redis_client.keys(f"{prefix}pace:*:cooldown"))
    assert (pace.problem(), pace.cooldown()) == (reported, None)


def test_a_refused_token_cools_down_alone(redis_client: redis.Redis, prefix: str) -> None:
    pace = pace_of(redis_client, prefix, rate=1000, burst=100, tokens=2)
    pace.cool_down(TOKENS[1], 40 * SECOND, "Dixa returned 401")
    assert {pace.take_slot(Deadline(SECOND), SECOND).token for _ in range(20)} == {TOKENS[0]}
    assert 900 < pace.count_free(SECOND) <= 1001
    assert pace.problem() == "Dixa returned 401 to token 2 of DIXA_API_TOKEN: is it right?"
    assert pace.cooldown() is None
    pace.cool_down(TOKENS[0], 30 * SECOND, "Dixa returned 403")
    with pytest.raises(NoSlot) as caught:
        pace.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in
    assert 28 * SECOND < caught.value.retry_in <= 30 * SECOND
    problem, wait = pace.cooldown() or ("", SECOND)
    assert problem.startswith("Dixa returned 403 to token 1 of DIXA_API_TOKEN")
    assert wait <= 30 * SECOND


def test_an_observer_pauses_only_itself(redis_client: redis.Redis, prefix: str) -> None:
    shared = pace_of(redis_client, prefix, rate=1000, burst=100)
    observer = ObserverPace(shared)
    observer.take_slot(Deadline(SECOND), SECOND)
    observer.cool_down(TOKENS[0], 30 * SECOND, "Dixa returned 401")
    observer.pause(SECOND)
    with pytest.raises(NoSlot) as caught:
        observer.take_slot(Deadline(SECOND), SECOND)
    assert caught.value.retry_in
    assert 28 * SECOND < caught.value.retry_in <= 30 * SECOND
    shared.take_slot(Deadline(SECOND), SECOND)
    assert shared.problem() == ""


def test_an_observer_gets_the_reason_of_the_cooldown(redis_client: redis.Redis, prefix: str) -> None:
    shared = pace_of(redis_client, prefix)
    observer = ObserverPace(shared)
    shared.pause(30 * SECOND)
    with pytest.raises(NoSlot, match="used up"):
        observer.take_slot(Deadline(SECOND), SECOND)
    shared.cool_down(TOKENS[0], 40 * SECOND, "Dixa returned 401")
    with pytest.raises(TokenRefused, match=r"is DIXA_API_TOKEN right\? Everybody waits for another (40|[123]\d) s"):
        observer.take_slot(Deadline(SECOND), SECOND)
