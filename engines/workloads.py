"""Rows to specs: what a cluster is asked to run for an instance."""

from django.conf import settings

from engines.clusters.base import GpuSpec, Mount, SecretKey, SharedMount, WorkloadSpec
from engines.models import GpuClass, Instance


def workload_spec(instance: Instance) -> WorkloadSpec:
    """Describe the workload of the instance's last admitted wish, complete in itself."""
    version, workload = instance.engine_version, instance.workload
    return WorkloadSpec(
        name=workload.name,
        namespace=workload.namespace,
        instance_id=str(instance.pk),
        tenant=instance.tenant.slug,
        epoch=instance.applied_generation,
        volume=workload.volume,
        engine=version.engine.slug,
        image=version.image,
        command=tuple(version.command),
        args=tuple(version.args),
        port=version.port,
        health_path=version.health_path,
        data_mounts=tuple(Mount(mount["path"], mount.get("subpath", "")) for mount in version.data_mounts),
        shm_mib=version.shm_mib,
        environment=dict(version.environment),
        secret_environment={name: SecretKey(entry["secret"], entry["key"]) for name, entry in version.secret_environment.items()},
        shared_mounts=tuple(SharedMount(mount["claim"], mount["path"]) for mount in version.shared_mounts),
        pod_patch=version.pod_patch,
        startup_limit_seconds=version.startup_limit_seconds,
        stop_grace_seconds=settings.STOP_GRACE_SECONDS,
        run_as=version.run_as,
        pool=instance.pool,
        gpu=gpu_spec(instance.gpu_class),
    )


def gpu_spec(gpu_class: GpuClass) -> GpuSpec:
    """Describe what a workload of the class asks for."""
    return GpuSpec(
        gpu_class=gpu_class.slug,
        vendor=gpu_class.vendor,
        sharing=gpu_class.sharing,
        resource=gpu_class.resource,
        count=gpu_class.count,
        cpu_millis=gpu_class.cpu_millis,
        ram_mib=gpu_class.ram_mib,
        extra_limits=gpu_class.extra_limits,
        node_selector=gpu_class.node_selector,
        affinity_preferred=tuple(gpu_class.affinity_preferred),
        tolerations=tuple(gpu_class.tolerations),
        runtime_class_name=gpu_class.runtime_class_name,
        scheduler_name=gpu_class.scheduler_name,
        pod_labels=gpu_class.pod_labels,
        pod_annotations=gpu_class.pod_annotations,
        dra=gpu_class.dra,
        discover=gpu_class.discover,
        pod_patch=gpu_class.pod_patch,
    )
