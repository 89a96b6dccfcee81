#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for Lustre's commands lfs and lctl, and for chattr, by the name it is called by.

What they are told is kept in the JSON file that $LUSTRE_STATE names. Directories are real ones.
"""

import fcntl
import json
import os
import shutil
import sys
from pathlib import Path

STATE = Path(os.environ["LUSTRE_STATE"])
KIB = 1024


def fail(text: str) -> None:
    sys.exit(f"{Path(sys.argv[0]).name}: {text}")


def lctl(state: dict, words: list[str]) -> None:
    maps = state.setdefault("nodemaps", {})
    command, *words = words
    if command == "get_param":
        print("2.16.1")
        return
    options = dict(zip(words[::2], words[1::2], strict=False)) if len(words) > 1 else {}
    name = options.get("--name", words[0])
    if command == "nodemap_add":
        if name in maps:
            fail(f"nodemap {name} already exists")
        maps[name] = {"ranges": []}
    elif name not in maps:
        fail(f"no nodemap {name}")
    elif command == "nodemap_del":
        del maps[name]
    elif command == "nodemap_add_range":
        if options["--range"] in maps[name]["ranges"]:
            fail("the range exists")
        maps[name]["ranges"].append(options["--range"])
    elif command == "nodemap_del_range":
        maps[name]["ranges"].remove(options["--range"])
    else:
        maps[name][options["--property"]] = options["--value"]


def lfs(state: dict, words: list[str]) -> None:
    quotas = state.setdefault("quotas", {})
    projects = state.setdefault("projects", {})
    command, *words = words
    mount = words[-1]
    if command == "setquota":
        quotas[words[words.index("-p") + 1]] = words[words.index("-B") + 1]
    elif command == "quota":
        project = words[words.index("-p") + 1]
        inside = [Path(path) for path, owner in projects.items() if owner == project]
        files = [file for path in inside for file in path.rglob("*") if file.is_file()]
        used = sum(file.stat().st_size for file in files) // KIB
        limit = quotas.get(project, "0").rstrip("k")
        print(f"{mount} {used} 0 {limit} -")
    elif command == "df":
        usage = shutil.disk_usage(mount)
        kib = [number // KIB for number in (usage.total, usage.used, usage.free)]
        print("tests-OST0000_UUID", *kib)
    elif command == "project":
        print(projects.get(mount, "0"), "P", mount)


def chattr(state: dict, words: list[str]) -> None:
    state.setdefault("projects", {})[words[-1]] = words[words.index("-p") + 1]


if __name__ == "__main__":
    with STATE.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or "{}")
        {"lctl": lctl, "lfs": lfs, "chattr": chattr}[Path(sys.argv[0]).name](known, sys.argv[1:])
        file.truncate(0)
        file.write(json.dumps(known))
