"""A request under an Idempotency-Key is done once."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from engines.models import Cluster, EngineVersion, GpuClass, Instance
from tenants.access_tokens.answers import forget_old_answers, take_turn
from tenants.access_tokens.models import AccessToken, KeptAnswer
from tenants.access_tokens.operations import Made
from tenants.models import User
from tests.api.conftest import Program
from tests.api.test_frame import problem

LAUNCH = {"engine": "double", "gpu_class": "cpu-small", "name": "Dragon"}
PATH = "/tenants/acme/instances"


@pytest.fixture(autouse=True)
def offer(cluster: Cluster, engine_version: EngineVersion, gpu_class: GpuClass) -> None:
    """There is something to launch."""


def test_sent_again_it_is_answered_as_the_first_time(alices: Program) -> None:
    first = alices("POST", PATH, LAUNCH, idempotency_key="k1")
    second = alices("POST", PATH, LAUNCH, idempotency_key="k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Instance.objects.count() == 1
    assert "Dragon" not in KeptAnswer.objects.get().sealed_body


def test_a_key_belongs_to_one_request_of_one_token(alices: Program, anna: User, program_of: Callable[..., Program]) -> None:
    alices("POST", PATH, LAUNCH, idempotency_key="k1")
    assert problem(alices("POST", PATH, LAUNCH | {"name": "Other"}, idempotency_key="k1")) == (422, "idempotency-key-reused")
    assert alices("POST", PATH, LAUNCH | {"name": "Second"}, idempotency_key="k2").status_code == 201
    assert program_of(anna)("POST", PATH, LAUNCH | {"name": "Annas"}, idempotency_key="k1").status_code == 201
    assert Instance.objects.count() == 3


def test_a_refusal_leaves_the_key_free(alices: Program) -> None:
    assert problem(alices("POST", PATH, LAUNCH | {"engine": "none"}, idempotency_key="k1")) == (422, "invalid")
    assert alices("POST", PATH, LAUNCH, idempotency_key="k1").status_code == 201
    assert problem(alices("POST", PATH, LAUNCH, idempotency_key="k2")) == (409, "name-taken")
    assert Instance.objects.count() == 1


def test_after_a_day_a_key_is_new(alices: Program) -> None:
    alices("POST", PATH, LAUNCH, idempotency_key="k1")
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert problem(alices("POST", PATH, LAUNCH, idempotency_key="k1")) == (409, "name-taken")
    assert alices("POST", PATH, LAUNCH | {"name": "Second"}, idempotency_key="k1").status_code == 201
    assert forget_old_answers() == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
def test_a_key_is_short_and_plain(key: str, alices: Program) -> None:
    assert problem(alices("POST", PATH, LAUNCH, idempotency_key=key)) == (422, "invalid")
    assert not Instance.objects.exists()


def test_whoever_dies_half_way_has_done_nothing(alices: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done and what was answered are written together: a death in between leaves neither."""

    def die(*_args: object, **_fields: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("aigc_portal.api.idempotency.keep_answer", die)
        with pytest.raises(SystemExit):
            alices("POST", PATH, LAUNCH, idempotency_key="k1")
    assert not Instance.objects.exists()
    assert not KeptAnswer.objects.exists()
    assert alices("POST", PATH, LAUNCH, idempotency_key="k1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_while_one_is_worked_on_another_waits(alice: User, make_token: Callable[..., Made]) -> None:
    made = make_token(alice)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                assert take_turn(AccessToken(pk=made.token.pk), f"/api/v1{PATH}", "k1")
                taken.set()
                done.wait(20)
        finally:
            close_old_connections()
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert taken.wait(20)
    answer = Program(made.secret)("POST", PATH, LAUNCH, idempotency_key="k1")
    done.set()
    holder.join()
    assert problem(answer) == (409, "request-in-progress")
    assert answer["Retry-After"] == "1"
    assert not Instance.objects.exists()
