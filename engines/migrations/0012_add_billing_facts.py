import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engines_tagchange
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON engines_volumefact
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
INSERT INTO engines_volumefact
    (volume_id, kind, source, at, observed_at, tenant_id, owner_id, size_gib, storage_class, tag)
SELECT volume.id, known.kind, 'portal', known.at, known.at, volume.tenant_id, volume.owner_id, volume.size_gib,
    left(coalesce(cluster.config ->> 'storage_class', ''), 63), ''
FROM engines_volume AS volume JOIN engines_cluster AS cluster ON cluster.id = volume.cluster_id,
    LATERAL (VALUES ('provisioned', volume.provisioned_at), ('gone', volume.deleted_at)) AS known (kind, at)
WHERE known.at IS NOT NULL AND volume.provisioned_at IS NOT NULL;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

BACKWARD = """
DROP TRIGGER append_only ON engines_volumefact;
DROP TRIGGER append_only ON engines_tagchange;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('engines', '0011_idle_release'),
        ('tenants', '0004_add_audit_log'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='gpuclass',
            name='billed_milli',
            field=models.PositiveIntegerField(default=1000, help_text='Of what its price is for: 250 where an instance has one of four replicas and the price is that of a whole GPU.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='billed share, thousandths'),
        ),
        migrations.AddField(
            model_name='instance',
            name='tag',
            field=models.CharField(blank=True, default='', help_text='Project or campaign.', max_length=60, verbose_name='tag'),
        ),
        migrations.AddField(
            model_name='runfact',
            name='quantity_milli',
            field=models.PositiveIntegerField(default=1000, verbose_name='thousandths of a GPU'),
        ),
        migrations.AddField(
            model_name='runfact',
            name='tag',
            field=models.CharField(blank=True, default='', max_length=60, verbose_name='tag'),
        ),
        migrations.AlterField(
            model_name='runfact',
            name='kind',
            field=models.CharField(choices=[('started', 'started'), ('launched', 'launched'), ('ready', 'ready'), ('seen', 'seen alive'), ('ended', 'ended')], max_length=8, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='runfact',
            name='source',
            field=models.CharField(choices=[('operator', 'operator'), ('cluster', 'cluster'), ('reconcile', 'reconcile')], max_length=10, verbose_name='source'),
        ),
        migrations.CreateModel(
            name='TagChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('from_tag', models.CharField(blank=True, max_length=60, verbose_name='from')),
                ('to_tag', models.CharField(blank=True, max_length=60, verbose_name='to')),
                ('actor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tag_changes', to='engines.instance', verbose_name='instance')),
            ],
            options={
                'verbose_name': 'change of tag',
                'verbose_name_plural': 'changes of tags',
                'ordering': ['pk'],
                'indexes': [models.Index(fields=['instance', 'at'], name='engines_tag_instanc_d2884a_idx')],
            },
        ),
        migrations.CreateModel(
            name='VolumeFact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('provisioned', 'provisioned'), ('changed', 'changed'), ('gone', 'gone')], max_length=11, verbose_name='kind')),
                ('source', models.CharField(choices=[('operator', 'operator'), ('cluster', 'cluster'), ('portal', 'portal')], max_length=10, verbose_name='source')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('observed_at', models.DateTimeField(verbose_name='observed at')),
                ('size_gib', models.PositiveIntegerField(verbose_name='size, GiB')),
                ('storage_class', models.CharField(blank=True, max_length=63, verbose_name='storage class')),
                ('tag', models.CharField(blank=True, default='', max_length=60, verbose_name='tag')),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner')),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant', verbose_name='tenant')),
                ('volume', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='facts', to='engines.volume', verbose_name='volume')),
            ],
            options={
                'verbose_name': 'volume fact',
                'verbose_name_plural': 'volume facts',
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('volume', 'kind', 'source', 'at'), name='volume_fact_once')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
