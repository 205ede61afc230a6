"""Which tests share a worker of xdist. Its own `--dist loadgroup` groups nothing with pytest 9.2: node ids are fixed there."""

from xdist.scheduler import LoadScopeScheduling

# Directories whose tests share something that takes seconds to start.
TOGETHER = ("tests/chaos/", "tests/e2e/")


class ByDirectory(LoadScopeScheduling):
    """Any test anywhere, but all of such a directory on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return next((directory for directory in TOGETHER if nodeid.startswith(directory)), nodeid)
