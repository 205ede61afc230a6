"""An engine's log on its page: escaped, followed from where the page ended, as a file."""

import asyncio
import json

import pytest
from django.test import Client

from engines.models import Cluster, GpuClass, Instance
from engines.operations.instances import launch_instance, pause_instance
from engines.queries.logs import LogSource, log_of
from engines.sending.logs import follow_log
from engines.states import InstanceState
from tenants.models import Membership, Tenant, User
from tests import factories
from tests.driving import drive


@pytest.fixture
def talkative(alice_in_acme: Membership, gpu_class: GpuClass, cluster: Cluster) -> Instance:
    version = factories.make_engine_version("--greet", "<i>tick</i>")
    instance = launch_instance(membership=alice_in_acme, engine_version=version, gpu_class=gpu_class, name="Talkative")
    return drive(instance, InstanceState.RUNNING)


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


async def events_until(source: LogSource, cursor: str, word: str) -> list[str]:
    """Collect the stream's events up to the first with this word."""
    events = []
    async with asyncio.timeout(10):
        async for event in follow_log(source, cursor):
            events.append(event)
            if word in event:
                return events
    raise AssertionError(events)


def test_the_page_shows_the_log_as_text(as_alice: Client, talkative: Instance) -> None:
    shown = as_alice.get(f"/acme/instances/{talkative.slug}/", {"tab": "log"}).content.decode()
    assert "engine up" in shown
    assert "&lt;i&gt;tick&lt;/i&gt;" in shown
    assert "<i>tick" not in shown
    assert f'data-stream="/acme/instances/{talkative.slug}/log/"' in shown


def test_the_file_is_an_attachment_of_plain_text(as_alice: Client, talkative: Instance) -> None:
    answer = as_alice.get(f"/acme/instances/{talkative.slug}/log.txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="{talkative.slug}.log"'
    assert b"engine up <i>tick</i>" in answer.content


def test_following_goes_on_where_the_page_ended(talkative: Instance, alice_in_acme: Membership) -> None:
    source = log_of(talkative)
    page = source.read()
    assert page is not None
    assert page.text == "engine up <i>tick</i>\nlistening\n"
    pause_instance(instance=talkative, by=alice_in_acme)
    drive(talkative, InstanceState.STOPPED)
    events = asyncio.run(events_until(source, page.cursor, "stopping"))
    assert events[0] == "retry: 500\n\n"
    event_id, data = events[-1].strip().split("\n")
    assert json.loads(data.removeprefix("data: ")) == "stopping\n"
    nothing_new = source.read(cursor=event_id.removeprefix("id: "))
    assert nothing_new is not None
    assert nothing_new.text == ""


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (InstanceState.STARTING, "The engine has written nothing yet."),
        (InstanceState.STOPPED, "may keep a log only while its engine runs"),
    ],
)
def test_a_log_that_is_not_there_is_explained(
    state: InstanceState, said: str, as_alice: Client, acme: Tenant, alice: User, cluster: Cluster
) -> None:
    instance = factories.make_instance(acme, alice, cluster, state=state)
    shown = as_alice.get(f"/acme/instances/{instance.slug}/", {"tab": "log"}).content.decode()
    assert said in shown
    assert "The log went with the engine." not in shown


def test_a_log_that_went_with_a_failed_engine_leaves_its_last_words(
    as_alice: Client, acme: Tenant, alice: User, cluster: Cluster
) -> None:
    instance = factories.make_instance(acme, alice, cluster, state=InstanceState.FAILED, evidence="exit code 7, last words")
    shown = as_alice.get(f"/acme/instances/{instance.slug}/", {"tab": "log"}).content.decode()
    assert "The log went with the engine. This is what was seen last." in shown
    assert "<pre>exit code 7, last words</pre>" in shown


def test_a_stream_ends_by_itself_so_that_rights_are_asked_again(talkative: Instance) -> None:
    source = log_of(talkative)

    async def whole() -> list[str]:
        return [event async for event in follow_log(source, "", seconds=0)]

    assert asyncio.run(whole()) == ["retry: 500\n\n"]


def test_the_stream_is_never_cached(as_alice: Client, talkative: Instance) -> None:
    answer = as_alice.get(f"/acme/instances/{talkative.slug}/log/")
    assert answer["Content-Type"] == "text/event-stream"
    assert answer["Cache-Control"] == "no-store"
