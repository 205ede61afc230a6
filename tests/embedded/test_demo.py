import os

import pytest

from aigc_portal.demo import only_demo
from aigc_portal.embedded.errors import EmbeddedError


def test_a_second_demo_on_the_same_data_is_refused(tmp_path):
    with only_demo(tmp_path), pytest.raises(EmbeddedError, match=rf"A demo runs on .* already \(pid {os.getpid()}\)"):
        only_demo(tmp_path).__enter__()
    with only_demo(tmp_path):
        pass  # the first has ended
