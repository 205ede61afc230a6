from django.db import migrations, models

FIELDS = (
    "engine_id, version, image, command, args, port, health_path, data_mounts, environment, startup_limit_seconds, run_as, shm_mib, "
    "migrate_command, migrates_from, pod_patch, secret_environment, shared_mounts"
)
# What was published before versions could say how their use is told may be told it once.
ACTIVITY = " OR (OLD.activity <> '{}' AND NEW.activity IS DISTINCT FROM OLD.activity)"


def replace_function(more: str) -> str:
    row = {name: ", ".join(f"{name}.{field.strip()}" for field in FIELDS.split(",")) for name in ("NEW", "OLD")}
    return f"""
CREATE OR REPLACE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (NEW.status = 'draft' OR ({row["NEW"]}) IS DISTINCT FROM ({row["OLD"]}){more}) THEN
        RAISE EXCEPTION 'engine version % is published and does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("engines", "0008_add_pools")]
    operations = [
        migrations.AddField(
            model_name="engineversion",
            name="activity",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="How its use is told, where it is not as usual in its family: probe, poll, work, websocket_is_user.",
                verbose_name="activity",
            ),
        ),
        migrations.RunSQL(replace_function(ACTIVITY), replace_function("")),
    ]
