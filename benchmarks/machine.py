# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of processes and of the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024.0


def load() -> float:
    """The load average of the last minute: above 0 before a run, the figures are worse for it."""
    return os.getloadavg()[0]


def cpu_seconds(pid: int) -> float:
    """User and system time that the process has used, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    """Resident memory of the process now, in MiB, pages that it shares with others included."""
    return _status(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    """The most resident memory that the process has ever had, in MiB."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / _MIB
    raise LookupError(f"process {pid} has no {name}")


def children(pid: int) -> list[int]:
    """Pids of the processes that the process has started and that still live."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def describe(directory: Path) -> str:
    """One line for people about the machine and the file system of the directory."""
    return (
        f"{os.cpu_count()} x {_processor()}, Linux {platform.release()}, "
        f"Python {platform.python_version()}, files on {_file_system(directory)}, "
        f"load {load():.2f} at the start"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(directory: Path) -> str:
    """The type of the file system that holds the directory: on tmpfs a commit costs nothing."""
    place, kind = "", "?"
    wanted = str(directory.resolve())
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        inside = wanted == mount or wanted.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(place):
            place, kind = mount, found
    return kind
