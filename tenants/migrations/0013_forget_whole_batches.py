from django.db import migrations

# IN (SELECT … LIMIT … SKIP LOCKED) may be evaluated once per row, and then finds others each time; a CTE is evaluated once.
FUNCTION = """
CREATE OR REPLACE FUNCTION forget_audit_events(before timestamptz, at_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz := least(before, now() - interval '30 days');
    forgotten integer;
BEGIN
    PERFORM set_config('aigc.audit_forgets_before', due::text, true);
    %s
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    PERFORM set_config('aigc.audit_forgets_before', '', true);
    RETURN forgotten;
END $$;
"""
CHOSEN = "SELECT id FROM tenants_auditevent WHERE at < due ORDER BY at, id LIMIT at_most FOR UPDATE SKIP LOCKED"
FORWARD = FUNCTION % f"""WITH chosen AS MATERIALIZED ({CHOSEN})
    DELETE FROM tenants_auditevent event USING chosen WHERE event.id = chosen.id;"""
BACKWARD = FUNCTION % f"DELETE FROM tenants_auditevent WHERE id IN ({CHOSEN});"


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0012_add_mail_on_request'),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
