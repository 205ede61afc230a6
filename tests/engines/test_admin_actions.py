"""What operators do in the admin goes through the operations of the life cycle and the catalog."""

import json

import pytest
from django.urls import reverse
from django.utils import timezone

from engines.models import Cluster, EngineVersion, GpuClass, Instance, Volume
from engines.reasons import Reason
from engines.states import InstanceState
from tenants.audit.models import AuditEvent
from tenants.models import Membership
from tenants.notifications.models import Notification
from tests import factories

INSTANCES = "admin:engines_instance_changelist"
VERSIONS = "admin:engines_engineversion_changelist"
VOLUMES = "admin:engines_volume_changelist"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def cluster(db):
    """A row alone: nothing of these tests reaches a cluster."""
    return factories.make_cluster("/nowhere")


@pytest.fixture
def operator(client, olga):
    client.force_login(olga)
    return client


def make(tenant, owner, cluster, state="running", **fields):
    wish = {"running": "running", "starting": "running", "failed": "running"}.get(state, "stopped")
    return factories.make_instance(
        tenant, owner, cluster, state=state, **{"desired_state": wish, "reason": Reason.READY} | fields
    )


def act(client, page: str, action: str, *rows, **more) -> list[str]:
    """Choose the rows, run the action, return the messages that it leaves."""
    data = {"action": action, "_selected_action": [str(row.pk) for row in rows], **more}
    response = client.post(reverse(page), data, follow=True)
    assert response.redirect_chain == [(reverse(page), 302)]
    return [str(message) for message in response.context["messages"]]


@pytest.mark.parametrize(
    ("action", "case"),
    [
        ("pause", ("running", "stopped", "paused")),
        ("resume", ("stopped", "running", "resumed")),
        ("resume", ("failed", "running", "retried")),
        ("restart", ("running", "running", "restarted")),
    ],
)
def test_actions_are_wishes_of_the_operator(operator, acme, alice, cluster, action, case):
    state, wished, reason = case
    settled = {"settled_generation": 1} if state == "failed" else {}
    instance = make(acme, alice, cluster, state=state, **settled)
    messages = act(operator, INSTANCES, action, instance)
    assert len(messages) == 1
    assert messages[0].endswith(": 1")
    instance.refresh_from_db()
    assert (instance.state, instance.desired_state, instance.generation) == (state, wished, 2)
    event = instance.events.get()
    assert (event.kind, event.reason, event.actor.username) == ("wish", reason, "olga")
    assert not Membership.objects.filter(user__username="olga").exists()


def test_refusals_are_told_and_the_others_are_done(operator, acme, alice, bolt, bob, cluster):
    resting = make(acme, alice, cluster, state="stopped", name="resting")
    running = make(bolt, bob, cluster, name="running")
    assert sorted(act(operator, INSTANCES, "restart", resting, running)) == [
        "Acme Studio / resting: resting does not run, so it cannot be restarted. Resume it instead.",
        "Asked to restart: 1",
    ]
    assert not resting.events.exists()


def test_many_refusals_are_summed_up(operator, acme, alice, cluster):
    rows = [make(acme, alice, cluster, state="stopped") for _number in range(12)]
    messages = act(operator, INSTANCES, "restart", *rows)
    assert len(messages) == 11
    assert messages[-1] == "2 more were refused."


def test_the_quota_holds_for_operators_too(operator, acme, alice, cluster):
    factories.cap(acme, running=0)
    instance = make(acme, alice, cluster, state="stopped")
    [message] = act(operator, INSTANCES, "resume", instance)
    assert "limit of 0 running instances" in message
    instance.refresh_from_db()
    assert instance.desired_state == "stopped"


def test_operators_pause_what_a_suspended_tenant_runs(operator, acme, alice, cluster):
    instance = make(acme, alice, cluster)
    acme.suspended_at = timezone.now()
    acme.save()
    assert act(operator, INSTANCES, "pause", instance) == ["Asked to pause: 1"]


@pytest.mark.parametrize(("action", "volume_state"), [("delete_keeping_data", "active"), ("delete_with_data", "trashed")])
def test_deleting_asks_first(operator, acme, alice, cluster, action, volume_state):
    instance = make(acme, alice, cluster, state="stopped", name="to be deleted")
    data = {"action": action, "_selected_action": [str(instance.pk)]}
    asked = operator.post(reverse(INSTANCES), data)
    assert asked.status_code == 200
    assert "to be deleted" in asked.content.decode()
    instance.refresh_from_db()
    assert instance.desired_state == "stopped"
    assert act(operator, INSTANCES, action, instance, confirmed="yes") == ["Asked to delete: 1"]
    instance.refresh_from_db()
    assert instance.desired_state == "deleted"
    assert Volume.objects.get(pk=instance.volume_id).state == volume_state


def test_staff_who_may_only_look_have_no_actions(client, acme, alice, cluster):
    sam = factories.make_operator("sam", "engines.view_instance")
    client.force_login(sam)
    instance = make(acme, alice, cluster)
    client.post(reverse(INSTANCES), {"action": "pause", "_selected_action": [str(instance.pk)]})
    button = reverse("admin:engines_instance_pause_one", args=[instance.pk])
    assert client.post(button, {"_form_submitted": "on"}, headers=HTMX).status_code == 403
    instance.refresh_from_db()
    assert instance.desired_state == "running"


def test_buttons_ask_before_they_act(operator, acme, alice, cluster):
    instance = make(acme, alice, cluster)
    page = operator.get(reverse("admin:engines_instance_change", args=[instance.pk]))
    button = reverse("admin:engines_instance_pause_one", args=[instance.pk])
    assert button in page.content.decode()
    asked = operator.get(button, headers=HTMX)
    assert "Its work in progress ends" in asked.content.decode()
    instance.refresh_from_db()
    assert instance.desired_state == "running"
    done = operator.post(button, {"_form_submitted": "on"}, headers=HTMX)
    assert done.headers["HX-Redirect"] == reverse("admin:engines_instance_change", args=[instance.pk])
    instance.refresh_from_db()
    assert instance.desired_state == "stopped"


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("running", {"pause", "restart", "delete"}),
        ("starting", {"pause", "delete"}),
        ("stopped", {"resume", "delete"}),
        ("failed", {"resume", "delete"}),
        ("deleted", set()),
    ],
)
def test_only_fitting_buttons_are_shown(operator, acme, alice, cluster, state, shown):
    instance = make(acme, alice, cluster, state=state)
    page = operator.get(reverse("admin:engines_instance_change", args=[instance.pk])).content.decode()
    names = {"pause", "resume", "restart", "delete"}
    assert {name for name in names if reverse(f"admin:engines_instance_{name}_one", args=[instance.pk]) in page} == shown


def test_a_button_for_a_row_that_does_not_exist(operator, acme):
    for pk in ["00000000-0000-0000-0000-000000000000", "nonsense"]:
        assert operator.post(f"/admin/engines/instance/{pk}/pause-one/", {"_form_submitted": "on"}).status_code == 404


def test_volumes_go_to_the_trash_and_come_back(operator, acme, alice, cluster):
    spare = factories.make_volume(acme, alice, cluster, name="spare")
    used = make(acme, alice, cluster, name="user").volume
    messages = act(operator, VOLUMES, "trash", spare, used)
    assert sorted(messages) == [f"Acme Studio / {used}: “{used}” is in use by user.", "Moved to the trash: 1"]
    spare.refresh_from_db()
    assert spare.state == "trashed"
    assert spare.purge_at is not None
    assert act(operator, VOLUMES, "restore", spare) == ["Restored: 1"]
    spare.refresh_from_db()
    assert (spare.state, spare.purge_at) == ("active", None)


@pytest.fixture
def draft(db):
    return factories.make_engine_version(status="draft", version="1", command=["run", "{port}"])


def test_the_life_of_a_version(operator, draft):
    act(operator, VERSIONS, "publish", draft)
    act(operator, VERSIONS, "make_default", draft)
    draft.refresh_from_db()
    assert (draft.status, draft.is_default) == ("published", True)
    act(operator, VERSIONS, "copy_to_draft", draft)
    act(operator, VERSIONS, "copy_to_draft", draft)
    copies = EngineVersion.objects.exclude(pk=draft.pk).order_by("pk")
    assert [(each.version, each.status, each.is_default, each.command) for each in copies] == [
        ("1-copy", "draft", False, ["run", "{port}"]),
        ("1-copy2", "draft", False, ["run", "{port}"]),
    ]
    act(operator, VERSIONS, "publish", copies[0])
    act(operator, VERSIONS, "make_default", copies[0])
    assert EngineVersion.objects.get(is_default=True) == copies[0]
    act(operator, VERSIONS, "deprecate", copies[0])
    assert not EngineVersion.objects.filter(is_default=True).exists()
    assert EngineVersion.objects.get(pk=copies[0].pk).status == "deprecated"


def test_drafts_are_neither_deprecated_nor_default(operator, draft):
    for action in ("deprecate", "make_default"):
        [message] = act(operator, VERSIONS, action, draft)
        assert str(draft) in message
    draft.refresh_from_db()
    assert (draft.status, draft.is_default) == ("draft", False)


def test_a_version_is_published_with_its_button(operator, draft):
    button = reverse("admin:engines_engineversion_publish_one", args=[draft.pk])
    operator.post(button, {"_form_submitted": "on"}, headers=HTMX)
    draft.refresh_from_db()
    assert draft.status == "published"


def form_of(version, **changes) -> dict[str, object]:
    """What the form of a version posts."""
    fields = {
        "engine": version.engine_id,
        "version": version.version,
        "title": "",
        "image": "registry.example.org/engine:1",
        "command": "[]",
        "args": "[]",
        "port": 7860,
        "health_path": "/up",
        "environment": "{}",
        "data_mounts": json.dumps([{"path": "/data"}]),
        "startup_limit_seconds": 300,
        "run_as": "",
        "shm_mib": 0,
        "min_gpu_memory_mib": 0,
        "migrate_command": "[]",
        "migrates_from": "[]",
        "sources": "[]",
        "notes": "",
        "released_at": "",
    }
    return fields | changes


def save(client, row, **changes):
    return client.post(reverse("admin:engines_engineversion_change", args=[row.pk]), form_of(row, **changes))


def test_a_draft_is_saved_as_a_catalog_file_would_be(operator, draft):
    mounts = json.dumps([{"path": "/models/", "subpath": "models"}])
    activity = '{"probe": {"kind": "none"}, "poll": ["^/queue"]}'
    saved = save(operator, draft, run_as="root", environment='{"MODE": "fast"}', data_mounts=mounts, activity=activity)
    assert saved.status_code == 302
    draft.refresh_from_db()
    assert draft.activity == {"probe": {"kind": "none"}, "poll": ["^/queue"]}
    assert (draft.run_as, draft.environment, draft.data_mounts) == (
        "0",
        {"MODE": "fast"},
        [{"path": "/models", "subpath": "models"}],
    )


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"args": '"--listen"'}, "args", 'Must be a list, such as ["one", "two"].'),
        ({"args": '["--port", 1]'}, "args", "Item 2 must be text, in double quotes."),
        ({"environment": '["A"]'}, "environment", 'Must be pairs, such as {"NAME": "value"}.'),
        ({"environment": '{"A": 1}'}, "environment", "“A” must be text, in double quotes."),
        ({"data_mounts": '[{"path": "data"}]'}, "data_mounts", "Item 1 “path” must be an absolute path below /, without “..”."),
        ({"data_mounts": '[{"path": "/data", "sub": "x"}]'}, "data_mounts", "Item 1 “sub” is not a known key."),
        ({"activity": '{"poll": "^/queue"}'}, "activity", '“poll” must be a list, such as ["one", "two"].'),
        ({"activity": '{"work": ["^/(a+)+"]}'}, "activity", "“work” item 1 must not repeat a group."),
        ({"activity": '{"probes": {}}'}, "activity", "“probes” is not a known key."),
        ({"data_mounts": "[]"}, None, "“data_mount” is required with “image”."),
        ({"image": ""}, None, "Needs either “image” or “command”, not both."),
        ({"run_as": "nobody"}, "run_as", None),
        ({"args": "not JSON"}, "args", "Enter a valid JSON."),
    ],
)
def test_what_a_catalog_file_may_not_say_the_form_may_not_either(operator, draft, changes, field, sentence):
    before = EngineVersion.objects.values().get(pk=draft.pk)
    refused = save(operator, draft, **changes)
    assert refused.status_code == 200
    errors = refused.context["adminform"].form.errors
    assert set(errors) == {field or "__all__"}
    if sentence:
        assert errors[field or "__all__"] == [sentence]
    assert EngineVersion.objects.values().get(pk=draft.pk) == before


@pytest.mark.parametrize("name", ["1A", "A B", ""])
def test_environment_names(operator, draft, name):
    refused = save(operator, draft, environment=json.dumps({name: "x"}))
    [sentence] = refused.context["adminform"].form.errors["environment"]
    assert "is not a legal environment name" in sentence


def test_what_is_published_stays_and_its_notes_may_change(operator, draft):
    act(operator, VERSIONS, "publish", draft)
    before = EngineVersion.objects.values().get(pk=draft.pk)
    assert save(operator, draft, notes="better", port=1, args='["--other"]').status_code == 302
    assert EngineVersion.objects.values().get(pk=draft.pk) == before | {"notes": "better"}
    delete = reverse("admin:engines_engineversion_delete", args=[draft.pk])
    assert operator.post(delete, {"post": "yes"}).status_code == 403


def test_a_draft_can_be_deleted(operator, draft):
    assert operator.post(reverse("admin:engines_engineversion_delete", args=[draft.pk]), {"post": "yes"}).status_code == 302
    assert not EngineVersion.objects.exists()


def test_a_gpu_class_is_held_to_the_rules_of_catalog_files(operator):
    fields = {
        "name": "Large",
        "slug": "large",
        "summary": "A whole GPU.",
        "vendor": "nvidia",
        "sharing": "exclusive",
        "memory_mib": 24576,
        "count": 1,
        "cpu_millis": 4000,
        "ram_mib": 32768,
        "resource": "",
        **dict.fromkeys(["extra_limits", "node_selector", "pod_labels", "pod_annotations", "dra"], "{}"),
        **dict.fromkeys(["affinity_preferred", "tolerations"], "[]"),
        "discover": '{"by": "allocatable"}',
        "max_per_tenant": "",
    }
    add = reverse("admin:engines_gpuclass_add")
    refused = operator.post(add, fields)
    assert refused.context["adminform"].form.errors == {"__all__": ["Needs either “resource” or “dra”."]}
    assert operator.post(add, fields | {"resource": "nvidia.com/gpu"}).status_code == 302
    added = GpuClass.objects.get()
    assert added.resource == "nvidia.com/gpu"
    change = reverse("admin:engines_gpuclass_change", args=[added.pk])
    assert operator.post(change, fields | {"resource": "nvidia.com/gpu", "slug": "other", "cpu_millis": 2000}).status_code == 302
    added.refresh_from_db()
    assert (added.slug, added.cpu_millis) == (fields["slug"], 2000)


def test_a_cluster_without_data_can_be_deleted_with_what_was_counted_there(operator, cluster):
    assert cluster.capacities.exists()
    assert operator.post(reverse("admin:engines_cluster_delete", args=[cluster.pk]), {"post": "yes"}).status_code == 302
    assert not Cluster.objects.exists()


def test_a_cluster_with_data_stays(operator, acme, alice, cluster):
    factories.make_volume(acme, alice, cluster)
    operator.post(reverse("admin:engines_cluster_delete", args=[cluster.pk]), {"post": "yes"})
    assert Cluster.objects.get() == cluster


def test_the_configuration_of_a_cluster_is_a_mapping(operator, cluster):
    page = reverse("admin:engines_cluster_change", args=[cluster.pk])
    inline = {f"capacities-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    refused = operator.post(page, {"name": "Here", "location": "onprem", "enabled": "on", "config": "[1]", **inline})
    assert refused.context["adminform"].form.errors == {"config": ['Must be pairs, such as {"root": "/srv/engines"}.']}


def test_nothing_but_the_reconciler_writes_states(operator, acme, alice, cluster):
    instance = make(acme, alice, cluster)
    for action in ("pause", "resume", "restart"):
        act(operator, INSTANCES, action, instance)
    assert Instance.objects.get().state == InstanceState.RUNNING


@pytest.mark.parametrize("config", ['{"slots": "many"}', '{"slots": {"cpu-small": "x"}}', '{"ports": [20000]}', '{"root": 7}'])
def test_a_configuration_that_makes_no_cluster_is_refused(operator, cluster, config):
    before = cluster.config
    page = reverse("admin:engines_cluster_change", args=[cluster.pk])
    inline = {"capacities-TOTAL_FORMS": "0", "capacities-INITIAL_FORMS": "0"}
    response = operator.post(page, {"name": "Here", "location": "onprem", "enabled": "on", "config": config, **inline})
    assert response.status_code == 200
    assert list(response.context["adminform"].form.errors) == ["config"]
    cluster.refresh_from_db()
    assert cluster.config == before


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ('{"kubeconfig": "/etc/aigc/kubeconfig", "storage_class": "fast"}', ""),
        ('{"kubeconfig": "relative"}', "“kubeconfig” must be the absolute path of a kubeconfig file"),
        ('{"storage": "fast"}', "“storage” is not a known key"),
    ],
)
def test_a_kubernetes_cluster_is_added_with_a_configuration_that_makes_one(operator, config, problem):
    fields = {"name": "Remote", "slug": "remote", "kind": "kubernetes", "location": "cloud", "enabled": "on", "config": config}
    inline = {"capacities-TOTAL_FORMS": "0", "capacities-INITIAL_FORMS": "0"}
    response = operator.post(reverse("admin:engines_cluster_add"), fields | inline)
    if problem:
        [sentence] = response.context["adminform"].form.errors["config"]
        assert sentence.startswith(f"No cluster can be made of this: {problem}")
        assert not Cluster.objects.exists()
    else:
        assert response.status_code == 302
        assert (Cluster.objects.get().location, Cluster.objects.get().kind) == ("cloud", "kubernetes")


def write(client, message, *instances, **more):
    data = {"action": "write_to_owners", "_selected_action": [str(each.pk) for each in instances], "message": message, **more}
    return client.post(reverse(INSTANCES), data, follow=True)


def test_writing_to_owners_asks_what_and_tells_each_once(operator, olga, acme, alice, anna, cluster):
    mine = [make(acme, alice, cluster, name=f"engine {number}") for number in range(7)]
    hers = make(acme, anna, cluster, name="Wyvern")
    asked = write(operator, "", *mine, hers)
    assert "Each owner is told once" in asked.content.decode()
    assert not Notification.objects.exists()
    again = write(operator, " ", *mine, hers, confirmed="yes")
    assert "Each owner is told once" in again.content.decode()
    done = write(operator, "Paused\ntonight", *mine, hers, confirmed="yes")
    assert [str(message) for message in done.context["messages"]] == ["2 owners were written to."]
    told = {each.recipients.get().user: each for each in Notification.objects.filter(kind="operator_message")}
    assert set(told) == {alice, anna}
    words = told[anna].about.words(told[anna].context)
    assert (words.title, words.sentence) == ("A message about Wyvern", "olga, who operates the portal, writes: “Paused tonight”.")
    assert told[alice].context["names"].endswith("+ 2")
    events = AuditEvent.objects.filter(kind="instance.owner_written", actor=olga, tenant=acme)
    assert {event.subject_name for event in events} == {"alice", "anna"}
    assert events.count() == 2


def test_staff_who_may_only_look_write_to_nobody(client, acme, alice, cluster):
    client.force_login(factories.make_operator("sam", "engines.view_instance"))
    write(client, "Hello", make(acme, alice, cluster), confirmed="yes")
    assert not Notification.objects.exists()
