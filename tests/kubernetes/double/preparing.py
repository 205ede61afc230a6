"""What comes before a container: its image is pulled, its variables are resolved, each tried again until it works."""

import asyncio
import re
from typing import TYPE_CHECKING

from tests.kubernetes.double.images import behaviour_of
from tests.kubernetes.double.launching import ConfigError, environment_of

if TYPE_CHECKING:
    from tests.kubernetes.double.pod_worker import PodWorker

RETRY_SECONDS = 12


async def pull(worker: "PodWorker") -> None:
    image, error = worker.spec["image"], worker.behaviour.pull_error
    if re.search(r"[A-Z\s]", image.rpartition(":")[0] or image):
        told = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format: '
        worker.waiting("InvalidImageName", told + "repository name must be lowercase")
        await asyncio.Event().wait()
    while error:
        worker.event("Normal", "Pulling", f'Pulling image "{image}"')
        worker.view.sandbox = True
        worker.write()
        worker.view.pod_ip = worker.view.pod_ip or worker.kubelet.pod_ip()
        worker.event("Warning", "Failed", f'Failed to pull image "{image}": {error}')
        worker.event("Warning", "Failed", "Error: ErrImagePull")
        worker.waiting("ErrImagePull", error)
        await worker.step(1)
        worker.event("Normal", "BackOff", f'Back-off pulling image "{image}"')
        worker.event("Warning", "Failed", "Error: ImagePullBackOff")
        worker.waiting("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
        await worker.step(RETRY_SECONDS)
        error = behaviour_of(image, worker.kubelet.images).pull_error
    if worker.behaviour.pull_seconds and image not in worker.kubelet.pulled:
        worker.event("Normal", "Pulling", f'Pulling image "{image}"')
        await asyncio.sleep(worker.behaviour.pull_seconds)
        took = f"{worker.behaviour.pull_seconds:g}s"
        told = f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: 14123456789 bytes.'
        worker.event("Normal", "Pulled", told)
    else:
        already_there(worker)
    worker.kubelet.pulled.add(image)


def already_there(worker: "PodWorker") -> None:
    told = f'Container image "{worker.spec["image"]}" already present on machine and can be accessed by the pod'
    worker.event("Normal", "Pulled", told)


async def configured(worker: "PodWorker") -> dict[str, str]:
    """Resolve the container's variables, and wait until that works."""
    while True:
        try:
            return environment_of(worker.kubelet.api.store, worker.pod, worker.spec)
        except ConfigError as error:
            worker.event("Warning", "Failed", f"Error: {error}")
            worker.view.pod_ip = worker.view.pod_ip or worker.kubelet.pod_ip()
            worker.waiting("CreateContainerConfigError", str(error))
            await worker.step(RETRY_SECONDS)
            already_there(worker)
