from django.db import migrations

FORWARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_charge
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.gpu_class_id, NEW.tenant_id, NEW.currency, NEW.per_hour, NEW.starts_at, NEW.created_at, NEW.created_by_id)
       IS DISTINCT FROM
       (OLD.id, OLD.gpu_class_id, OLD.tenant_id, OLD.currency, OLD.per_hour, OLD.starts_at, OLD.created_at, OLD.created_by_id)
       OR coalesce(NEW.ends_at, 'infinity') > coalesce(OLD.ends_at, 'infinity')
    THEN
        RAISE EXCEPTION 'price % may only be made to end earlier', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER only_ends_earlier BEFORE UPDATE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION refuse_price_change();
CREATE TRIGGER append_only BEFORE DELETE ON billing_price
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

BACKWARD = """
DROP TRIGGER append_only ON billing_price;
DROP TRIGGER only_ends_earlier ON billing_price;
DROP FUNCTION refuse_price_change();
DROP TRIGGER append_only ON billing_charge;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_books"), ("engines", "0002_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
