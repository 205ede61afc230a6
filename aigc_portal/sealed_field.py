"""The column type of secrets: what is written to it must be sealed, and what is of it is found by looking at the models.

`rotate_secrets` and the tests discover secrets by this type, so that a new one is rotated without anybody having to remember it.
"""

# ruff: noqa: SLF001 - `_meta` and `_base_manager` are Django's public names

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from django.apps import apps
from django.db import models

from aigc_portal.sealing import is_sealed

if TYPE_CHECKING:
    _Text = models.TextField[str, str]
else:
    _Text = models.TextField


class SealedField(_Text):
    """Text that `sealing.seal` made, or nothing; ValueError for writing anything else, without telling what it was.

    It opens nothing by itself: whoever needs the secret says so with `sealing.unseal`, and rows can be listed without any key.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Leave out of migrations what is always so."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, kwargs

    def get_prep_value(self, value: Any) -> Any:
        """Refuse what is in the clear: the last moment before it would reach the database."""
        prepared = super().get_prep_value(value)
        if prepared and not is_sealed(prepared):
            raise ValueError(f"{self.model._meta.label}.{self.name} takes sealed text only")
        return prepared


WITHIN_JSON = (("mfa.Authenticator", "data"),)
"""Columns of others' models whose JSON holds sealed texts: secrets of second factors, by tenants.sign_in.factor_adapter."""


class SealedColumn(NamedTuple):
    """One column of secrets."""

    model: type[models.Model]
    field: str

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.field}"


def sealed_columns() -> Iterator[SealedColumn]:
    """Yield every column of secrets of every installed model, in a stable order."""
    for model in sorted(apps.get_models(), key=lambda each: each._meta.label):
        for field in model._meta.local_fields:
            if isinstance(field, SealedField) or (model._meta.label, field.name) in WITHIN_JSON:
                yield SealedColumn(model, field.name)
