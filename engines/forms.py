"""What people type; whether it is allowed is the operations' to say."""

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.html import escape
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from engines.models import GpuClass, Instance
from engines.models.instance import NAME_LENGTH
from engines.models.run import TAG_LENGTH


class RenameForm(forms.Form):
    """A new name for an instance."""

    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)


class TagForm(forms.Form):
    """What the costs of an instance are for from now on."""

    tag = forms.CharField(
        label=_("Project or campaign"),
        max_length=TAG_LENGTH,
        required=False,
        widget=forms.TextInput({"list": "projects", "autocomplete": "off"}),
    )


class GpuClassForm(forms.Form):
    """Another GPU class, used from the next start on."""

    gpu_class = forms.ModelChoiceField(label=_("GPU class"), queryset=GpuClass.objects.none(), empty_label=None)

    def __init__(self, *args: Any, instance: Instance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        where = {"capacities__cluster": instance.cluster, "capacities__slots__gt": 0}
        if instance.pool and instance.volume.provisioned_at is not None:
            where["capacities__pool"] = instance.pool
        there = GpuClass.objects.filter(hidden=False, **where)
        offered = GpuClass.objects.filter(Q(pk__in=there) | Q(pk=instance.gpu_class_id))
        self.fields["gpu_class"].queryset = offered  # type: ignore[attr-defined]
        if instance.volume.provisioned_at is not None:
            said = gettext("Those of %(cluster)s, where its data is.") % {"cluster": instance.cluster}
            self.fields["gpu_class"].help_text = escape(said)  # help texts are taken for HTML
        self.initial.setdefault("gpu_class", instance.gpu_class_id)


class DeleteForm(forms.Form):
    """What happens to the data, and the instance's name as a second thought where data would be lost."""

    volume = forms.ChoiceField(choices=[("keep", _("Keep the data")), ("trash", _("Move the data to the trash"))], initial="keep")
    name = forms.CharField(required=False)

    def __init__(self, *args: Any, instance: Instance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance = instance

    def clean(self) -> dict[str, Any]:
        """Ask for the name where data goes to the trash."""
        cleaned = super().clean() or {}
        if cleaned.get("volume") == "trash" and cleaned.get("name") != self.instance.name:
            self.add_error("name", _("Type “%(name)s” to move its data to the trash.") % {"name": self.instance.name})
        return cleaned

    @property
    def keep_volume(self) -> bool:
        return bool(self.cleaned_data["volume"] == "keep")


class LaunchForm(forms.Form):
    """A launch, as typed; choices are the rows that the page offers."""

    engine = forms.SlugField()
    version = forms.CharField()
    gpu_class = forms.SlugField(error_messages={"required": _("Choose a GPU class.")})
    storage = forms.ChoiceField(choices=[("new", _("New")), ("attach", _("Existing"))], initial="new")
    size_gib = forms.IntegerField(
        label=_("Size, GiB"), min_value=1, max_value=10_000, initial=50, required=False,
        error_messages={"min_value": _("At least 1 GiB."), "max_value": _("At most 10,000 GiB.")},
    )  # fmt: skip
    volume = forms.SlugField(required=False)
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH, error_messages={"required": _("Give it a name.")})
    tag = forms.CharField(label=_("Project or campaign"), max_length=TAG_LENGTH, required=False)

    def clean(self) -> dict[str, Any]:
        """Ask for what the chosen kind of data needs."""
        cleaned = super().clean() or {}
        if cleaned.get("storage") == "attach" and not cleaned.get("volume") and "volume" not in self.errors:
            self.add_error("volume", _("Choose the data to attach."))
        if cleaned.get("storage") == "new" and not cleaned.get("size_gib") and "size_gib" not in self.errors:
            self.add_error("size_gib", _("Say how large it should be."))
        return cleaned
