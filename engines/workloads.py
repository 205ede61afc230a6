"""Rows to specs: what a cluster is asked to run for an instance."""

from engines.clusters.base import GpuSpec, Mount, WorkloadSpec
from engines.models import GpuClass, Instance


def workload_spec(instance: Instance) -> WorkloadSpec:
    """Describe the workload of the instance's last admitted wish, complete in itself."""
    version = instance.engine_version
    return WorkloadSpec(
        name=instance.workload,
        instance_id=str(instance.pk),
        tenant=instance.tenant.slug,
        epoch=instance.applied_generation,
        volume=instance.volume.workload_volume,
        image=version.image,
        command=tuple(version.command),
        args=tuple(version.args),
        port=version.port,
        health_path=version.health_path,
        data_mounts=tuple(Mount(mount["path"], mount.get("subpath", "")) for mount in version.data_mounts),
        shm_mib=version.shm_mib,
        environment=dict(version.environment),
        startup_limit_seconds=version.startup_limit_seconds,
        run_as=version.run_as,
        gpu=_gpu_spec(instance.gpu_class),
    )


def _gpu_spec(gpu_class: GpuClass) -> GpuSpec:
    return GpuSpec(
        gpu_class=gpu_class.slug,
        vendor=gpu_class.vendor,
        resource=gpu_class.resource,
        count=gpu_class.count,
        cpu_millis=gpu_class.cpu_millis,
        ram_mib=gpu_class.ram_mib,
    )
