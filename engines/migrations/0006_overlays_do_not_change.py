from django.db import migrations

FIELDS = (
    "engine_id, version, image, command, args, port, health_path, data_mounts, environment, startup_limit_seconds, run_as, shm_mib, "
    "migrate_command, migrates_from"
)
OVERLAYS = ", pod_patch, secret_environment, shared_mounts"


def replace_function(fields: str) -> str:
    row = {name: ", ".join(f"{name}.{field.strip()}" for field in fields.split(",")) for name in ("NEW", "OLD")}
    return f"""
CREATE OR REPLACE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (NEW.status = 'draft' OR ({row["NEW"]}) IS DISTINCT FROM ({row["OLD"]})) THEN
        RAISE EXCEPTION 'engine version % is published and does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("engines", "0005_kubernetes_overlays")]
    operations = [migrations.RunSQL(replace_function(FIELDS + OVERLAYS), replace_function(FIELDS))]
