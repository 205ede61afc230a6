"""The life of one Pod on its node: pulled, started, probed, restarted, ended, each step written as a kubelet writes it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.kubernetes.double.api import Writer
from tests.kubernetes.double.clock import now
from tests.kubernetes.double.containers import KILLED, Container, Process, Simulated
from tests.kubernetes.double.errors import ApiError
from tests.kubernetes.double.images import behaviour_of
from tests.kubernetes.double.launching import launch
from tests.kubernetes.double.logs import Log, path_of
from tests.kubernetes.double.pod_status import View, compose
from tests.kubernetes.double.preparing import already_there, configured, pull
from tests.kubernetes.double.probes import Prober
from tests.kubernetes.double.resources import PODS, Document

if TYPE_CHECKING:
    from tests.kubernetes.double.kubelet import Kubelet

KUBELET = Writer("kubelet", internal=True)
STEP_SECONDS = 0.2  # sandbox, container: what a node takes for each, at speed 1
FIRST_BACK_OFF_SECONDS = 10
LONGEST_BACK_OFF_SECONDS = 300


def spoken(seconds: int) -> str:
    """Write a duration as Go does: 10s, 1m20s."""
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"


class PodWorker:
    """One Pod and its one container."""

    def __init__(self, kubelet: "Kubelet", pod: Document) -> None:
        metadata = pod["metadata"]
        self.kubelet, self.pod = kubelet, pod
        self.key = (metadata["namespace"], metadata["name"])
        self.uid, self.node = metadata["uid"], pod["spec"]["nodeName"]
        self.spec = pod["spec"]["containers"][0]
        self.behaviour = behaviour_of(self.spec["image"], kubelet.images)
        self.view = View(host_ip=kubelet.host_ip(self.node))
        self.container: Container | None = None
        self.container_started = ""
        self.unstarted = False  # its last life ended because the startup probe gave up
        self.deadline: float | None = None  # of the loop's clock; set once the Pod is to end
        self.hastened = asyncio.Event()
        self.task = asyncio.ensure_future(self.guarded(self.live))

    # what is told to it

    def changed(self, pod: Document) -> None:
        """Hear of a new state of the Pod."""
        self.pod = pod
        if "deletionTimestamp" in pod["metadata"] and self.node not in self.kubelet.down:
            self.end_within(pod["metadata"]["deletionGracePeriodSeconds"])

    def end_within(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        if self.deadline is None:
            self.deadline = deadline
            self.task.cancel()
            self.task = asyncio.ensure_future(self.guarded(self.end))
        elif deadline < self.deadline:
            self.deadline = deadline
            self.hastened.set()

    def forget(self) -> None:
        """Hear that the Pod is gone: what still runs ends at once."""
        self.kubelet.workers.pop(self.uid, None)
        if self.node in self.kubelet.down:
            return  # a node that hears nothing lets it run on
        self.stop()
        shutil.rmtree(self.kubelet.directory / "pods" / self.uid, ignore_errors=True)

    def stop(self) -> None:
        if asyncio.current_task() is not self.task:
            self.task.cancel()
        if self.container and self.container.running:
            self.container.kill()

    def caught_up(self) -> None:
        """Hear that the node is up again: write what happened meanwhile, and do what was asked."""
        pod = self.kubelet.api.store.get(PODS, *self.key)
        if pod is None or pod["metadata"]["uid"] != self.uid:
            self.forget()
            return
        self.write()
        self.changed(pod)

    # writing

    def write(self) -> None:
        """Write the status, if anything in it changed; a node that is down writes nothing."""
        pod = self.kubelet.api.store.get(PODS, *self.key)
        if pod is None or pod["metadata"]["uid"] != self.uid or self.node in self.kubelet.down:
            return
        status = compose(pod, self.view)
        if status != pod["status"]:
            self.kubelet.api.change(PODS, *self.key, lambda old: {**old, "status": status}, KUBELET, "status")

    def event(self, kind: str, reason: str, message: str, *, pod: bool = False) -> None:
        if self.node in self.kubelet.down:
            return
        path = "" if pod else f"spec.containers{{{self.spec['name']}}}"
        self.kubelet.recorder.write(self.pod, "kubelet", kind, reason, message, host=self.node, field_path=path)

    def waiting(self, reason: str, message: str = "") -> None:
        self.view.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        self.write()

    # living

    async def guarded(self, life: Callable[[], Awaitable[None]]) -> None:
        try:
            await life()
        except Exception as error:
            self.kubelet.failures.append(error)
            raise

    async def step(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.kubelet.speed)

    async def live(self) -> None:
        self.write()
        await self.step(STEP_SECONDS)
        await pull(self)
        self.view.sandbox = True
        self.write()
        while True:
            environment = await configured(self)
            await self.awake()
            code = await self.one_life(environment)
            if not self.restarts_after(code):
                self.finish("Succeeded" if code == 0 else "Failed")
                return
            await self.back_off()
            self.view.restarts += 1

    async def awake(self) -> None:
        if event := self.kubelet.down.get(self.node):
            await event.wait()

    async def one_life(self, environment: dict[str, str]) -> int:
        """Run the container until it ends, by itself or because it does not start up; gives its exit code."""
        view = self.view
        if view.restarts:
            already_there(self)
        self.event("Normal", "Created", "Container created")
        if "terminated" in view.state:
            view.last_state = view.state
        view.container_id = f"containerd://{self.uid.replace('-', '')}{view.restarts:032x}"
        self.container_started, self.unstarted = now(), False
        problem = self.start(environment)
        if problem:
            self.end_state(128, "StartError", problem)
            self.write()
            return 128
        assert self.container is not None
        self.event("Normal", "Started", "Container started")
        view.state, view.phase = {"running": {"startedAt": self.container_started}}, "Running"
        view.image_id = "sha256:898de2fd7c1f4447c085143203ff65a25015d818123acb2439ee2a8b13e78540"
        view.pod_ip = view.pod_ip or self.kubelet.pod_ip()
        self.write()
        probing = asyncio.ensure_future(self.guarded(self.probe))
        try:
            # Not the future itself: who waits for it may be cancelled, the container is not.
            await asyncio.wait([self.container.done])
        finally:
            probing.cancel()
        code = self.container.done.result()
        self.end_state(code, "OOMKilled" if self.container.oom else "Completed" if code == 0 else "Error")
        if not self.unstarted and self.restarts_after(code):
            self.write()
        return code

    def start(self, environment: dict[str, str]) -> str:
        """Start the container; gives what is wrong if that cannot be done."""
        text = f"{self.spec['image']} of the double\n"
        log = Log(path_of(self.kubelet.directory / "logs", self.pod, self.view.restarts))
        error = self.behaviour.start_error
        try:
            if not error and self.behaviour.process:
                self.container = Process(launch(self.pod, self.spec, environment, self.kubelet.directory_of), log)
        except (OSError, ApiError) as problem:
            error = f"{problem}: unknown"
        if error:
            log.close()
            return (
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
                f"unable to start container process: error during container init: {error}"
            )
        if not self.behaviour.process:
            self.container = Simulated(self.behaviour, log, text)
        return ""

    def end_state(self, code: int, reason: str, message: str = "") -> None:
        if not message and code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError" and self.container:
            message = self.container.log.tail()
        ended = {"exitCode": code, "reason": reason} | ({"message": message} if message else {})
        ended |= {"startedAt": self.container_started, "finishedAt": now(), "containerID": self.view.container_id}
        self.view.state, self.view.started, self.view.ready = {"terminated": ended}, False, False

    # probes

    async def probe(self) -> None:
        assert self.container is not None
        prober = Prober(self.spec, self.container, self.view.pod_ip, self.kubelet.speed)
        if not await prober.run(told=self.unhealthy, started=self.is_started, ready=self.is_ready):
            self.event("Normal", "Killing", f"Container {self.spec['name']} failed startup probe, will be restarted")
            grace, self.unstarted = self.pod["spec"]["terminationGracePeriodSeconds"], True
            await self.end_container(asyncio.get_running_loop().time() + grace)

    def unhealthy(self, kind: str, failure: str) -> None:
        self.event("Warning", "Unhealthy", f"{kind} probe failed: {failure}")

    def is_started(self) -> None:
        self.view.started = True
        self.write()

    def is_ready(self, ready: bool) -> None:
        if ready != self.view.ready:
            self.view.ready = ready
            self.write()

    # ending

    def restarts_after(self, code: int) -> bool:
        policy = self.pod["spec"]["restartPolicy"]
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def back_off(self) -> None:
        """Wait before the next life: not the first time, then ever longer."""
        restarts = self.view.restarts
        if restarts == 0 or self.unstarted:
            await self.step(STEP_SECONDS)
            return
        seconds = min(FIRST_BACK_OFF_SECONDS * 2 ** (restarts - 1), LONGEST_BACK_OFF_SECONDS)
        name, whole = self.spec["name"], f"{self.key[1]}_{self.key[0]}({self.uid})"
        self.event("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {whole}")
        await self.step(1)
        self.view.last_state = self.view.state
        self.waiting("CrashLoopBackOff", f"back-off {spoken(seconds)} restarting failed container={name} pod={whole}")
        await self.step(seconds)

    async def end(self) -> None:
        """End the Pod in the time it has, write its last state, and let its object go."""
        container = self.container
        if container and container.running:
            self.event("Normal", "Killing", f"Stopping container {self.spec['name']}")
            self.write()
            await self.pre_stop()
            await self.end_container(self.deadline or 0)
            code = container.done.result()
            self.end_state(code, "Completed" if code == 0 else "Error")
            self.finish("Succeeded" if code == 0 else "Failed")
        await self.awake()
        try:
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
            self.kubelet.api.delete(PODS, *self.key, options)
        except ApiError:
            self.forget()

    async def pre_stop(self) -> None:
        seconds = ((self.spec.get("lifecycle") or {}).get("preStop") or {}).get("sleep", {}).get("seconds", 0)
        await asyncio.sleep(min(seconds / self.kubelet.speed, max(0, (self.deadline or 0) - asyncio.get_running_loop().time())))

    async def end_container(self, deadline: float) -> None:
        """SIGTERM, and SIGKILL when its time is over; its time may become shorter meanwhile."""
        container = self.container
        if container is None or not container.running:
            return
        container.terminate()
        loop = asyncio.get_running_loop()
        while container.running and (left := min(deadline, self.deadline or deadline) - loop.time()) > 0:
            self.hastened.clear()
            hastened = asyncio.ensure_future(self.hastened.wait())
            try:
                await asyncio.wait([container.done, hastened], timeout=left, return_when=asyncio.FIRST_COMPLETED)
            finally:
                hastened.cancel()
        container.kill()
        await asyncio.wait([container.done])

    def finish(self, phase: str, *, reason: str = "", message: str = "") -> None:
        """Write that the Pod is over."""
        self.view.phase, self.view.sandbox, self.view.ready, self.view.started = phase, False, False, False
        self.view.reason, self.view.message = reason, message
        self.write()

    async def evict(self, message: str) -> None:
        """End the Pod as a node under pressure does; its object stays, as Failed."""
        self.event("Warning", "Evicted", message, pod=True)
        self.event("Normal", "Killing", f"Stopping container {self.spec['name']}")
        self.task.cancel()
        if self.container and self.container.running:
            self.container.kill()
            await asyncio.wait([self.container.done])
        ended = {"exitCode": KILLED, "reason": "Error", "startedAt": self.container_started or now(), "finishedAt": now()}
        self.view.state = {"terminated": ended | {"containerID": self.view.container_id}}
        self.finish("Failed", reason="Evicted", message=message)
