"""A Redis user needs only the permissions checked by `afterword doctor`."""

from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import redis
import requests

from service.records.records import Records
from service.records.redis_check import COMMANDS
from service.sandbox.server import Sandbox
from service.surveys.links import Links
from service.surveys.states import Journey
from tests.integration.conftest import SURVEYS, Starter
from tests.integration.live_survey import LiveSurvey
from tests.polling import eventually
from tests.processes import SECRET_KEY, Afterword, RedisServer
from tests.tasks import KEY, push_task


def test_worker_refused_by_redis_reconnects_with_pauses(own_redis: RedisServer, tmp_path: Path) -> None:
    worker = Afterword(tmp_path, {"REDIS_URL": own_redis.url}).start("worker")
    eventually(lambda: " ready." in worker.log)
    before, began = worker.log.count("Connected to"), monotonic()
    with redis.Redis(port=own_redis.port) as admin:
        admin.acl_setuser("default", enabled=True, nopass=True, commands=["-brpop"])
        eventually(lambda: worker.log.count("Connected to") >= before + 4)
        assert monotonic() - began >= 3
        admin.acl_setuser("default", enabled=True, nopass=True, commands=["+brpop"])
        push_task(admin, Journey.OFFER, "1")
        eventually(lambda: admin.llen(KEY) == 0)
    worker.stop()


def test_user_with_only_the_checked_permissions_is_sufficient(
    own_redis: RedisServer, start: Starter, dixa: Sandbox
) -> None:
    admin = redis.Redis(port=own_redis.port, decode_responses=True)
    permissions = [f"+{each.lower()}" for each in COMMANDS]
    admin.acl_setuser("few", enabled=True, reset=True, passwords=["+few"], keys=["afterword:*"], commands=permissions)
    afterword = start(SURVEYS, REDIS_URL=own_redis.url.replace("//", "//few:few@"), SHORT_LINKS="on")
    dixa.sends_webhooks_to(afterword.webhook_url)
    records = Records(admin, lease=timedelta(seconds=60), keep=timedelta(days=90))
    links = Links([SECRET_KEY], afterword.url)

    def new_survey(**facts: Any) -> LiveSurvey:
        return LiveSurvey(dixa, records, links, dixa.make_conversation(**facts)).close()

    new_survey(queue="Capped").link()
    for story in [new_survey(), new_survey(channel="Sms"), new_survey(queue="Briefly editable")]:
        link = requests.get(story.link(), timeout=30).url
        assert requests.post(link, data={"rating": "5", "comment": "ja"}, timeout=30).ok
        story.submitted()
    assert "NoPermission" not in afterword.log
    assert "permission" not in afterword.log
    afterword.stop()
    admin.close()
