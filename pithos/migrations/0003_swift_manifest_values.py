from django.db import migrations

import pithos.models.fields


class Migration(migrations.Migration):
    dependencies = [
        ("pithos", "0002_swift"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attribute",
            name="value",
            field=pithos.models.fields.BytewiseCharField(max_length=1536),
        ),
    ]
