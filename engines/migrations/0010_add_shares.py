import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Django knows no keys of two columns. What a membership takes along when it goes is the share alone: a person who comes back
# begins without the old ones.
FORWARD = """
ALTER TABLE engines_share
    ADD CONSTRAINT share_in_tenant_of_instance FOREIGN KEY (instance_id, tenant_id) REFERENCES engines_instance (id, tenant_id),
    ADD CONSTRAINT share_with_member_of_tenant FOREIGN KEY (tenant_id, member_id)
        REFERENCES tenants_membership (tenant_id, user_id) ON DELETE CASCADE;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engines_handover
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
BACKWARD = """
DROP TRIGGER append_only ON engines_handover;
ALTER TABLE engines_share DROP CONSTRAINT share_in_tenant_of_instance, DROP CONSTRAINT share_with_member_of_tenant;
"""


def person(verbose_name, **options):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT,
        to=settings.AUTH_USER_MODEL,
        verbose_name=verbose_name,
        **{"related_name": "+"} | options,
    )


def instance(related_name):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to="engines.instance",
        verbose_name="instance",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("engines", "0009_add_activity"),
        ("tenants", "0002_tenant_may_burst"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddConstraint(
            model_name="instance",
            constraint=models.UniqueConstraint(fields=("id", "tenant"), name="instance_of_tenant"),
        ),
        migrations.CreateModel(
            name="Handover",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="at")),
                ("actor", person("actor")),
                ("from_owner", person("from")),
                ("instance", instance("handovers")),
                ("to_owner", person("to")),
            ],
            options={
                "verbose_name": "hand-over",
                "verbose_name_plural": "hand-overs",
                "ordering": ["pk"],
                "indexes": [models.Index(fields=["instance", "at"], name="engines_han_instanc_7f4ca2_idx")],
            },
        ),
        migrations.CreateModel(
            name="Share",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("until", models.DateTimeField(blank=True, null=True, verbose_name="until")),
                ("created_at", models.DateTimeField(verbose_name="shared at")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended at")),
                ("ended_by", person("ended by", blank=True, null=True)),
                ("instance", instance("shares")),
                ("member", person("member", blank=True, null=True, related_name="shares")),
                ("shared_by", person("shared by")),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shares",
                        to="tenants.tenant",
                        verbose_name="tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "share",
                "verbose_name_plural": "shares",
                "ordering": ["pk"],
                "indexes": [models.Index(condition=models.Q(ended_at__isnull=True), fields=["member"], name="shares_of_member")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["instance", "member"],
                        condition=models.Q(ended_at__isnull=True),
                        name="shared_once_with_member",
                    ),
                    models.UniqueConstraint(
                        fields=["instance"],
                        condition=models.Q(ended_at__isnull=True, member__isnull=True),
                        name="shared_once_with_tenant",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(until__isnull=True) | models.Q(until__gt=models.F("created_at")), name="share_lasts"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(ended_at__isnull=False) | models.Q(ended_by__isnull=True), name="share_ended_when"
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
