"""The status of a Pod with one container, as a kubelet writes it."""

from dataclasses import dataclass, field

from tests.kubernetes.double.clock import now
from tests.kubernetes.double.resources import Document

FINAL = ("Failed", "Succeeded")
ORDER = ("DisruptionTarget", "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass
class View:
    """What the kubelet knows of a Pod; `state` and `last_state` are ContainerState objects."""

    host_ip: str
    pod_ip: str = ""
    phase: str = "Pending"
    sandbox: bool = False
    state: Document = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: Document = field(default_factory=dict)
    container_id: str = ""
    image_id: str = ""
    started: bool = False
    ready: bool = False
    restarts: int = 0
    reason: str = ""
    message: str = ""


def compose(pod: Document, view: View) -> Document:
    """Write the status anew; what was true before keeps the moment since when."""
    before = {each["type"]: each for each in pod["status"].get("conditions", [])}
    generation = pod["metadata"]["generation"]
    status: Document = {"observedGeneration": generation, "phase": view.phase}
    wanted = {**before, **{each["type"]: each for each in conditions(pod, view)}}
    known = [name for name in ORDER if name in wanted] + [name for name in wanted if name not in ORDER]
    status["conditions"] = [settled(wanted[name], before.get(name), generation) for name in known]
    if view.reason:
        status |= {"reason": view.reason, "message": view.message}
    status |= {"hostIP": view.host_ip, "hostIPs": [{"ip": view.host_ip}]}
    if view.pod_ip:
        status |= {"podIP": view.pod_ip, "podIPs": [{"ip": view.pod_ip}]}
    status["startTime"] = pod["status"].get("startTime") or now()
    status["containerStatuses"] = [container_status(pod, view)]
    status["qosClass"] = pod["status"]["qosClass"]
    return status


def conditions(pod: Document, view: View) -> list[Document]:
    name = pod["spec"]["containers"][0]["name"]
    if view.phase in FINAL:
        why = {"reason": "PodFailed" if view.phase == "Failed" else "PodCompleted"}
    elif view.ready:
        why = {}
    else:
        why = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{name}]"}
    ready = "True" if view.ready and view.phase not in FINAL else "False"
    return [
        {"type": "PodReadyToStartContainers", "status": "True" if view.sandbox else "False"},
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", "status": ready, **why},
        {"type": "ContainersReady", "status": ready, **why},
        {"type": "PodScheduled", "status": "True"},
    ]


def settled(condition: Document, before: Document | None, generation: int) -> Document:
    same = before is not None and before["status"] == condition["status"]
    since = before["lastTransitionTime"] if same and before is not None else now()
    return {"observedGeneration": generation, "lastProbeTime": None, "lastTransitionTime": since} | condition


def container_status(pod: Document, view: View) -> Document:
    container = pod["spec"]["containers"][0]
    status = {"name": container["name"], "state": view.state, "lastState": view.last_state, "ready": view.ready}
    status |= {"restartCount": view.restarts, "image": container["image"], "imageID": view.image_id, "started": view.started}
    if view.container_id:
        status |= {"containerID": view.container_id, "resources": container["resources"]}
        if requests := container["resources"].get("requests"):
            status["allocatedResources"] = requests
    return status
