"""Admin forms that hold the catalog to the rules of catalog files, so that there is one set of rules."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.forms import ModelForm
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from engines import catalog_schema as schema
from engines.operations.catalog_fields import IN_FILE, gpu_class_fields, version_fields

_EXPECTED: dict[str, str | Promise] = {
    "missing": gettext_lazy("is required"),
    "string_type": gettext_lazy("must be text, in double quotes"),
    "string_too_short": gettext_lazy("is required"),
    "list_type": gettext_lazy('must be a list, such as ["one", "two"]'),
    "tuple_type": gettext_lazy('must be a list, such as ["one", "two"]'),
    "dict_type": gettext_lazy('must be pairs, such as {"NAME": "value"}'),
    "model_type": gettext_lazy('must be pairs, such as {"name": "value"}'),
    "extra_forbidden": gettext_lazy("is not a known key"),
}


class SchemaForm(ModelForm):
    """A model form whose fields must also make a valid entry of a catalog file."""

    entry: ClassVar[type[BaseModel]]
    in_file: ClassVar[Mapping[str, str]] = {}
    """What the file calls a field, where the names differ."""

    def to_entry(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """Fields as the file would say them: what is empty is left out."""
        entry: dict[str, Any] = {}
        for name, value in cleaned.items():
            key = self.in_file.get(name, name)
            if key in self.entry.model_fields and value not in ("", None, [], {}, 0):
                entry[key] = value
        return entry

    def to_columns(self, entry: Any) -> dict[str, Any]:
        """Columns in the form that the rest of the portal reads."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            entry = self.entry.model_validate(self.to_entry(self._fixed() | cleaned))
        except ValidationError as error:
            for details in error.errors(include_url=False):
                self._add(details)
            return cleaned
        columns = self.to_columns(entry)
        return cleaned | {name: columns[name] for name in cleaned if name in columns}

    def _fixed(self) -> dict[str, Any]:
        """What the row has and the form only shows: an entry needs it too, such as the slug."""
        if not self.instance.pk:
            return {}
        columns = {field.name for field in self.instance._meta.concrete_fields}  # noqa: SLF001 - Django's public name for it
        shown = (columns & self.entry.model_fields.keys()) - self.fields.keys()
        return {name: getattr(self.instance, name) for name in shown}

    def _get_validation_exclusions(self) -> set[str]:
        """What is refused already is not refused again in the database's words."""
        everything = {field.name for field in self._meta.model._meta.get_fields()}  # noqa: SLF001 - Django's public name for it
        return everything if self.errors else set(super()._get_validation_exclusions())  # type: ignore[misc]

    def _add(self, details: ErrorDetails) -> None:
        columns = {key: name for name, key in self.in_file.items()}
        place = [part for part in details["loc"] if part != "[key]"]
        field = columns.get(str(place[0]), str(place[0])) if place else None
        within = place[1:] if field in self.fields else place
        where = " ".join(_("item %(number)d") % {"number": part + 1} if isinstance(part, int) else f"“{part}”" for part in within)
        said = {"place": where, "problem": _sentence(details)}
        sentence = (_("%(place)s %(problem)s.") if where else _("%(problem)s.")) % said
        self.add_error(field if field in self.fields else None, sentence[0].upper() + sentence[1:])


def _sentence(details: ErrorDetails) -> str:
    if details["type"] == "value_error":
        return str(details["ctx"]["error"])
    known = _EXPECTED.get(details["type"])
    return str(known) if known else details["msg"].replace("Input should", "must").replace(" should ", " must ")


class EngineVersionForm(SchemaForm):
    entry = schema.EngineVersion
    in_file = IN_FILE

    def to_entry(self, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        entry = super().to_entry(cleaned)
        runs_as = str(entry.get("runs_as", ""))
        return entry | ({"runs_as": int(runs_as)} if runs_as.isdigit() else {})

    def to_columns(self, entry: schema.EngineVersion) -> dict[str, Any]:
        return version_fields(entry)


class GpuClassForm(SchemaForm):
    entry = schema.GpuClass

    def to_columns(self, entry: schema.GpuClass) -> dict[str, Any]:
        return gpu_class_fields(entry)
