# SPDX-License-Identifier: Apache-2.0
"""How values look."""

import datetime
import json

import pytest

from manila_lite.cmd.output import Column, Output, age, plain, span, style_of

NOW = datetime.datetime(2026, 1, 1, 12)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (10, "10s"),
        (119, "119s"),
        (120, "2m"),
        (7200, "2h"),
        (172800, "2d"),
    ],
)
def test_a_duration_has_one_unit(seconds, text):
    assert span(seconds) == text


def test_an_age_of_nothing_is_a_dash():
    assert age(None, NOW) == "-"
    assert age(NOW - datetime.timedelta(minutes=5), NOW) == "5m"


def test_json_has_plain_types():
    value = {"at": NOW, "of": ({1: (NOW,)}, None, True)}
    moment = "2026-01-01T12:00:00.000Z"
    assert plain(value) == {"at": moment, "of": [{"1": [moment]}, None, True]}


@pytest.mark.parametrize(
    ("word", "colour"),
    [("available", "green"), ("queued", "yellow"), ("error_deleting", "red"), ("odd", "")],
)
def test_a_status_has_the_colour_of_its_kind(word, colour):
    assert style_of(word) == colour


def test_a_table_that_nobody_looks_at_is_not_cut_off(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    long = "x" * 300
    Output().rows([{"a": long, "b": None}], [Column("a", "A"), Column("b", "B")], "Nothing.")
    lines = capsys.readouterr().out.splitlines()
    assert any(long in line and "-" in line for line in lines)


def test_json_keeps_keys_that_the_table_leaves_out(capsys):
    output = Output(as_json=True)
    output.rows([{"a": 1, "hidden": 2}], [Column("a", "A")], "Nothing.")
    assert json.loads(capsys.readouterr().out) == [{"a": 1, "hidden": 2}]


@pytest.mark.parametrize(
    ("value", "text"), [(251.9722785949707, "251.97"), (4.0, "4"), (20.0, "20"), (0.5, "0.5")]
)
def test_a_number_for_people_has_no_more_digits_than_they_read(value, text, capsys):
    Output().rows([{"room": value}], [Column("room", "Room")], "none")
    assert text in capsys.readouterr().out.split()
