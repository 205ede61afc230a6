import datetime
import django.contrib.postgres.constraints
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models

BACKFILL = """
-- What is checked at the end of the transaction only would keep tables from being altered until then.
SET CONSTRAINTS ALL IMMEDIATE;
INSERT INTO billing_billingaccount (tenant_id) SELECT id FROM tenants_tenant;
INSERT INTO billing_billingterms (account_id, time_zone, currency)
SELECT id, 'UTC', coalesce((SELECT currency FROM billing_price ORDER BY id LIMIT 1), %s) FROM tenants_tenant;

INSERT INTO billing_billingperiod
    (tenant_id, month, starts_at, ends_at, time_zone, currency, status, digest, charge_count, amount, list_amount)
SELECT DISTINCT tenant_id, month::date, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC',
    'UTC', currency, 'open', '', 0, 0, 0
FROM (SELECT tenant_id, currency, date_trunc('month', starts_at AT TIME ZONE 'UTC') AS month FROM billing_charge) AS charged;

ALTER TABLE billing_charge DISABLE TRIGGER append_only;
UPDATE billing_charge AS charge SET
    day = (charge.starts_at AT TIME ZONE 'UTC')::date,
    period_id = period.id,
    list_per_hour = charge.per_hour,
    list_amount = charge.amount,
    resource_name = instance.name
FROM billing_billingperiod AS period, engines_instance AS instance
WHERE period.tenant_id = charge.tenant_id AND instance.id = charge.instance_id
    AND charge.starts_at >= period.starts_at AND charge.starts_at < period.ends_at;
ALTER TABLE billing_charge ENABLE TRIGGER append_only;

INSERT INTO billing_dayrollup
    (tenant_id, day, instance_id, owner_id, category, gpu_class_id, storage_class, tag, price_id, currency, period_id,
     seconds, milli_unit_seconds, amount, list_amount, charge_count)
SELECT tenant_id, day, instance_id, owner_id, category, gpu_class_id, storage_class, tag, price_id, currency, period_id,
    sum(seconds), sum(seconds::bigint * quantity_milli), sum(amount), sum(list_amount), count(*)
FROM billing_charge GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;

INSERT INTO billing_monthrollup
    (tenant_id, month, owner_id, category, gpu_class_id, storage_class, tag, currency, period_id,
     seconds, milli_unit_seconds, amount, list_amount, charge_count)
SELECT tenant_id, date_trunc('month', day)::date, owner_id, category, gpu_class_id, storage_class, tag, currency, period_id,
    sum(seconds), sum(milli_unit_seconds), sum(amount), sum(list_amount), sum(charge_count)
FROM billing_dayrollup GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
SET CONSTRAINTS ALL DEFERRED;
"""

FORWARD = """
CREATE FUNCTION refuse_closed_period() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    refused text;
BEGIN
    -- Whoever closes one of these periods waits for us, or we for them and then see that it is closed.
    PERFORM FROM billing_billingperiod WHERE id IN (SELECT period_id FROM posted) ORDER BY id FOR SHARE;
    SELECT string_agg(id::text, ', ') INTO refused FROM billing_billingperiod
    WHERE id IN (SELECT period_id FROM posted) AND status = 'closed';
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION 'billing period % is closed', refused USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER period_is_open AFTER INSERT ON billing_charge REFERENCING NEW TABLE AS posted
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_period();
CREATE TRIGGER closed_is_closed BEFORE UPDATE OR DELETE ON billing_billingperiod
    FOR EACH ROW WHEN (OLD.status = 'closed') EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.gpu_class_id, NEW.storage_class, NEW.tenant_id, NEW.currency, NEW.per_hour, NEW.list_per_hour,
        NEW.starts_at, NEW.created_at, NEW.created_by_id)
       IS DISTINCT FROM
       (OLD.id, OLD.gpu_class_id, OLD.storage_class, OLD.tenant_id, OLD.currency, OLD.per_hour, OLD.list_per_hour,
        OLD.starts_at, OLD.created_at, OLD.created_by_id)
       OR coalesce(NEW.ends_at, 'infinity') > coalesce(OLD.ends_at, 'infinity')
    THEN
        RAISE EXCEPTION 'price % may only be made to end earlier', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""

BACKWARD = """
DROP TRIGGER closed_is_closed ON billing_billingperiod;
DROP TRIGGER period_is_open ON billing_charge;
DROP FUNCTION refuse_closed_period();

CREATE OR REPLACE FUNCTION refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


def give_what_is_there_its_periods(apps, schema_editor):
    """Months were those of UTC, and every price was the list price."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(BACKFILL, [settings.DEFAULT_CURRENCY])


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0002_append_only'),
        ('engines', '0012_add_billing_facts'),
        ('tenants', '0004_add_audit_log'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # As uuidrange is: see billing/models/ranges.py.
        migrations.RunSQL('CREATE TYPE textrange AS RANGE (subtype = text)', 'DROP TYPE textrange'),
        migrations.CreateModel(
            name='BillingAccount',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='billing_account', serialize=False, to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'billing account',
                'verbose_name_plural': 'billing accounts',
                'ordering': ['tenant__name'],
            },
        ),
        migrations.CreateModel(
            name='BillingPeriod',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('month', models.DateField(help_text='Its first day.', verbose_name='month')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(verbose_name='until')),
                ('time_zone', models.CharField(max_length=64, verbose_name='time zone')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('status', models.CharField(choices=[('open', 'open'), ('closed', 'closed')], default='open', max_length=6, verbose_name='status')),
                ('closed_at', models.DateTimeField(blank=True, null=True, verbose_name='closed at')),
                ('digest', models.CharField(blank=True, max_length=64, verbose_name='digest')),
                ('charge_count', models.PositiveIntegerField(default=0, verbose_name='charges')),
                ('amount', models.DecimalField(decimal_places=9, default=0, max_digits=24, verbose_name='amount')),
                ('list_amount', models.DecimalField(decimal_places=9, default=0, max_digits=24, verbose_name='amount at list prices')),
            ],
            options={
                'verbose_name': 'billing period',
                'verbose_name_plural': 'billing periods',
                'ordering': ['tenant__name', '-starts_at'],
            },
        ),
        migrations.CreateModel(
            name='BillingTerms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField(blank=True, null=True, verbose_name='from')),
                ('time_zone', models.CharField(default='UTC', help_text='IANA name, e.g. Europe/Berlin.', max_length=64, verbose_name='time zone')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
            ],
            options={
                'verbose_name': 'billing terms',
                'verbose_name_plural': 'billing terms',
                'ordering': ['account', models.OrderBy(models.F('starts_at'), nulls_first=True)],
            },
        ),
        migrations.CreateModel(
            name='CapacityInterval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pool', models.CharField(blank=True, default='', max_length=6, verbose_name='pool')),
                ('slots', models.PositiveIntegerField(verbose_name='slots')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(blank=True, null=True, verbose_name='until')),
            ],
            options={
                'verbose_name': 'capacity interval',
                'verbose_name_plural': 'capacity intervals',
                'ordering': ['starts_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='DayRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(choices=[('gpu', 'GPU time'), ('storage', 'storage'), ('credit', 'credit'), ('adjustment', 'adjustment'), ('tax', 'tax')], max_length=10, verbose_name='category')),
                ('storage_class', models.CharField(blank=True, max_length=63, verbose_name='storage class')),
                ('tag', models.CharField(blank=True, max_length=60, verbose_name='tag')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('seconds', models.BigIntegerField(verbose_name='seconds')),
                ('milli_unit_seconds', models.BigIntegerField(verbose_name='seconds × thousandths of a unit')),
                ('amount', models.DecimalField(decimal_places=9, max_digits=24, verbose_name='amount')),
                ('list_amount', models.DecimalField(decimal_places=9, max_digits=24, verbose_name='amount at list prices')),
                ('charge_count', models.IntegerField(verbose_name='charges')),
                ('day', models.DateField(verbose_name='day')),
            ],
            options={
                'verbose_name': 'costs of a day',
                'verbose_name_plural': 'costs of days',
                'ordering': ['tenant', 'day', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='MonthRollup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(choices=[('gpu', 'GPU time'), ('storage', 'storage'), ('credit', 'credit'), ('adjustment', 'adjustment'), ('tax', 'tax')], max_length=10, verbose_name='category')),
                ('storage_class', models.CharField(blank=True, max_length=63, verbose_name='storage class')),
                ('tag', models.CharField(blank=True, max_length=60, verbose_name='tag')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('seconds', models.BigIntegerField(verbose_name='seconds')),
                ('milli_unit_seconds', models.BigIntegerField(verbose_name='seconds × thousandths of a unit')),
                ('amount', models.DecimalField(decimal_places=9, max_digits=24, verbose_name='amount')),
                ('list_amount', models.DecimalField(decimal_places=9, max_digits=24, verbose_name='amount at list prices')),
                ('charge_count', models.IntegerField(verbose_name='charges')),
                ('month', models.DateField(help_text='Its first day.', verbose_name='month')),
            ],
            options={
                'verbose_name': 'costs of a month',
                'verbose_name_plural': 'costs of months',
                'ordering': ['tenant', 'month', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='VolumeMeter',
            fields=[
                ('settled_to', models.DateTimeField(blank=True, null=True, verbose_name='settled up to')),
                ('dirty_from', models.DateTimeField(blank=True, null=True, verbose_name='to be settled from')),
                ('unpriced_from', models.DateTimeField(blank=True, null=True, verbose_name='without a price from')),
                ('volume', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='meter', serialize=False, to='engines.volume', verbose_name='volume')),
            ],
            options={
                'verbose_name': 'volume meter',
                'verbose_name_plural': 'volume meters',
            },
        ),
        migrations.AddField(
            model_name='factcursor',
            name='volumes_read_to',
            field=models.BigIntegerField(default=0, verbose_name='facts about volumes read up to'),
        ),
        migrations.RemoveConstraint(
            model_name='charge',
            name='charge_sign',
        ),
        migrations.RemoveConstraint(
            model_name='charge',
            name='charge_within_an_hour',
        ),
        migrations.RemoveConstraint(
            model_name='price',
            name='price_not_negative',
        ),
        migrations.RemoveConstraint(
            model_name='price',
            name='one_price_at_a_time',
        ),
        migrations.RemoveConstraint(
            model_name='usageinterval',
            name='usage_without_overlap',
        ),
        migrations.AddField(
            model_name='charge',
            name='category',
            field=models.CharField(choices=[('gpu', 'GPU time'), ('storage', 'storage'), ('credit', 'credit'), ('adjustment', 'adjustment'), ('tax', 'tax')], default='gpu', max_length=10, verbose_name='category'),
        ),
        migrations.AddField(
            model_name='charge',
            name='day',
            field=models.DateField(null=True, verbose_name='day'),
        ),
        migrations.AddField(
            model_name='charge',
            name='is_correction',
            field=models.BooleanField(default=False, help_text='Of a period that was closed already: posted in a later one.', verbose_name='correction'),
        ),
        migrations.AddField(
            model_name='charge',
            name='list_amount',
            field=models.DecimalField(decimal_places=9, null=True, max_digits=20, verbose_name='amount at list price'),
        ),
        migrations.AddField(
            model_name='charge',
            name='list_per_hour',
            field=models.DecimalField(blank=True, decimal_places=9, max_digits=20, null=True, verbose_name='list price per hour'),
        ),
        migrations.AddField(
            model_name='charge',
            name='posted_by',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='posted by'),
        ),
        migrations.AddField(
            model_name='charge',
            name='quantity_milli',
            field=models.PositiveIntegerField(default=1000, help_text='Unit: GPU or GiB.', verbose_name='thousandths of a unit'),
        ),
        migrations.AddField(
            model_name='charge',
            name='reason',
            field=models.CharField(blank=True, max_length=200, verbose_name='reason'),
        ),
        migrations.AddField(
            model_name='charge',
            name='resource_name',
            field=models.CharField(blank=True, max_length=60, verbose_name='name'),
        ),
        migrations.AddField(
            model_name='charge',
            name='storage_class',
            field=models.CharField(blank=True, max_length=63, verbose_name='storage class'),
        ),
        migrations.AddField(
            model_name='charge',
            name='tag',
            field=models.CharField(blank=True, max_length=60, verbose_name='tag'),
        ),
        migrations.AddField(
            model_name='charge',
            name='volume',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='engines.volume', verbose_name='volume'),
        ),
        migrations.AddField(
            model_name='meter',
            name='anomalies',
            field=models.JSONField(blank=True, default=list, verbose_name='anomalies'),
        ),
        migrations.AddField(
            model_name='price',
            name='list_per_hour',
            field=models.DecimalField(blank=True, decimal_places=9, help_text='What discounts are told from. Empty: the list price of the time.', max_digits=20, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='list price per hour'),
        ),
        migrations.AddField(
            model_name='price',
            name='storage_class',
            field=models.CharField(blank=True, help_text='Empty: all storage that has no price of its own.', max_length=63, verbose_name='storage class'),
        ),
        migrations.AddField(
            model_name='usageinterval',
            name='kind',
            field=models.CharField(choices=[('gpu', 'GPU time'), ('storage', 'storage'), ('starting', 'starting up'), ('failed', 'start that failed')], default='gpu', max_length=8, verbose_name='kind'),
        ),
        migrations.AddField(
            model_name='usageinterval',
            name='quantity_milli',
            field=models.PositiveIntegerField(default=1000, help_text='Unit: GPU or GiB.', verbose_name='thousandths of a unit'),
        ),
        migrations.AddField(
            model_name='usageinterval',
            name='storage_class',
            field=models.CharField(blank=True, max_length=63, verbose_name='storage class'),
        ),
        migrations.AddField(
            model_name='usageinterval',
            name='tag',
            field=models.CharField(blank=True, max_length=60, verbose_name='tag'),
        ),
        migrations.AddField(
            model_name='usageinterval',
            name='volume',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='usage_intervals', to='engines.volume', verbose_name='volume'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='gpu_class',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.gpuclass', verbose_name='GPU class'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='instance',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='engines.instance', verbose_name='instance'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='owner',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='per_hour',
            field=models.DecimalField(blank=True, decimal_places=9, max_digits=20, null=True, verbose_name='price per hour'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='price',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='billing.price', verbose_name='price'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='run_id',
            field=models.CharField(blank=True, max_length=100, verbose_name='run'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='seconds',
            field=models.IntegerField(default=0, verbose_name='seconds'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='tenant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant'),
        ),
        migrations.AlterField(
            model_name='price',
            name='gpu_class',
            field=models.ForeignKey(blank=True, help_text='Empty: a price of storage, per GiB.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='prices', to='engines.gpuclass', verbose_name='GPU class'),
        ),
        migrations.AlterField(
            model_name='usageinterval',
            name='gpu_class',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.gpuclass', verbose_name='GPU class'),
        ),
        migrations.AlterField(
            model_name='usageinterval',
            name='instance',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='usage_intervals', to='engines.instance', verbose_name='instance'),
        ),
        migrations.AlterField(
            model_name='usageinterval',
            name='run_id',
            field=models.CharField(blank=True, max_length=100, verbose_name='run'),
        ),
        migrations.AddIndex(
            model_name='usageinterval',
            index=models.Index(condition=models.Q(('volume__isnull', False)), fields=['volume'], name='usage_of_volume'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('per_hour__gte', 0), models.Q(('list_per_hour__isnull', True), ('list_per_hour__gte', 0), _connector='OR')), name='price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('gpu_class__isnull', True), ('storage_class', ''), _connector='OR'), name='price_of_gpu_or_storage'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(django.db.models.functions.comparison.Coalesce(models.F('gpu_class_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('gpu_class_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(django.db.models.functions.comparison.Coalesce(models.F('tenant_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('tenant_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(models.F('storage_class'), models.F('storage_class'), models.Value('[]'), function='textrange'), '&&'), (models.Func(models.F('currency'), models.F('currency'), models.Value('[]'), function='textrange'), '&&'), (models.Func(models.F('starts_at'), models.F('ends_at'), function='tstzrange'), '&&')], name='one_price_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='usageinterval',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('gpu_class', None), ('instance', None), ('kind', 'storage'), ('volume__isnull', False)), models.Q(models.Q(('kind', 'storage'), _negated=True), ('gpu_class__isnull', False), ('instance__isnull', False), ('volume', None)), _connector='OR'), name='usage_subject'),
        ),
        migrations.AddConstraint(
            model_name='usageinterval',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(django.db.models.functions.comparison.Coalesce(models.F('instance_id'), models.F('volume_id')), django.db.models.functions.comparison.Coalesce(models.F('instance_id'), models.F('volume_id')), models.Value('[]'), function='uuidrange'), '&&'), (models.Func(models.F('starts_at'), models.F('ends_at'), function='tstzrange'), '&&')], name='usage_without_overlap'),
        ),
        migrations.AddField(
            model_name='billingaccount',
            name='budget_owner',
            field=models.ForeignKey(blank=True, help_text='Who answers for what is spent.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='budget owner'),
        ),
        migrations.AddField(
            model_name='billingperiod',
            name='closed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='closed by'),
        ),
        migrations.AddField(
            model_name='billingperiod',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='periods', to='tenants.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='charge',
            name='period',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='billing.billingperiod', verbose_name='period'),
        ),
        migrations.AddIndex(
            model_name='charge',
            index=models.Index(condition=models.Q(('volume__isnull', False)), fields=['volume', 'starts_at'], name='charges_of_volume'),
        ),
        migrations.AddIndex(
            model_name='charge',
            index=models.Index(fields=['period', 'id'], name='charges_of_period'),
        ),
        migrations.AddField(
            model_name='billingterms',
            name='account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='terms', to='billing.billingaccount', verbose_name='account'),
        ),
        migrations.AddField(
            model_name='capacityinterval',
            name='cluster',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='engines.cluster', verbose_name='cluster'),
        ),
        migrations.AddField(
            model_name='capacityinterval',
            name='gpu_class',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='engines.gpuclass', verbose_name='GPU class'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='gpu_class',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.gpuclass', verbose_name='GPU class'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='instance',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.instance', verbose_name='instance'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='owner',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='period',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.billingperiod', verbose_name='period'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='price',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.price', verbose_name='price'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='tenant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant'),
        ),
        migrations.AddField(
            model_name='dayrollup',
            name='volume',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.volume', verbose_name='volume'),
        ),
        migrations.AddField(
            model_name='monthrollup',
            name='gpu_class',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.gpuclass', verbose_name='GPU class'),
        ),
        migrations.AddField(
            model_name='monthrollup',
            name='owner',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddField(
            model_name='monthrollup',
            name='period',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='billing.billingperiod', verbose_name='period'),
        ),
        migrations.AddField(
            model_name='monthrollup',
            name='tenant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant'),
        ),
        migrations.AddIndex(
            model_name='volumemeter',
            index=models.Index(condition=models.Q(('dirty_from__isnull', False)), fields=['dirty_from'], name='dirty_volume_meters'),
        ),
        migrations.AddIndex(
            model_name='volumemeter',
            index=models.Index(fields=['settled_to'], name='volume_meters_by_progress'),
        ),
        migrations.AddConstraint(
            model_name='billingperiod',
            constraint=models.UniqueConstraint(fields=('tenant', 'month'), name='one_period_a_month'),
        ),
        migrations.AddConstraint(
            model_name='billingperiod',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='period_ends_later'),
        ),
        migrations.AddConstraint(
            model_name='billingperiod',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('digest', ''), ('status', 'open')), models.Q(('closed_at__isnull', False), ('status', 'closed'), models.Q(('digest', ''), _negated=True)), _connector='OR'), name='period_closed_with_digest'),
        ),
        migrations.AddConstraint(
            model_name='billingperiod',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(django.db.models.functions.comparison.Coalesce(models.F('tenant_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('tenant_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(models.F('starts_at'), models.F('ends_at'), function='tstzrange'), '&&')], name='one_period_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='billingterms',
            constraint=models.UniqueConstraint(fields=('account', 'starts_at'), name='terms_begin_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='billingterms',
            constraint=models.CheckConstraint(condition=models.Q(('currency__regex', '^[A-Z]{3}$')), name='terms_currency_is_a_code'),
        ),
        migrations.AddConstraint(
            model_name='capacityinterval',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__isnull', True), ('ends_at__gt', models.F('starts_at')), _connector='OR'), name='capacity_ends_later'),
        ),
        migrations.AddConstraint(
            model_name='capacityinterval',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(django.db.models.functions.comparison.Coalesce(models.F('cluster_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('cluster_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(django.db.models.functions.comparison.Coalesce(models.F('gpu_class_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('gpu_class_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(models.F('pool'), models.F('pool'), models.Value('[]'), function='textrange'), '&&'), (models.Func(models.F('starts_at'), models.F('ends_at'), function='tstzrange'), '&&')], name='one_capacity_at_a_time'),
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['instance', 'day'], name='day_rollup_of_instance'),
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['volume', 'day'], name='day_rollup_of_volume'),
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['owner', 'day'], name='day_rollup_of_owner'),
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['period'], name='day_rollup_of_period'),
        ),
        migrations.AddIndex(
            model_name='dayrollup',
            index=models.Index(fields=['day'], include=('tenant', 'instance', 'owner', 'gpu_class', 'category', 'currency', 'amount', 'list_amount', 'milli_unit_seconds'), name='day_rollup_by_day'),
        ),
        migrations.AddConstraint(
            model_name='dayrollup',
            constraint=models.UniqueConstraint(fields=('tenant', 'day', 'instance', 'volume', 'owner', 'category', 'gpu_class', 'storage_class', 'tag', 'price', 'currency', 'period'), name='day_rollup_once', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='monthrollup',
            index=models.Index(fields=['month'], name='month_rollup_by_month'),
        ),
        migrations.AddIndex(
            model_name='monthrollup',
            index=models.Index(fields=['owner', 'month'], name='month_rollup_of_owner'),
        ),
        migrations.AddIndex(
            model_name='monthrollup',
            index=models.Index(fields=['period'], name='month_rollup_of_period'),
        ),
        migrations.AddConstraint(
            model_name='monthrollup',
            constraint=models.UniqueConstraint(fields=('tenant', 'month', 'owner', 'category', 'gpu_class', 'storage_class', 'tag', 'currency', 'period'), name='month_rollup_once', nulls_distinct=False),
        ),
        migrations.RunPython(give_what_is_there_its_periods, migrations.RunPython.noop),
        migrations.AlterField(
            model_name='charge',
            name='day',
            field=models.DateField(verbose_name='day'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='list_amount',
            field=models.DecimalField(decimal_places=9, max_digits=20, verbose_name='amount at list price'),
        ),
        migrations.AlterField(
            model_name='charge',
            name='period',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='billing.billingperiod', verbose_name='period'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__lte', 0), ('category__in', ('gpu', 'storage')), ('kind', 'reversal'), ('list_amount__lte', 0), ('seconds__lt', 0)), models.Q(('amount__gte', 0), ('category__in', ('gpu', 'storage')), ('kind__in', ['original', 'replacement']), ('list_amount__gte', 0), ('seconds__gt', 0)), models.Q(('amount__lt', 0), ('category', 'credit'), ('kind', 'original'), ('seconds', 0)), models.Q(('category__in', ['adjustment', 'tax']), ('kind', 'original'), ('seconds', 0)), _connector='OR'), name='charge_sign'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('category', 'gpu'), ('gpu_class__isnull', False), ('instance__isnull', False), ('volume', None)), models.Q(('category', 'storage'), ('gpu_class', None), ('instance', None), ('volume__isnull', False)), models.Q(('category__in', ['credit', 'adjustment', 'tax']), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='charge_subject'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('category__in', ('gpu', 'storage')), _negated=True), models.Q(('list_per_hour__isnull', False), ('owner__isnull', False), ('per_hour__isnull', False), ('price__isnull', False), ('reason', '')), _connector='OR'), name='charge_rated'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at')), models.Q(models.Q(('category', 'gpu'), _negated=True), ('ends_at__lte', django.db.models.expressions.CombinedExpression(models.F('starts_at'), '+', models.Value(datetime.timedelta(seconds=3600)))), _connector='OR'), models.Q(models.Q(('category', 'storage'), _negated=True), ('ends_at__lte', django.db.models.expressions.CombinedExpression(models.F('starts_at'), '+', models.Value(datetime.timedelta(days=2, seconds=10800)))), _connector='OR')), name='charge_within_its_cell'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
