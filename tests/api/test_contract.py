"""The API keeps to its own document, whatever it is sent: nothing fails, and nothing is answered that is not documented."""

from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engines.models import Cluster, Instance
from gateway.models import ApiToken
from tenants.models import Membership, Role, User
from tests.api.conftest import Program
from tests.api.test_rights import make_line
from tests.test_routes import make_secret

EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WORDS = {"window": "month", "filter": 'user!:""', "aggregate": "user,gpu_class", "step": "1d", "gpuClass": "", "storageGib": 9}
"""Parameters that are a language, of which a guess is never a word."""
# What streams until it is left alone is tested in test_history, and what streams over a connection of its own, which sees nothing
# of a test's transaction, in test_exports.
AS_PORTAL = {"host": "portal.localhost"}
_whole = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application(), headers=AS_PORTAL)
OPERATIONS: dict[str, list[APIOperation]] = {}
for _found in _whole.exclude(operation_id=["follow_log", "stream_focus"]).get_all_operations():
    OPERATIONS.setdefault(_found.ok().tags[0], []).append(_found.ok())


@pytest.fixture
def instance(acme: object, alice: User, cluster: Cluster) -> Instance:
    return make_secret(acme, alice, cluster)


@pytest.fixture(autouse=True)
def no_end_of_requests(settings: object) -> None:
    settings.API_REQUESTS_PER_MINUTE = 1_000_000


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Requests leave this test's connection as it is, as they do with Django's own test client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def known(instance: Instance, alice_in_acme: Membership) -> dict[str, object]:
    """What the parts of a path may name, so that requests do not all end at 404; whoever calls may do everything."""
    Membership.objects.filter(pk=alice_in_acme.pk).update(role=Role.OWNER)
    return {
        "tenant": "acme",
        "instance": instance.slug,
        "volume": instance.volume.slug,
        "engine": instance.engine_version.engine.slug,
        "token": ApiToken.objects.get().key_id,
        "webhook": instance.tenant.webhooks.get().slug,
        "schedule": instance.schedules.get().pk,
        "budget": instance.tenant.budgets.get().pk,
        "key": str(make_line(instance).line_key),
    }


@pytest.mark.parametrize("part", sorted(OPERATIONS))
def test_every_answer_is_documented(part: str, alices: Program, known: dict[str, object]) -> None:
    for operation in OPERATIONS[part]:
        with transaction.atomic():  # each begins as the one before
            send_what_may_be_sent(operation, alices, known)
            transaction.set_rollback(True)


def send_what_may_be_sent(operation: APIOperation, program: Program, known: dict[str, object]) -> None:
    """Send what the document allows, and what it does not."""
    cases = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @hypothesis.given(case=st.one_of(cases), sensibly=st.booleans())
    def send(case: schemathesis.Case, *, sensibly: bool) -> None:
        if sensibly and case.query:
            case.query |= {name: word for name, word in WORDS.items() if name in case.query}
        case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
        case.call_and_validate(headers=program.headers | AS_PORTAL, checks=CHECKS)

    send()
