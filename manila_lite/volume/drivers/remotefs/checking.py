# SPDX-License-Identifier: Apache-2.0
"""Whether a volume's files are as they should be, for `manila-lite volume check` and `repair`."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any, TypedDict

from manila_lite.volume.drivers.remotefs.copies import CopyMethods, temporary_snapshot
from manila_lite.volume.drivers.remotefs.locks import locked_volume_id_operation
from manila_lite.volume.drivers.remotefs.snapshots_offline import IN_USE
from manila_lite.volume.qcow2 import qemu_img, repair
from manila_lite.volume.qcow2.repair import Examination, Finding
from manila_lite.volume.qcow2.survey import Survey

LOG = logging.getLogger(__name__)


class Report(TypedDict):
    """chain: file names, the active image first; empty where it is not to be made out.

    snapshots: id to overlay. findings: kind, path, text, repair (what is or would be done, None
    where somebody has to decide) and repaired.
    """

    volume_id: str
    active: str | None
    chain: list[str]
    snapshots: dict[str, str]
    dry_run: bool
    findings: list[dict[str, Any]]


class CheckingMethods(CopyMethods):
    """Under the volume's lock; what a guest uses is not touched."""

    @locked_volume_id_operation
    def check_volume(self, volume: Any, snapshot_ids: Sequence[str]) -> Report:
        """Report what is wrong. snapshot_ids: the database's, in the order of their creation."""
        return _report(volume, self._examined(volume, snapshot_ids), self._info_path(volume))

    @locked_volume_id_operation
    def repair_volume(
        self, volume: Any, snapshot_ids: Sequence[str], dry_run: bool = True
    ) -> Report:
        """Put right what can be without knowing more; dry_run: only report what that would be."""
        examined = self._examined(volume, snapshot_ids)
        report = _report(volume, examined, self._info_path(volume), dry_run)
        if dry_run or examined.found is None:
            return report
        for finding, shown in zip(examined.findings, report["findings"], strict=True):
            if finding.action is not None:
                LOG.warning("Volume %s: %s: %s", volume.id, shown["path"], shown["repair"])
                self._mend(volume, examined.found, finding)
                shown["repaired"] = True
        return report

    def _examined(self, volume: Any, snapshot_ids: Sequence[str]) -> Examination:
        if not volume.provider_location:
            finding = Finding("no_share", "", "the volume lies on no share")
            return Examination(None, [finding])
        self._ensure_share_mounted(volume.provider_location)
        directory = self._image_directory(volume)
        return repair.examine(
            directory,
            self._recorded(volume, directory.names),
            snapshot_ids,
            attached=volume.status == IN_USE,
            errors_in=self._errors_in,
        )

    def _errors_in(self, path: str) -> int:
        return qemu_img.errors_in(path, execute=self._execute, run_as_root=self._execute_as_root)

    def _info_path(self, volume: Any) -> str:
        return self._local_path_volume_info(volume) if volume.provider_location else ""

    def _mend(self, volume: Any, found: Survey, finding: Finding) -> None:
        if finding.action == repair.RECORD:
            self._write_info_file(self._local_path_volume_info(volume), found.content())
        elif finding.action == repair.REMOVE:
            self._remove_image(found.directory, finding.name)
        elif finding.action == repair.DISCARD:
            self._discard_overlay(found, finding.name, attached=volume.status == IN_USE)
        elif finding.action == repair.STRAIGHTEN:
            image = found.images[finding.name]
            lower = found.images[str(image.backing)]
            self._rebase_img(found.directory.path(image.name), lower.name, lower.file_format)
        elif finding.action == repair.MERGE:
            self._delete_snapshot(temporary_snapshot(volume, volume))


def _report(volume: Any, examined: Examination, info_path: str, dry_run: bool = True) -> Report:
    found = examined.found
    where = os.path.dirname(info_path)
    shown = [
        {
            **finding.shown(os.path.join(where, finding.name) if finding.name else info_path),
            "repaired": False,
        }
        for finding in examined.findings
    ]
    return {
        "volume_id": volume.id,
        "active": found.active if found else None,
        "chain": [image.name for image in found.chain] if found else [],
        "snapshots": dict(found.files) if found else {},
        "dry_run": dry_run,
        "findings": shown,
    }
