# SPDX-License-Identifier: Apache-2.0
"""Where the source calls methods of the share driver interface, and what reaches what."""

from __future__ import annotations

import ast
import functools
import json
from collections import defaultdict
from pathlib import Path

import manila_lite

ROOT = Path(manila_lite.__file__).parent
INTERFACE = Path(__file__).parents[1] / "data" / "seed-interface.json"
#: What drivers call of themselves, other services and tools are none of the share service.
_ELSEWHERE = ("share/drivers", "volume", "testing", "cmd", "compute", "image", "callback")
_CLASSES = "share/driver/"


@functools.cache
def interface() -> frozenset[str]:
    """All methods that drivers may redefine or call, their constructor aside."""
    classes = json.loads(INTERFACE.read_text())["classes"]["driver.py"].values()
    return frozenset(name for one in classes for name in one["methods"]) - {"__init__"}


@functools.cache
def trees() -> dict[str, ast.Module]:
    """{module below manila_lite: its syntax tree}"""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        relative = path.relative_to(ROOT).as_posix()
        if not relative.startswith(_ELSEWHERE):
            name = relative.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            found[name] = ast.parse(path.read_text())
    return found


@functools.cache
def from_outside() -> dict[str, frozenset[str]]:
    """{method: modules that call it, as driver.<method>}"""
    found = defaultdict(set)
    for module, tree in trees().items():
        for node in ast.walk(tree):
            found[_called_on_driver(node)].add(module)
    return {name: frozenset(modules) for name, modules in found.items() if name in interface()}


def _called_on_driver(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute) and _last_name(node.value).lstrip("_") == "driver":
        return node.attr
    if isinstance(node, ast.Call) and _last_name(node.func) in ("getattr", "hasattr"):
        driver, name = node.args[:2]
        if _last_name(driver).lstrip("_") == "driver" and isinstance(name, ast.Constant):
            return str(name.value)
    return None


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


@functools.cache
def from_inside() -> dict[str, dict[str, frozenset[str]]]:
    """{module: {function of a driver's class: names that it uses of itself}}"""
    found = {}
    for module, tree in trees().items():
        if module.startswith(_CLASSES.replace("/", ".")):
            found[module] = {
                function.name: frozenset(_own_names(function))
                for function in ast.walk(tree)
                if isinstance(function, ast.FunctionDef)
            }
    return found


def _own_names(function: ast.FunctionDef) -> set[str]:
    """Attributes of self, and names in texts: set_up methods are called by their names."""
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and _last_name(node.value) == "self"
    } | {
        str(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and str(node.value).startswith("init_")
    }


def callers_inside(name: str) -> set[tuple[str, str]]:
    """(module, method of the interface) by which a method is called: also by way of helpers."""
    found, seen, due = set(), set(), [name]
    while due:
        wanted = due.pop()
        for module, functions in from_inside().items():
            for function, used in functions.items():
                if wanted not in used or function in seen or function == name:
                    continue
                if function in interface() or function == "__init__":
                    found.add((module, function))
                else:
                    seen.add(function)
                    due.append(function)
    return found


@functools.cache
def imported(module: str) -> frozenset[str]:
    """All modules below manila_lite that a module imports, itself or by others, and itself."""
    found, due = {module}, [module]
    while due:
        for name in _imports(due.pop()) - found:
            found.add(name)
            due.append(name)
    return frozenset(found)


def _imports(module: str) -> set[str]:
    tree = trees().get(module)
    names = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("manila_lite"):
            base = str(node.module).removeprefix("manila_lite").lstrip(".")
            names |= {base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)}
    # A package gathers what does not belong together: that it was imported says nothing.
    return {
        name for name in names if name in trees() and not (ROOT / name.replace(".", "/")).is_dir()
    }


@functools.cache
def timers() -> frozenset[str]:
    """Names of the tasks that the share service repeats."""
    calls = [
        node
        for module in ("service", "worker_service")
        for node in ast.walk(trees()[module])
        if isinstance(node, ast.Call) and _last_name(node.func) in ("_task", "Task") and node.args
    ]
    names = [call.args[0] for call in calls]
    return frozenset(str(name.value) for name in names if isinstance(name, ast.Constant))


def texts(module: str) -> set[str]:
    """All texts in a module: a method that not every driver has is called by its name."""
    return {
        node.value
        for node in ast.walk(trees()[module])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
