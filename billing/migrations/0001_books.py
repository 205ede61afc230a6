import datetime
import django.contrib.postgres.constraints
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('engines', '0002_append_only'),
        ('tenants', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Lets exclusion constraints compare UUIDs without the extension btree_gist: see billing/models/ranges.py.
        migrations.RunSQL('CREATE TYPE uuidrange AS RANGE (subtype = uuid)', 'DROP TYPE uuidrange'),
        migrations.CreateModel(
            name='FactCursor',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('read_to', models.BigIntegerField(default=0, verbose_name='facts read up to')),
            ],
            options={
                'verbose_name': 'fact cursor',
                'verbose_name_plural': 'fact cursors',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_fact_cursor')],
            },
        ),
        migrations.CreateModel(
            name='Meter',
            fields=[
                ('instance', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='meter', serialize=False, to='engines.instance', verbose_name='instance')),
                ('settled_to', models.DateTimeField(blank=True, null=True, verbose_name='settled up to')),
                ('dirty_from', models.DateTimeField(blank=True, null=True, verbose_name='to be settled from')),
                ('unpriced_from', models.DateTimeField(blank=True, null=True, verbose_name='without a price from')),
            ],
            options={
                'verbose_name': 'meter',
                'verbose_name_plural': 'meters',
                'indexes': [models.Index(condition=models.Q(('dirty_from__isnull', False)), fields=['dirty_from'], name='dirty_meters')],
            },
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3, validators=[django.core.validators.RegexValidator('^[A-Z]{3}$')], verbose_name='currency')),
                ('per_hour', models.DecimalField(decimal_places=9, max_digits=20, validators=[django.core.validators.MinValueValidator(0)], verbose_name='price per hour')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='entered at')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='entered by')),
                ('gpu_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prices', to='engines.gpuclass', verbose_name='GPU class')),
                ('tenant', models.ForeignKey(blank=True, help_text='Empty: the list price, for everybody.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'price',
                'verbose_name_plural': 'prices',
                'ordering': ['gpu_class__name', 'tenant__name', '-starts_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Charge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line_key', models.UUIDField(verbose_name='line')),
                ('revision', models.PositiveSmallIntegerField(default=0, verbose_name='revision')),
                ('kind', models.CharField(choices=[('original', 'original'), ('reversal', 'reversal'), ('replacement', 'replacement')], max_length=12, verbose_name='kind')),
                ('run_id', models.CharField(max_length=100, verbose_name='run')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(verbose_name='until')),
                ('seconds', models.SmallIntegerField(verbose_name='seconds')),
                ('per_hour', models.DecimalField(decimal_places=9, max_digits=20, verbose_name='price per hour')),
                ('amount', models.DecimalField(decimal_places=9, max_digits=20, verbose_name='amount')),
                ('posted_at', models.DateTimeField(verbose_name='posted at')),
                ('gpu_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.gpuclass', verbose_name='GPU class')),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='engines.instance', verbose_name='instance')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant')),
                ('price', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charges', to='billing.price', verbose_name='price')),
            ],
            options={
                'verbose_name': 'charge',
                'verbose_name_plural': 'charges',
                'ordering': ['starts_at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='UsageInterval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run_id', models.CharField(max_length=100, verbose_name='run')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(blank=True, null=True, verbose_name='until')),
                ('gpu_class', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='engines.gpuclass', verbose_name='GPU class')),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='usage_intervals', to='engines.instance', verbose_name='instance')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant')),
            ],
            options={
                'verbose_name': 'usage interval',
                'verbose_name_plural': 'usage intervals',
                'ordering': ['starts_at'],
            },
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('per_hour__gte', 0)), name='price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__isnull', True), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='price_ends_later'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(django.db.models.functions.comparison.Coalesce(models.F('gpu_class_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('gpu_class_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(django.db.models.functions.comparison.Coalesce(models.F('tenant_id'), models.Value(0)), django.db.models.functions.comparison.Coalesce(models.F('tenant_id'), models.Value(0)), models.Value('[]'), function='int8range'), '&&'), (models.Func(models.F('starts_at'), models.F('ends_at'), function='tstzrange'), '&&')], name='one_price_at_a_time'),
        ),
        migrations.AddIndex(
            model_name='charge',
            index=models.Index(fields=['instance', 'starts_at'], name='billing_cha_instanc_d2b05c_idx'),
        ),
        migrations.AddIndex(
            model_name='charge',
            index=models.Index(fields=['tenant', 'starts_at'], name='billing_cha_tenant__2ff63a_idx'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.UniqueConstraint(fields=('line_key', 'revision', 'kind'), name='charge_once'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__lte', 0), ('kind', 'reversal'), ('seconds__lt', 0)), models.Q(('amount__gte', 0), ('kind__in', ['original', 'replacement']), ('seconds__gt', 0)), _connector='OR'), name='charge_sign'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'original'), ('revision', 0)), models.Q(('kind__in', ['reversal', 'replacement']), ('revision__gt', 0)), _connector='OR'), name='charge_revision'),
        ),
        migrations.AddConstraint(
            model_name='charge',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at')), ('ends_at__lte', django.db.models.expressions.CombinedExpression(models.F('starts_at'), '+', models.Value(datetime.timedelta(seconds=3600))))), name='charge_within_an_hour'),
        ),
        migrations.AddIndex(
            model_name='usageinterval',
            index=models.Index(fields=['tenant', 'starts_at'], name='billing_usa_tenant__ce90c8_idx'),
        ),
        migrations.AddIndex(
            model_name='usageinterval',
            index=models.Index(condition=models.Q(('ends_at__isnull', True)), fields=['instance'], name='open_usage'),
        ),
        migrations.AddConstraint(
            model_name='usageinterval',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__isnull', True), ('ends_at__gt', models.F('starts_at')), _connector='OR'), name='usage_ends_later'),
        ),
        migrations.AddConstraint(
            model_name='usageinterval',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(expressions=[(models.Func(models.F('instance_id'), models.F('instance_id'), models.Value('[]'), function='uuidrange'), '&&'), (models.Func(models.F('starts_at'), models.F('ends_at'), function='tstzrange'), '&&')], name='usage_without_overlap'),
        ),
    ]
