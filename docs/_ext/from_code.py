# SPDX-License-Identifier: Apache-2.0
"""Pages of the reference that are written from the code each time the documentation is built.

Each function returns reStructuredText; ``setup`` writes it to reference/generated/<name>.rst, where
the pages of the reference include it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from manila_lite import server_states, states, volume_states
from manila_lite.cmd.main import main as command_line
from manila_lite.db import operations
from manila_lite.engine.registry import CAST, FlowRegistry, registry
from manila_lite.engine.retry import BUILT_IN
from manila_lite.exception import kinds
from manila_lite.rpc.dead_letters import Reason
from manila_lite.testing import driver_methods as methods

STATES = {
    operations.QUEUED: "Recorded. It starts when it heads its lane and a thread is free, or when "
    "its next try is due.",
    operations.RUNNING: "A worker has claimed it and its flow is under way.",
    operations.WAITING: "A probe will be asked again, or a step tried again, at a time that is "
    "written down. It holds its lane and no thread.",
    operations.SUCCEEDED: "Done; the resource's new status was written in the same transaction.",
    operations.FAILED: "Over, with an error that is kept with it.",
    operations.CANCELLED: "Ended by a request, after its clean-up.",
    operations.DEAD: "Parked: started too often without completing a step.",
}

REASONS = {
    Reason.TOO_LARGE: "It has more bytes than ``max_message_bytes``.",
    Reason.CONTENT_TYPE: "Its content type is not JSON.",
    Reason.COMPRESSION: "It is compressed.",
    Reason.NOT_TEXT: "It is no UTF-8 text.",
    Reason.NOT_JSON: "It is no JSON.",
    Reason.BAD_ENVELOPE: "It is not in oslo.messaging's envelope, version 2.0.",
    Reason.BAD_MESSAGE: "The envelope holds no message with a method and arguments.",
    Reason.UNKNOWN_METHOD: "Nothing of that name can be reached here.",
    Reason.UNSUPPORTED_VERSION: "The service does not speak that version of the interface.",
    Reason.MISSING_ARGUMENT: "An argument is missing.",
    Reason.UNKNOWN_ARGUMENT: "There is an argument that the method does not have.",
    Reason.WRONG_TYPE: "An argument has the wrong type.",
    Reason.BAD_IDENTIFIER: "An identifier has characters that could lead to another path.",
    Reason.NEEDS_REPLY: "The method gives a reply, and the sender does not wait for one.",
    Reason.GIVES_NO_REPLY: "The sender waits for a reply, and the method gives none.",
    Reason.NOT_RECORDED: "The database refused it as an operation.",
    Reason.INTERNAL_ERROR: "Reading it failed in a way nobody foresaw: a bug, please report it.",
}


def table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str) -> str:
    """A list-table; rows of text that may hold inline markup."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in [header, *rows]:
        for number, cell in enumerate(row):
            lines.append(f"   {'-' if number else '* -'} {cell}".replace("   - ", "     - ", 1))
    return "\n".join(lines) + "\n"


def code(text: object) -> str:
    return f"``{text}``"


def heading(text: str, underline: str = "-") -> str:
    return f"{text}\n{underline * len(text)}\n\n"


def operation_states() -> str:
    known = {*operations.LIVE_STATES, *operations.FINAL_STATES}
    if set(STATES) != known:
        raise RuntimeError(f"operation states without a description: {known ^ set(STATES)}")
    rows = [
        (code(state), "yes" if state in operations.FINAL_STATES else "no", text)
        for state, text in STATES.items()
    ]
    return table(("State", "Final", "Meaning"), rows, "20 10 70")


def dead_letter_reasons() -> str:
    if set(REASONS) != set(Reason):
        raise RuntimeError(f"reasons without a description: {set(Reason) ^ set(REASONS)}")
    rows = [(code(reason.value), text) for reason, text in REASONS.items()]
    return table(("Reason", "Meaning"), rows, "30 70")


def statuses() -> str:
    return "".join(
        heading(f"{kind} instances")
        + transitions(
            allowed, failed, sorted(known - states.UNDERWAY), sorted(known & states.UNDERWAY)
        )
        for kind, known, allowed, failed in (
            ("Share", states.SHARE_STATUSES, states.SHARE_TRANSITIONS, states.SHARE_ERROR_STATUS),
            (
                "Snapshot",
                states.SNAPSHOT_STATUSES,
                states.SNAPSHOT_TRANSITIONS,
                states.SNAPSHOT_ERROR_STATUS,
            ),
        )
    )


def group_statuses() -> str:
    underway = sorted(states.GROUP_ERROR_STATUS)
    return transitions(
        states.GROUP_TRANSITIONS,
        states.GROUP_ERROR_STATUS,
        sorted(set(states.GROUP_TRANSITIONS) - set(underway)),
        underway,
    )


def backup_statuses() -> str:
    underway = sorted(states.BACKUP_ERROR_STATUS)
    return transitions(
        states.BACKUP_TRANSITIONS,
        states.BACKUP_ERROR_STATUS,
        sorted(set(states.BACKUP_TRANSITIONS) - set(underway)),
        underway,
    )


def server_statuses() -> str:
    return transitions(
        server_states.TRANSITIONS,
        server_states.ERROR_STATUS,
        sorted(server_states.STEADY),
        sorted(server_states.UNDERWAY),
    )


def volume_statuses() -> str:
    kinds_of_rows = (
        (
            "Volumes",
            volume_states.VOLUME_STATUSES,
            volume_states.VOLUME_TRANSITIONS,
            volume_states.VOLUME_ERROR_STATUS,
        ),
        (
            "Snapshots of volumes",
            volume_states.SNAPSHOT_STATUSES,
            volume_states.SNAPSHOT_TRANSITIONS,
            volume_states.SNAPSHOT_ERROR_STATUS,
        ),
    )
    underway = volume_states.UNDERWAY
    return "".join(
        heading(kind)
        + transitions(allowed, failed, sorted(known - underway), sorted(known & underway))
        for kind, known, allowed, failed in kinds_of_rows
    )


def transitions(
    allowed: Mapping[str, frozenset[str]],
    failed: Mapping[str, str],
    steady: Sequence[str],
    underway: Sequence[str],
) -> str:
    """Two drawings in text: what goes on and how it ends; what may begin where."""
    lines = ["An operation is under way:", "", "::", ""]
    wide = max(map(len, underway))
    for status in (status for status in underway if status in allowed):
        # What does no harm when it fails leaves things as they were.
        failure = failed.get(status, "as it was")
        ends = sorted(allowed[status] - {failure, states.ERROR}) or sorted(allowed[status])
        lines.append(f"   {status:{wide}} ──▶ {' | '.join(ends)}")
        lines.append(f"   {'':{wide}} ──✗ {failure}")
    lines += ["", "Nothing is under way, and this may begin:", "", "::", ""]
    wide = max(map(len, steady))
    for status in (status for status in steady if status in allowed):
        for number, new in enumerate(sorted(allowed[status])):
            lines.append(f"   {'' if number else status:{wide}} ──▶ {new}")
    return "\n".join([*lines, "", ""])


def rpc_methods() -> str:
    from manila_lite.share import flows  # noqa: F401 - importing it registers the flows

    return methods_of(registry)


def volume_rpc_methods() -> str:
    from manila_lite.volume import flows

    return methods_of(flows.registry)


def methods_of(found: FlowRegistry) -> str:
    offered = [flow for flow in found.flows.values() if not flow.internal]
    rows = [
        (
            code(flow.name),
            flow.version,
            flow.kind,
            ", ".join(map(code, flow.parameters)) or "none",
            code(flow.lane) if flow.kind == CAST else "none",
        )
        for flow in sorted(offered, key=lambda flow: flow.name)
    ]
    header = ("Method", "Since", "Kind", "Arguments", "Lane")
    return table(header, rows, "25 8 8 39 20")


def error_kinds() -> str:
    text = ""
    for kind in kinds.ErrorKind:
        names = sorted(name for name, found in kinds.KIND_BY_NAME.items() if found is kind)
        text += heading(kind.value.replace("_", " ").capitalize())
        text += ", ".join(map(code, names)) + "\n\n"
    return text


def error_numbers() -> str:
    import errno

    def name(number: int) -> str:
        return errno.errorcode[number]

    rows = []
    for kind in kinds.ErrorKind:
        numbers = [n for n, found in kinds.KIND_BY_ERRNO.items() if found is kind]
        statuses = [str(n) for n, found in kinds.KIND_BY_HTTP_STATUS.items() if found is kind]
        shown = ", ".join(code(name(n)) for n in sorted(numbers, key=name))
        rows.append((kind.value.replace("_", " "), shown, ", ".join(statuses) or "all others"))
    return table(("Kind", "Numbers of an OSError", "HTTP statuses"), rows, "15 65 20")


def retry_policies() -> str:
    def describe(part: Any) -> str:
        values = ", ".join(
            f"{key}={value:g}" if isinstance(value, int | float) else f"{key}={value}"
            for key, value in sorted(vars(part).items())
            if isinstance(value, int | float) and value < 1e6
        )
        nested = vars(part).get("wait_funcs") or vars(part).get("stops")
        if nested:
            return "; ".join(describe(each) for each in nested)
        return f"{type(part).__name__}({values})"

    rows = [
        (code(policy.name), code(describe(policy.wait)), code(describe(policy.stop)))
        for policy in BUILT_IN.values()
    ]
    return table(("Policy", "Waits", "Stops"), rows, "15 45 40")


def command_tree() -> str:
    return "\n".join(_command(command_line, ["manila-lite"]))


def _command(command: click.Command, path: list[str]) -> list[str]:
    context = click.Context(command, info_name=" ".join(path))
    lines = [heading(" ".join(path)), "::", ""]
    lines += [f"   {line}".rstrip() for line in command.get_help(context).splitlines()]
    lines.append("")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                lines += _command(child, [*path, name])
    return lines


def driver_methods() -> str:
    rows = [
        (code(name), _callers(method), method.errors)
        for name, method in sorted(methods.METHODS.items(), key=lambda item: _public_first(item[0]))
    ]
    rows += [
        (code(name), f"Nothing as yet: it belongs to {what}.", "")
        for name, what in methods.AWAITED.items()
    ]
    return table(("Method", "Called by", "What an exception leads to"), rows, "22 36 42")


def newer_driver_methods() -> str:
    rows = [(code(name), _callers(method), method.errors) for name, method in methods.NEWER.items()]
    return table(("Method", "Called by", "What an exception leads to"), rows, "22 36 42")


def _public_first(name: str) -> tuple[bool, str]:
    return name.startswith("_"), name


def _callers(method: methods.Method) -> str:
    """Who calls it, each once: casts and calls by name, the service's own operations, timers."""
    said = [each for caller in method.callers for each in _said_of(caller)]
    return ", ".join(dict.fromkeys(said))


def _said_of(caller: methods.Caller) -> list[str]:
    if caller.kind == methods.START:
        return ["the start of the service"]
    if caller.kind == methods.DRIVERS:
        return ["drivers themselves"]
    if caller.kind == methods.TIMER:
        return [f"timer *{name}*" for name in caller.names]
    if caller.kind == methods.METHOD:
        return [
            "the constructor" if name == "__init__" else f"the driver's {code(name)}"
            for name in caller.names
        ]
    return [_operation(name) for name in caller.names]


def _operation(name: str) -> str:
    from manila_lite.share import flows  # noqa: F401 - importing it registers the flows

    flow = registry.flows[name]
    return f"{'operation' if flow.internal else flow.kind} {code(name)}"


PAGES: dict[str, Callable[[], str]] = {
    "dead-letter-reasons": dead_letter_reasons,
    "operation-states": operation_states,
    "statuses": statuses,
    "backup-statuses": backup_statuses,
    "group-statuses": group_statuses,
    "server-statuses": server_statuses,
    "volume-statuses": volume_statuses,
    "rpc-methods": rpc_methods,
    "volume-rpc-methods": volume_rpc_methods,
    "error-kinds": error_kinds,
    "error-numbers": error_numbers,
    "retry-policies": retry_policies,
    "command-tree": command_tree,
    "driver-methods": driver_methods,
    "newer-driver-methods": newer_driver_methods,
}


def write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "reference" / "generated"
    folder.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        page, new = folder / f"{name}.rst", text()
        if not page.exists() or page.read_text() != new:
            page.write_text(new)


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
