import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


FORWARD = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON billing_factdecision
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
BACKWARD = "DROP TRIGGER append_only ON billing_factdecision"


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_add_permission_to_close'),
        ('engines', '0014_add_part_millis'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='meter',
            name='quarantined',
            field=models.PositiveIntegerField(default=0, verbose_name='facts in doubt'),
        ),
        migrations.AddField(
            model_name='volumemeter',
            name='quarantined',
            field=models.PositiveIntegerField(default=0, verbose_name='facts in doubt'),
        ),
        migrations.CreateModel(
            name='FactDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('counts', models.BooleanField(verbose_name='counts')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('decided_at', models.DateTimeField(verbose_name='decided at')),
                ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='decided by')),
                ('run_fact', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decision', to='engines.runfact', verbose_name='fact about a run')),
                ('volume_fact', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decision', to='engines.volumefact', verbose_name='fact about a volume')),
            ],
            options={
                'verbose_name': 'decision about a fact',
                'verbose_name_plural': 'decisions about facts',
                'ordering': ['-decided_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('run_fact__isnull', False), ('volume_fact', None)), models.Q(('run_fact', None), ('volume_fact__isnull', False)), _connector='OR'), name='decision_about_one_fact')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
