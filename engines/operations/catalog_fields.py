"""From entries of a catalog file to columns of the catalog's tables. Pure."""

from typing import Any

from engines import catalog_schema as schema


def engine_fields(engine: schema.Engine) -> dict[str, Any]:
    """Columns of `Engine`; `hidden` is the operator's own and not in the file."""
    return {
        "name": engine.name,
        "summary": engine.summary,
        "family": engine.family,
        "mark": engine.mark.glyph,
        "mark_colour": engine.mark.colour,
        "homepage": engine.homepage or "",
    }


def version_fields(version: schema.EngineVersion) -> dict[str, Any]:
    """Columns of `EngineVersion` but for `status` and `is_default`, which only move by rules."""
    return {
        "title": version.title or "",
        "image": version.image or "",
        "command": version.command or [],
        "args": version.args,
        "port": version.port or 0,
        "health_path": version.health_path,
        "data_mounts": [mount.model_dump(exclude_none=True) for mount in version.data_mount],
        "environment": version.env,
        "secret_environment": {name: entry.model_dump() for name, entry in version.secret_env.items()},
        "shared_mounts": [mount.model_dump() for mount in version.shared_mounts],
        "pod_patch": version.pod_patch,
        "activity": version.activity.model_dump(mode="json", exclude_unset=True),
        "startup_limit_seconds": version.startup_limit_seconds,
        "run_as": "" if version.runs_as is None else str(version.runs_as),
        "shm_mib": version.shm_mib or 0,
        "min_gpu_memory_mib": version.min_gpu_memory_mib or 0,
        "migrate_command": version.migrate_command or [],
        "migrates_from": version.migrates_from,
        "sources": version.source,
        "notes": version.notes or "",
        "released_at": version.released_at,
    }


IN_FILE = {
    "environment": "env",
    "secret_environment": "secret_env",
    "data_mounts": "data_mount",
    "run_as": "runs_as",
    "sources": "source",
}
"""What the file calls a column, where the names differ."""


def gpu_class_fields(gpu_class: schema.GpuClass) -> dict[str, Any]:
    """Columns of `GpuClass`; the price belongs to billing, and `hidden` is the operator's own."""
    return {
        "name": gpu_class.name,
        "summary": gpu_class.summary,
        "vendor": gpu_class.vendor,
        "sharing": gpu_class.sharing,
        "memory_mib": gpu_class.memory_mib or 0,
        "resource": gpu_class.resource or "",
        "count": gpu_class.count,
        "part_millis": gpu_class.part_millis,
        "cpu_millis": gpu_class.cpu_millis,
        "ram_mib": gpu_class.ram_mib,
        "extra_limits": gpu_class.extra_limits,
        "node_selector": gpu_class.node_selector,
        "affinity_preferred": [each.model_dump() for each in gpu_class.affinity_preferred],
        "tolerations": [each.model_dump(exclude_none=True) for each in gpu_class.tolerations],
        "runtime_class_name": gpu_class.runtime_class_name or "",
        "scheduler_name": gpu_class.scheduler_name or "",
        "pod_labels": gpu_class.pod_labels,
        "pod_annotations": gpu_class.pod_annotations,
        "dra": gpu_class.dra.model_dump() if gpu_class.dra else {},
        "pod_patch": gpu_class.pod_patch,
        "discover": gpu_class.discover.model_dump(exclude_none=True),
        "max_per_tenant": gpu_class.max_per_tenant,
    }
