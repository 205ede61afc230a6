"""The life cycle's rows, by concept."""

from engines.models.catalog import Capacity, Cluster, ClusterSecret, Engine, EngineFamily, EngineVersion, GpuClass
from engines.models.idle import IdleRule, Schedule, Use, UseSpan
from engines.models.instance import Instance, InstanceEvent
from engines.models.pictures import PictureCount
from engines.models.run import RunFact, TagChange, VolumeFact
from engines.models.sharing import Handover, Share
from engines.models.volume import Volume

__all__ = [
    "Capacity",
    "Cluster",
    "ClusterSecret",
    "Engine",
    "EngineFamily",
    "EngineVersion",
    "GpuClass",
    "Handover",
    "IdleRule",
    "Instance",
    "InstanceEvent",
    "PictureCount",
    "RunFact",
    "Schedule",
    "Share",
    "TagChange",
    "Use",
    "UseSpan",
    "Volume",
    "VolumeFact",
]
