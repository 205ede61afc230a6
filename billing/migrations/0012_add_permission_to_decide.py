from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0011_index_reversals'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='factdecision',
            options={'ordering': ['-decided_at', '-pk'], 'permissions': [('decide_factdecision', 'Can decide whether facts in doubt count')], 'verbose_name': 'decision about a fact', 'verbose_name_plural': 'decisions about facts'},
        ),
    ]
