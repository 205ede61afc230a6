import shutil
import tempfile
from pathlib import Path

import pytest

from aigc_portal.embedded import services


@pytest.fixture
def data_dir():
    """An empty directory, open to no other user, whose services are stopped at the end."""
    directory = Path(tempfile.mkdtemp(prefix="aigc-embedded-"))
    yield directory
    services.stop(directory)
    shutil.rmtree(directory)


@pytest.fixture
def fast():
    return services.Wanted(durable=False)
