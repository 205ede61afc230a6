import os
from urllib.parse import urlsplit

import pytest
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection

from tests.services import worker_number


@pytest.mark.django_db
def test_the_suite_runs_on_a_postgresql_of_its_own():
    assert connection.vendor == "postgresql"
    assert connection.settings_dict["NAME"].startswith("test_")


def test_settings_name_the_services_of_this_process():
    assert urlsplit(settings.REDIS_URL).query == f"db={worker_number()}"
    assert os.environ["AIGC_TEST_RUN_DIR"] in str(settings.DATA_DIR)


def test_valkey_is_empty_and_writable(valkey):
    assert valkey.keys() == []
    assert valkey.set("a", "1") is True


async def test_live_messages_arrive():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("tenant.1", channel)
    await layer.group_send("tenant.1", {"type": "instance.changed", "instance_id": 7})
    assert await layer.receive(channel) == {"type": "instance.changed", "instance_id": 7}
