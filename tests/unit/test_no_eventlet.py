# SPDX-License-Identifier: Apache-2.0
import builtins
import sys

import pytest

from manila_lite import no_eventlet


def test_eventlet_cannot_be_imported_while_it_is_hidden_and_can_be_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "eventlet", raising=False)
    with no_eventlet.hidden(), pytest.raises(ImportError):
        builtins.__import__("eventlet")
    assert "eventlet" not in sys.modules


def test_an_eventlet_that_somebody_imported_before_stays(monkeypatch):
    theirs = object()
    monkeypatch.setitem(sys.modules, "eventlet", theirs)
    with no_eventlet.hidden():
        assert sys.modules["eventlet"] is theirs
    assert sys.modules["eventlet"] is theirs


def test_threads_may_be_chosen_twice():
    from oslo_service import backend

    no_eventlet.choose_threads()
    no_eventlet.choose_threads()
    assert backend.get_backend_type() is backend.BackendType.THREADING
