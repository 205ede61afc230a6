"""What can be launched, and on what."""

from datetime import timedelta
from typing import TypedDict

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from aigc_portal.sealed_field import SealedField
from aigc_portal.sealing import unseal

absolute_path = RegexValidator(r"^/[^\0]*$", _("Must be an absolute path."))


class EngineFamily(models.TextChoices):
    """Which API an engine speaks; decides how its activity is read."""

    COMFYUI = "comfyui", "ComfyUI"
    SD_WEBUI = "sd-webui", "Stable Diffusion WebUI"
    GRADIO = "gradio", "Gradio"
    HTTP = "http", _("any web page")


class Engine(models.Model):
    """A kind of AIGC application."""

    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    summary = models.CharField(_("summary"), max_length=200, blank=True)
    mark = models.CharField(_("mark"), max_length=2, blank=True, help_text=_("One or two letters, shown as its icon."))
    mark_colour = models.CharField(
        _("mark colour"), max_length=7, default="#5b6cff", validators=[RegexValidator(r"^#[0-9a-f]{6}$")]
    )
    homepage = models.URLField(_("homepage"), blank=True)
    family = models.CharField(_("family"), max_length=10, choices=EngineFamily.choices, default=EngineFamily.HTTP)
    hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Not offered for new launches."))

    class Meta:
        verbose_name = _("engine")
        verbose_name_plural = _("engines")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class EngineVersion(models.Model):
    """One immutable image or command of an engine with its defaults.

    A database trigger refuses changes to what runs once the version has left draft; only status, default and notes may change.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        DEPRECATED = "deprecated", _("deprecated")

    engine = models.ForeignKey(Engine, on_delete=models.PROTECT, related_name="versions", verbose_name=_("engine"))
    version = models.CharField(_("version"), max_length=40)
    title = models.CharField(_("title"), max_length=80, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    is_default = models.BooleanField(_("default"), default=False, help_text=_("Chosen unless the artist picks another."))
    image = models.CharField(_("image"), max_length=300, blank=True, help_text=_("Container image, best by digest."))
    command = models.JSONField(
        _("command"), default=list, blank=True, help_text=_("List of words. {port}, {data} and {python} are filled in.")
    )
    args = models.JSONField(_("arguments"), default=list, blank=True)
    port = models.PositiveIntegerField(
        _("port"), default=0, validators=[MaxValueValidator(65535)], help_text=_("0 where the cluster chooses.")
    )
    health_path = models.CharField(_("health path"), max_length=200, default="/", validators=[absolute_path])
    data_mounts = models.JSONField(
        _("data mounts"),
        default=list,
        blank=True,
        help_text=_('List of {"path": "/in/container", "subpath": "in/volume"}.'),
    )
    environment = models.JSONField(_("environment"), default=dict, blank=True)
    secret_environment = models.JSONField(
        _("environment from secrets"),
        default=dict,
        blank=True,
        help_text=_('Secrets of the team\'s namespace: {"HF_TOKEN": {"secret": "hf", "key": "token"}}.'),
    )
    shared_mounts = models.JSONField(
        _("shared mounts"),
        default=list,
        blank=True,
        help_text=_('Claims that many read and nobody writes: list of {"claim": "models", "path": "/models"}.'),
    )
    pod_patch = models.JSONField(
        _("Pod patch"),
        default=dict,
        blank=True,
        help_text=_("Strategic merge patch of the Pod, after that of the GPU class."),
    )
    activity = models.JSONField(
        _("activity"),
        default=dict,
        blank=True,
        help_text=_("How its use is told, where it is not as usual in its family: probe, poll, work, websocket_is_user."),
    )
    startup_limit_seconds = models.PositiveIntegerField(
        _("start-up limit, seconds"), default=300, validators=[MinValueValidator(1)]
    )
    run_as = models.CharField(_("runs as"), max_length=20, blank=True, help_text=_("Numeric user of the image, or root."))
    shm_mib = models.PositiveIntegerField(_("shared memory, MiB"), default=0)
    min_gpu_memory_mib = models.PositiveIntegerField(_("GPU memory, at least, MiB"), default=0)
    migrate_command = models.JSONField(
        _("migration command"),
        default=list,
        blank=True,
        help_text=_("Runs on a copy of data that an older version wrote."),
    )
    migrates_from = models.JSONField(_("migrates from"), default=list, blank=True)
    sources = models.JSONField(_("sources"), default=list, blank=True, help_text=_("Addresses that prove the fields above."))
    notes = models.TextField(_("notes"), blank=True)
    released_at = models.DateField(_("released at"), null=True, blank=True)

    class Meta:
        verbose_name = _("engine version")
        verbose_name_plural = _("engine versions")
        ordering = ["engine__name", "-is_default", "-released_at", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["engine", "version"], name="engine_version_unique"),
            models.UniqueConstraint(
                fields=["engine"], condition=models.Q(is_default=True), name="one_default_version_per_engine"
            ),
            models.CheckConstraint(condition=~models.Q(image="", command=[]), name="version_has_image_or_command"),
        ]

    def __str__(self) -> str:
        return f"{self.engine.name} {self.version}"

    @property
    def cluster_kind(self) -> str:
        """The kind of cluster that can run it: images run on Kubernetes, plain commands on this machine."""
        return Cluster.Kind.KUBERNETES if self.image else Cluster.Kind.LOCAL


class GpuClass(models.Model):
    """A GPU offer, as StorageClass is one for disks: what a workload asks for and where it may land, as data."""

    class Vendor(models.TextChoices):
        NVIDIA = "nvidia", "NVIDIA"
        AMD = "amd", "AMD"
        INTEL = "intel", "Intel"
        CPU = "cpu", _("no GPU")
        OTHER = "other", _("other")

    class Sharing(models.TextChoices):
        EXCLUSIVE = "exclusive", _("whole device")
        MIG = "mig", "MIG"
        TIME_SLICING = "time-slicing", _("time-slicing")
        MPS = "mps", "MPS"
        HAMI = "hami", "HAMi"

    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    summary = models.CharField(_("summary"), max_length=200, blank=True)
    vendor = models.CharField(_("vendor"), max_length=8, choices=Vendor.choices, default=Vendor.NVIDIA)
    sharing = models.CharField(_("sharing"), max_length=12, choices=Sharing.choices, default=Sharing.EXCLUSIVE)
    memory_mib = models.PositiveIntegerField(_("GPU memory, MiB"), default=0)
    resource = models.CharField(_("resource"), max_length=100, blank=True, help_text=_("Extended resource, e.g. nvidia.com/gpu."))
    count = models.PositiveIntegerField(_("count"), default=1)
    part_millis = models.PositiveIntegerField(
        _("counts as, thousandths of a GPU"),
        null=True,
        blank=True,
        help_text=_(
            "Of each instance, against limits. Empty: whole devices by their count, a share as one GPU, none without a GPU."
        ),
    )
    cpu_millis = models.PositiveIntegerField(_("CPU, thousandths of a core"), default=1000)
    ram_mib = models.PositiveIntegerField(_("memory, MiB"), default=4096)
    extra_limits = models.JSONField(_("further limits"), default=dict, blank=True)
    node_selector = models.JSONField(_("node selector"), default=dict, blank=True)
    affinity_preferred = models.JSONField(_("preferred node affinity"), default=list, blank=True)
    tolerations = models.JSONField(_("tolerations"), default=list, blank=True)
    runtime_class_name = models.CharField(_("runtime class"), max_length=100, blank=True)
    scheduler_name = models.CharField(_("scheduler"), max_length=100, blank=True)
    pod_labels = models.JSONField(_("Pod labels"), default=dict, blank=True)
    pod_annotations = models.JSONField(_("Pod annotations"), default=dict, blank=True)
    dra = models.JSONField(_("device claim"), default=dict, blank=True, help_text=_("Dynamic resource allocation requests."))
    pod_patch = models.JSONField(_("Pod patch"), default=dict, blank=True, help_text=_("Strategic merge patch of the Pod."))
    discover = models.JSONField(_("discovery"), default=dict, blank=True, help_text=_("How nodes advertise this class."))
    max_per_tenant = models.PositiveIntegerField(_("per tenant, at most"), null=True, blank=True)
    billed_milli = models.PositiveIntegerField(
        _("billed share, thousandths"),
        default=1000,
        validators=[MinValueValidator(1)],
        help_text=_(
            "Of what its price is for: 250 where an instance has one of four replicas and the price is that of a whole GPU."
        ),
    )
    hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Not offered for new launches."))

    class Meta:
        verbose_name = _("GPU class")
        verbose_name_plural = _("GPU classes")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def gpu_millis(self) -> int:
        """What an instance of it counts as against limits of GPUs, in thousandths of one; `gpu_millis_of` is the same in SQL."""
        if self.part_millis is not None:
            return self.part_millis
        if self.vendor == self.Vendor.CPU:
            return 0
        return 1000 * self.count if self.sharing == self.Sharing.EXCLUSIVE else 1000


class Cluster(models.Model):
    """A place that runs engines."""

    SILENT_AFTER = timedelta(seconds=20)
    """A watcher says every second that it is awake; after this it is taken for dead, and what is known of its cluster for old."""

    class Kind(models.TextChoices):
        LOCAL = "local", _("this machine")
        KUBERNETES = "kubernetes", "Kubernetes"

    class Location(models.TextChoices):
        ONPREM = "onprem", _("on premises")
        CLOUD = "cloud", _("cloud")

    slug = models.SlugField(_("slug"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    config = models.JSONField(_("configuration"), default=dict, blank=True)
    location = models.CharField(
        _("location"),
        max_length=6,
        choices=Location.choices,
        default=Location.ONPREM,
        help_text=_("Launches go on premises first, and to the cloud for tenants that may use it."),
    )
    enabled = models.BooleanField(_("enabled"), default=True, help_text=_("Takes new launches."))
    # When one of its secrets was last stored or removed: running processes then make their adapter anew.
    credentials_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    watched_at = models.DateTimeField(_("last heard of"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("cluster")
        verbose_name_plural = _("clusters")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_silent(self) -> bool:
        """Tell whether its watcher was awake once and is not any more, so that what is known of it is old."""
        return self.watched_at is not None and self.watched_at < timezone.now() - self.SILENT_AFTER

    def place(self, pool: str) -> str:
        """Name it and, where it is divided, one of its pools: for operators."""
        return f"{self}/{pool}" if pool else str(self)

    def credential(self, name: str) -> str:
        """Return a stored secret in the clear; KeyError if there is none of this name, sealing.Unreadable without its key."""
        sealed = self.secrets.filter(name=name).values_list("sealed", flat=True).first()
        if sealed is None:
            raise KeyError(name)
        return unseal(sealed)


class ClusterSecret(models.Model):
    """A credential of a cluster, encrypted by the portal's keys: written by people, read by adapters, shown to nobody."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="secrets", verbose_name=_("cluster"))
    name = models.SlugField(_("name"), max_length=40, help_text=_("What the cluster's configuration calls it."))
    sealed = SealedField()
    updated_at = models.DateTimeField(_("stored at"), auto_now=True)

    class Meta:
        verbose_name = _("cluster secret")
        verbose_name_plural = _("cluster secrets")
        ordering = ["cluster__name", "name"]
        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="cluster_secret_name_unique")]

    def __str__(self) -> str:
        return f"{self.name} @ {self.cluster}"

    def __repr__(self) -> str:
        return f"<ClusterSecret {self.pk}>"


class Placement(TypedDict):
    """What slots are counted by."""

    cluster_id: int
    gpu_class_id: int
    pool: str


class Capacity(models.Model):
    """How many slots of a GPU class a cluster has, or one of its pools. The row is the lock under which slots are handed out."""

    EVIDENCE_LENGTH = 300

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="capacities", verbose_name=_("cluster"))
    gpu_class = models.ForeignKey(GpuClass, on_delete=models.CASCADE, related_name="capacities", verbose_name=_("GPU class"))
    # Empty in a cluster whose nodes are not divided.
    pool = models.CharField(_("pool"), max_length=6, choices=Cluster.Location.choices, blank=True, default="")
    slots = models.PositiveIntegerField(_("slots"), default=0)
    largest_node = models.PositiveIntegerField(_("on the largest node"), default=0)
    evidence = models.CharField(_("why there are none"), max_length=EVIDENCE_LENGTH, blank=True)

    class Meta:
        verbose_name = _("capacity")
        verbose_name_plural = _("capacities")
        constraints = [models.UniqueConstraint(fields=["cluster", "gpu_class", "pool"], name="one_capacity_per_class")]

    def __str__(self) -> str:
        return f"{self.slots} × {self.gpu_class} @ {self.cluster.place(self.pool)}"

    @property
    def placement(self) -> Placement:
        """Where its slots are."""
        return {"cluster_id": self.cluster_id, "gpu_class_id": self.gpu_class_id, "pool": self.pool}

    @property
    def location(self) -> Cluster.Location:
        """Where its nodes are: each pool is in one place, and so is a cluster that has none."""
        return Cluster.Location(self.pool or self.cluster.location)
