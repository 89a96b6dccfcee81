# SPDX-License-Identifier: Apache-2.0
"""Commands really run: their limits, their errors, and what becomes of those that hang."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from oslo_config import cfg

from manila_lite import exception, process

MIB = 1024 * 1024


def alive(pid):
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        threading.Event().wait(0.01)
    return condition()


def test_both_outputs_come_back_apart():
    assert process.execute("sh", "-c", "echo out; echo err >&2") == ("out\n", "err\n")


def test_arguments_of_any_type_reach_the_program_unchanged(tmp_path):
    nasty = "a b; $(touch x) 'q' \"r\" *"
    output, _ = process.execute("printf", "%s|", nasty, 7, tmp_path, b"bytes")
    assert output == f"{nasty}|7|{tmp_path}|bytes|"


def test_input_larger_than_a_pipe_comes_back_whole():
    text = "manila\n" * 300_000
    assert process.execute("cat", process_input=text, max_output=4 * MIB)[0] == text


def test_input_that_nobody_reads_is_no_error():
    assert process.execute("true", process_input=b"x" * MIB) == ("", "")


def test_command_without_input_finds_its_end():
    assert process.execute("cat", timeout=10) == ("", "")


def test_output_that_is_no_text_is_escaped():
    assert process.execute("printf", r"caf\303\251 \377")[0] == r"café \xff"


def test_environment_is_the_services_own_and_what_is_given(monkeypatch):
    monkeypatch.setenv("OWN", "1")
    output, _ = process.execute("sh", "-c", "echo $OWN $GIVEN", env={"GIVEN": "2"})
    assert output == "1 2\n"


def test_working_directory_is_the_one_given(tmp_path):
    assert process.execute("pwd", "-P", cwd=tmp_path)[0].strip() == os.fspath(tmp_path.resolve())


@pytest.mark.parametrize(
    ("code", "accepted"),
    [(0, (0,)), (0, True), (3, False), (3, 3), (3, [0, 3]), (0, {0, 1})],
)
def test_accepted_exit_codes_are_no_error(code, accepted):
    assert process.execute("sh", "-c", f"exit {code}", check_exit_code=accepted) == ("", "")


@pytest.mark.parametrize(
    ("code", "accepted"), [(1, (0,)), (1, True), (0, 3), (2, [0, 3]), (255, (0,))]
)
def test_other_exit_codes_are_an_error_with_all_there_is_to_know(code, accepted):
    script = f"echo out; echo err >&2; exit {code}"
    with pytest.raises(exception.ProcessExecutionError) as caught:
        process.execute("sh", "-c", script, check_exit_code=accepted)
    error = caught.value
    assert (error.exit_code, error.stdout, error.stderr) == (code, "out\n", "err\n")
    assert "sh -c" in error.cmd


def test_killed_command_tells_its_signal_and_is_in_doubt():
    with pytest.raises(exception.ProcessExecutionError) as caught:
        process.execute("sh", "-c", "kill -TERM $$")
    assert caught.value.exit_code == -signal.SIGTERM
    assert exception.classify(caught.value) is exception.ErrorKind.IN_DOUBT


def test_missing_program_is_a_final_error():
    with pytest.raises(FileNotFoundError) as caught:
        process.execute("manila-lite-no-such-program")
    assert exception.classify(caught.value) is exception.ErrorKind.FINAL


def test_timeout_kills_the_command_and_what_it_started(tmp_path):
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! $$ > {pids}; wait"
    started = time.monotonic()
    with pytest.raises(exception.CommandTimeout) as caught:
        process.execute("sh", "-c", script, timeout=1)
    assert time.monotonic() - started < 10
    assert "after 1 seconds" in caught.value.msg
    assert exception.classify(caught.value) is exception.ErrorKind.IN_DOUBT
    for pid in pids.read_text().split():
        assert wait_until(lambda pid=pid: not alive(pid))


def test_timeout_reaches_a_command_that_closed_its_outputs():
    with pytest.raises(exception.CommandTimeout):
        process.execute("sh", "-c", "exec >&- 2>&-; sleep 60", timeout=0.5)


def test_timeout_reaches_a_command_that_ignores_sigterm():
    with pytest.raises(exception.CommandTimeout):
        process.execute("sh", "-c", "trap '' TERM; while :; do sleep 1; done", timeout=0.5)


@pytest.mark.parametrize(
    "script",
    ["exec sleep 60", "while :; do echo noise >&2; sleep 0.01; done"],
    ids=["silent", "noisy"],
)
def test_process_left_behind_in_the_background_is_neither_waited_for_nor_killed(script):
    started = time.monotonic()
    output, _ = process.execute("sh", "-c", f"({script}) & echo $!", timeout=30)
    pid = int(output)
    try:
        assert time.monotonic() - started < 10
        assert alive(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_interruption_of_the_service_kills_the_command(tmp_path, monkeypatch):
    pids = tmp_path / "pid"

    def interrupt(*args, **kwargs):
        assert wait_until(lambda: pids.exists() and pids.read_text().strip())
        raise KeyboardInterrupt

    monkeypatch.setattr(process.pipes, "_pump", interrupt)
    with pytest.raises(KeyboardInterrupt):
        process.execute("sh", "-c", f"echo $$ > {pids}; exec sleep 60")
    assert wait_until(lambda: not alive(pids.read_text().strip()))


def test_more_output_than_allowed_is_an_error_once_the_command_has_ended(tmp_path):
    done = tmp_path / "done"
    with pytest.raises(exception.ProcessExecutionError, match="more than it may") as caught:
        process.execute("sh", "-c", f"seq 1 1000; touch {done}", max_output=10)
    assert caught.value.stdout == "1\n2\n3\n4\n5\n"
    assert done.exists()


def test_output_of_exactly_what_is_allowed_is_no_error():
    assert process.execute("printf", "0123456789", max_output=10)[0] == "0123456789"


def test_more_on_standard_error_than_allowed_is_cut_off():
    script = "i=0; while [ $i -lt 2000 ]; do echo warning >&2; i=$((i+1)); done; echo out"
    assert process.execute("sh", "-c", script, max_output=16) == ("out\n", "warning\nwarning\n")


def test_long_outputs_are_shortened_in_an_error():
    with pytest.raises(exception.ProcessExecutionError) as caught:
        process.execute("sh", "-c", "echo first; seq 1 20000; echo last; exit 1")
    assert len(caught.value.stdout) < 20_000
    assert caught.value.stdout.startswith("first\n")
    assert caught.value.stdout.endswith("last\n")


SECRETS = [
    ("--password", "geheim"),
    ("-o", "username=u,password=geheim"),
    ("--os-password", "geheim"),
    ("-secret-key", "geheim"),
    ("auth_token=geheim",),
]


@pytest.mark.parametrize("arguments", SECRETS, ids=lambda value: value[0])
@pytest.mark.parametrize("end", ["exit 1", "sleep 60"])
def test_passwords_are_masked_in_errors(arguments, end):
    script = 'echo "password=geheim"; echo "token=geheim" >&2; ' + end
    with pytest.raises((exception.ProcessExecutionError, exception.CommandTimeout)) as caught:
        process.execute("sh", "-c", script, "sh", *arguments, timeout=1)
    assert "geheim" not in str(caught.value)
    assert "geheim" not in repr(vars(caught.value))
    assert "***" in str(caught.value)


def test_memory_limit_stops_a_greedy_command():
    limits = process.ProcessLimits(address_space=512 * MIB)
    assert process.execute("echo", "ok", prlimit=limits)[0] == "ok\n"
    greedy = [sys.executable, "-c", "bytearray(2**31)"]
    with pytest.raises(exception.ProcessExecutionError) as caught:
        process.execute(*greedy, prlimit=limits)
    assert "MemoryError" in caught.value.stderr


def test_limit_on_files_is_seen_by_the_command():
    limits = process.ProcessLimits(number_files=33)
    assert process.execute("sh", "-c", "ulimit -n", prlimit=limits)[0] == "33\n"


def test_many_threads_run_commands_at_once():
    outputs = {}

    def run(number):
        outputs[number] = process.execute("sh", "-c", f"sleep 0.1; echo {number}")[0]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: f"{number}\n" for number in range(16)}


def test_no_file_descriptor_stays_open():
    process.execute("true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        process.execute("cat", process_input="x")
        with pytest.raises(exception.CommandTimeout):
            process.execute("sleep", "60", timeout=0.05)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.fixture
def helper(monkeypatch):
    """oslo.privsep's helper, started as its own process and not through sudo."""
    from manila_lite.process import privileged

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    command = os.fspath(Path(sys.executable).parent / "privsep-helper")
    conf = cfg.ConfigOpts()
    conf([])
    conf.register_opts(privileged.priv_context.OPTS, group=privileged.SECTION)
    with conf_values(conf, privileged.SECTION, helper_command=command):
        privileged.configure(conf)
    yield privileged
    privileged.context.stop()
    cfg.CONF.clear_override("helper_command", group=privileged.SECTION)


@contextlib.contextmanager
def conf_values(conf, group, **values):
    from oslo_config import fixture

    with fixture.Config(conf) as loaded:
        loaded.load_raw_values(group=group, **values)
        yield


@pytest.mark.skipif(os.geteuid() != 0, reason="the helper needs root, and sudo is not set up here")
def test_command_as_root_runs_in_the_helper(helper, tmp_path):
    output, _ = process.execute("sh", "-c", "echo $PPID; umask; cat", process_input="in",
                                run_as_root=True)  # fmt: skip
    parent, umask, given = output.split("\n")
    assert int(parent) != os.getpid()
    assert (umask, given) == ("0022", "in")
    with pytest.raises(exception.ProcessExecutionError) as caught:
        process.execute("sh", "-c", "echo err >&2; exit 3", run_as_root=True)
    assert (caught.value.exit_code, caught.value.stderr) == (3, "err\n")
    with pytest.raises(exception.CommandTimeout, match="0.2 seconds"):
        process.execute("sleep", "60", run_as_root=True, timeout=0.2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs commands as root without a helper")
def test_service_that_is_root_needs_no_helper():
    output, _ = process.execute("sh", "-c", "echo $PPID", run_as_root=True, root_helper="sudo x")
    assert int(output) == os.getpid()


def test_output_is_told_as_it_comes():
    told = []
    script = "echo one; read line; echo two"
    output, _ = process.execute("sh", "-c", script, process_input="go\n", on_output=told.append)
    assert b"".join(told).decode() == output == "one\ntwo\n"


def test_who_is_told_can_end_the_command(tmp_path):
    pids = tmp_path / "pid"

    def refuse(output):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        script = f"echo $$ > {pids}; echo told; exec sleep 60"
        process.execute("sh", "-c", script, on_output=refuse)
    assert wait_until(lambda: not alive(pids.read_text().strip()))
