from django.db import migrations

FORWARD = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engines_instanceevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engines_runfact
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (
        NEW.status = 'draft'
        OR (NEW.engine_id, NEW.version, NEW.image, NEW.command, NEW.args, NEW.port, NEW.health_path, NEW.data_mounts,
            NEW.environment, NEW.startup_limit_seconds, NEW.run_as, NEW.shm_mib, NEW.migrate_command, NEW.migrates_from)
        IS DISTINCT FROM
           (OLD.engine_id, OLD.version, OLD.image, OLD.command, OLD.args, OLD.port, OLD.health_path, OLD.data_mounts,
            OLD.environment, OLD.startup_limit_seconds, OLD.run_as, OLD.shm_mib, OLD.migrate_command, OLD.migrates_from)
    ) THEN
        RAISE EXCEPTION 'engine version % is published and does not change', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER published_is_immutable BEFORE UPDATE ON engines_engineversion
    FOR EACH ROW EXECUTE FUNCTION refuse_version_change();
"""

BACKWARD = """
DROP TRIGGER published_is_immutable ON engines_engineversion;
DROP FUNCTION refuse_version_change();
DROP TRIGGER append_only ON engines_runfact;
DROP TRIGGER append_only ON engines_instanceevent;
DROP FUNCTION refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("engines", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
