"""Whether NetworkPolicies hold: a Pod under the rules of engines tries what must fail, and says what it reached.

A cluster accepts policies that its network ignores, so that only an attempt can tell. Names must resolve for an answer: where
they do not, a network that is broken would look like one that is closed.
"""

import time
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from engines.clusters.base import ClusterUnavailable, Finding, WorkloadSpec
from engines.clusters.kubernetes import paths
from engines.clusters.kubernetes.config import KubernetesConfig
from engines.clusters.kubernetes.labels import OURS, ROLE, ROLE_ENGINE
from engines.clusters.kubernetes.manifests.security import container_security_context, pod_security_context
from engines.clusters.kubernetes.manifests.tenant import SERVICE_ACCOUNT
from engines.clusters.kubernetes.objects import Json, listed, text
from engines.clusters.kubernetes.rest import ApiError, Rest
from engines.clusters.sentences import Words, unknown

SUBJECT = "network policies"
# Never 0: an image that does something else and ends well has tried nothing.
HELD, REACHED, NO_NAMES = 30, 10, 20
_NAME = "aigc-portal-probe"
_POLL_SECONDS = 0.3
_LONGEST_SECONDS = 60

# Policies may take a moment to hold for a new Pod, hence the wait.
_SCRIPT = f"""
for tool in nc nslookup; do
  command -v $tool >/dev/null || {{ echo "no $tool in the image" >/dev/termination-log; exit 1; }}
done
sleep 3
nslookup kubernetes.default.svc.cluster.local >/dev/null 2>&1 || {{ echo names >/dev/termination-log; exit {NO_NAMES}; }}
reached=""
try() {{ nc -z -w 2 "$2" "$3" >/dev/null 2>&1 && reached="$reached $1"; }}
try api-server "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT"
try metadata 169.254.169.254 80
try kube-dns-metrics kube-dns.kube-system.svc.cluster.local 9153
echo "$reached" >/dev/termination-log
[ -z "$reached" ] || exit {REACHED}
exit {HELD}
"""


def probe(rest: Rest, config: KubernetesConfig, namespace: str, *, seconds: float) -> Finding:
    """Run the Pod in a tenant's namespace, wait for its end at most `seconds`, and remove it."""
    if not namespace:
        return Finding(SUBJECT, None, unknown(_("no tenant has a namespace here yet")))
    home = paths.member("pods", namespace, _NAME)
    try:
        made = rest.create(paths.collection("pods", namespace), probe_pod(config, namespace))
    except ApiError as error:
        return Finding(SUBJECT, None, unknown(_clear(rest, home) if error.status == 409 else error))
    try:
        return _verdict(_ended(rest, home, seconds), namespace)
    finally:
        _remove(rest, home, text(made, "metadata", "uid"))


def _clear(rest: Rest, home: str) -> Words:
    """Remove what an earlier test left behind; say what stands in the way of this one."""
    pod = rest.find(home) or {}
    if text(pod, "status", "phase") not in {"Succeeded", "Failed"}:
        return _("another test is under way")
    _remove(rest, home, text(pod, "metadata", "uid"))
    return _("the Pod of an earlier test was still there and is removed now; test again")


def _ended(rest: Rest, home: str, seconds: float) -> Json:
    """Return the Pod as it is when its container has ended, or when there is no more time."""
    deadline = time.monotonic() + seconds
    while True:
        pod = rest.find(home) or {}
        if not pod or text(pod, "status", "phase") in {"Succeeded", "Failed"} or time.monotonic() > deadline:
            return pod
        time.sleep(_POLL_SECONDS)


def _verdict(pod: Json, namespace: str) -> Finding:
    state: dict[str, Any] = next((each.get("state") or {} for each in listed(pod, "status", "containerStatuses")), {})
    ended = state.get("terminated") or {}
    code, said = ended.get("exitCode"), str(ended.get("message", "")).strip()
    if code == HELD:
        sentence = _("an engine in {namespace} reaches neither API server nor metadata nor other Services")
        return Finding(SUBJECT, True, format_lazy(sentence, namespace=namespace))
    if code == REACHED:
        sentence = _("an engine in {namespace} reaches what it must not: {what}")
        return Finding(SUBJECT, False, format_lazy(sentence, namespace=namespace, what=said or _("not said what")))
    if code == NO_NAMES:
        return Finding(SUBJECT, None, unknown(_("the probe could not resolve names, so its network may be down")))
    return Finding(SUBJECT, None, unknown(format_lazy(_("the probe gave no answer: {why}"), why=_why_none(state, said))))


def _why_none(state: Json, said: str) -> Words:
    """Say why the probe did not come to an answer: in the cluster's words, where it has some."""
    if state.get("terminated"):
        code = state["terminated"].get("exitCode")
        return format_lazy(_("exit code {code} {said}"), code=code, said=said)
    waiting = state.get("waiting") or {}
    return str(waiting.get("message") or waiting.get("reason") or "") or _("it did not end in time")


def _remove(rest: Rest, home: str, uid: str) -> None:
    """Delete the Pod; where that fails it has its own deadline, and the next test tries again."""
    try:
        rest.delete(home, uid=uid, grace_seconds=1)
    except (ApiError, ClusterUnavailable):
        return


def probe_pod(config: KubernetesConfig, namespace: str) -> dict[str, Any]:
    """Return the Pod. It has an engine's role for the policies, and nothing that makes the watcher take it for one."""
    nobody = WorkloadSpec(name="", instance_id="", tenant="", epoch=0, volume="")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _NAME, "namespace": namespace, "labels": {ROLE: ROLE_ENGINE, f"{OURS}probe": "network"}},
        "spec": {
            "serviceAccountName": SERVICE_ACCOUNT,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _LONGEST_SECONDS,
            "terminationGracePeriodSeconds": 1,
            "securityContext": pod_security_context(config, nobody),
            "containers": [
                {
                    "name": "probe",
                    "image": config.probe_image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", _SCRIPT],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "16Mi"},
                        "limits": {"cpu": "100m", "memory": "64Mi"},
                    },
                    "securityContext": container_security_context(nobody) | {"readOnlyRootFilesystem": True},
                }
            ],
        },
    }
