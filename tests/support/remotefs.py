# SPDX-License-Identifier: Apache-2.0
"""A driver as those outside this project are written, and commands that are only written down."""

from manila_lite.volume.drivers import remotefs


class Commands:
    """Stands in for process.execute: remembers each command, and answers as told."""

    def __init__(self):
        self.run = []
        self.as_root = []
        self.answers = {}

    def __call__(self, *command, run_as_root=False, **settings):
        self.run.append(list(command))
        self.as_root.append(run_as_root)
        answer = self.answers.get(command[0], "")
        if isinstance(answer, BaseException):
            raise answer
        return answer, ""


class FarDriver(remotefs.RemoteFSDriver):
    """Shares that are never really mounted."""

    driver_prefix = "far"
    driver_volume_type = "farfs"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.away = set()
        self.lines = []

    def _ensure_share_mounted(self, share):
        if share in self.away:
            raise OSError(f"{share} does not answer")

    def _read_config_file(self, config_file):
        return self.lines

    def _get_mount_point_for_share(self, path):
        return f"/mnt/{path.replace('/', '_')}"

    def _find_share(self, volume):
        return self._mounted_shares[0]

    def _get_capacity_info(self, share):
        return 100 << 30, 60 << 30, 50 << 30
