# SPDX-License-Identifier: Apache-2.0
"""Log lines name their operation and hold no secret."""

import json
import logging
import threading

import pytest
from oslo_context import context as oslo_context

from manila_lite.conf.load import load
from manila_lite.context import RequestContext
from manila_lite.observability import logging as our_logging


@pytest.fixture
def conf():
    return load([], [])


def rendered(formatter, message, *args, exc_info=None, level=logging.INFO, **extra):
    record = logging.LogRecord("demo", level, "f.py", 1, message, args, exc_info)
    record.__dict__.update(extra)
    return formatter.format(record)


def line_formatter(conf):
    our_logging._set_default_formats(conf)
    return our_logging.LineFormatter(config=conf)


def test_a_line_names_operation_request_and_resource(conf):
    with our_logging.operation_context("op-1", "req-2", "share:3"):
        line = rendered(line_formatter(conf), "made %s", "it")
    assert line.endswith("INFO demo [op-1 req-2 share:3] made it")


def test_a_line_outside_any_operation_has_dashes(conf):
    assert rendered(line_formatter(conf), "hello").endswith("[- - -] hello")


def test_a_context_that_some_other_request_left_in_the_thread_is_not_named(conf):
    left = RequestContext(request_id="req-stale", overwrite=True)
    try:
        with our_logging.operation_context("op-1", "req-2"):
            assert "[op-1 req-2 -]" in rendered(line_formatter(conf), "hello")
        assert "req-stale" not in rendered(line_formatter(conf), "hello")
        assert json.loads(rendered(our_logging.JSONFormatter(), "hello"))["context"] == {}
    finally:
        oslo_context._request_store.context = None
    assert left.request_id == "req-stale"


def test_the_outer_operation_is_back_after_an_inner_one():
    with our_logging.operation_context("outer"):
        with our_logging.operation_context("inner"):
            assert our_logging.current_operation().operation_id == "inner"
        assert our_logging.current_operation().operation_id == "outer"
    assert our_logging.current_operation().operation_id == "-"


def test_an_operation_is_not_named_in_other_threads():
    seen = []
    with our_logging.operation_context("mine"):
        thread = threading.Thread(
            target=lambda: seen.append(our_logging.current_operation().operation_id)
        )
        thread.start()
        thread.join()
    assert seen == ["-"]


def test_json_has_the_operation_as_fields(conf):
    with our_logging.operation_context("op-1", "req-2", "share:3"):
        found = json.loads(rendered(our_logging.JSONFormatter(), "made %s", "it"))
    assert found["message"] == "made it"
    assert found["extra"]["operation_id"] == "op-1"
    assert found["extra"]["request_id"] == "req-2"
    assert found["extra"]["operation_resource"] == "share:3"


SECRETS = [
    ("login with password=geheim failed", ()),
    ("reply: %s", ({"auth_token": "geheim"},)),
    ("cannot connect to %s", ("rabbit://manila:geheim@host:5672/",)),
    ("cannot connect to %s", ("rabbit://a:b@one:5672,manila:geheim@two:5672/",)),
    ("cannot connect to %s", ("postgresql://manila:ge@geheim@host/db",)),
    ("running mount -o username=x,password=geheim //h/s", ()),
]


@pytest.mark.parametrize(("message", "args"), SECRETS)
def test_secrets_do_not_reach_a_line(conf, message, args):
    line = rendered(line_formatter(conf), message, *args)
    assert "geheim" not in line
    assert "***" in line


@pytest.mark.parametrize(("message", "args"), SECRETS)
def test_secrets_do_not_reach_a_json_object(message, args):
    text = rendered(our_logging.JSONFormatter(), message, *args)
    assert "geheim" not in text
    assert "***" in json.loads(text)["message"]


def failing():
    try:
        raise RuntimeError("refused: password=geheim at mysql://u:geheim@host/")
    except RuntimeError as error:
        return (type(error), error, error.__traceback__)


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_secrets_do_not_reach_a_traceback(conf, level):
    for formatter in (line_formatter(conf), our_logging.JSONFormatter()):
        text = rendered(formatter, "it failed", exc_info=failing(), level=level)
        assert "refused" in text
        assert "geheim" not in text


def test_secrets_of_the_error_that_is_being_handled_do_not_reach_a_line(conf):
    for formatter in (line_formatter(conf), our_logging.JSONFormatter()):
        try:
            raise RuntimeError("refused: password=geheim at mysql://u:geheim@host/")
        except RuntimeError:
            text = rendered(formatter, "it failed", level=logging.ERROR)
        assert "refused" in text
        assert "geheim" not in text


def test_each_line_of_a_traceback_stands_apart_from_its_prefix(conf):
    text = rendered(line_formatter(conf), "it failed", exc_info=failing())
    assert "[- - -] Traceback" in text


def test_a_resource_given_in_the_logging_call_stays(conf):
    line = rendered(line_formatter(conf), "made", operation_resource="volume:9")
    assert "volume:9" in line


@pytest.fixture
def written(capsys):
    """What came to standard error; the root logger is as before afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield lambda: capsys.readouterr().err
    root.handlers[:], root.level = before


def test_set_up_logging_writes_our_lines(conf, written):
    our_logging.setup(conf)
    with our_logging.operation_context("op-1", "req-2", "share:3"):
        logging.getLogger("manila_lite.demo").warning("password=geheim")
    assert "WARNING manila_lite.demo [op-1 req-2 share:3] password=***" in written()


def test_json_is_an_option(conf, written):
    conf.set_override("use_json", True)
    our_logging.setup(conf)
    logging.getLogger("manila_lite.demo").warning("hello")
    assert json.loads(written()).get("message") == "hello"


def test_a_format_that_the_operator_chose_stays(tmp_path, written):
    path = tmp_path / "manila.conf"
    path.write_text(
        "[DEFAULT]\nlogging_default_format_string = mine %(message)s\n"
        "logging_context_format_string = mine %(message)s\n"
    )
    our_logging.setup(load([], [str(path)]))
    logging.getLogger("manila_lite.demo").warning("hello")
    assert written().strip() == "mine hello"
