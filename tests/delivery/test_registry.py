"""The delivery channels depend on the settings."""

from collections.abc import Mapping

import pytest

from config.loader import read_settings
from service.delivery.registry import open_deliveries
from service.dixa.client import DixaClient
from tests.config.test_settings import GOOD
from tests.delivery.mails import Mailings
from tests.receiver import SECRET

MAIL = {"SMTP_URL": "smtp://localhost:2525", "MAIL_FROM": "survey@northwind.example"}
WEBHOOK = {"DELIVERY_WEBHOOK_URL": "https://sender.example/links", "DELIVERY_WEBHOOK_SECRET": SECRET}


@pytest.mark.parametrize(
    ("settings", "further"),
    [({}, set()), (MAIL, {"email"}), (WEBHOOK, {"webhook"}), (MAIL | WEBHOOK, {"email", "webhook"})],
)
def test_mail_and_webhook_need_settings(client: DixaClient, settings: Mapping[str, str], further: set[str]) -> None:
    assert {*open_deliveries(read_settings({**GOOD, **settings}), client, Mailings())} == {
        "message",
        "note",
    } | further
