# SPDX-License-Identifier: Apache-2.0
"""Locks by name, within one process."""

import threading

import pytest

from manila_lite import exception
from manila_lite.testing.clock import ManualClock
from manila_lite.testing.volume_models import volume
from manila_lite.volume import coordination
from manila_lite.volume.coordination import Coordinator, synchronized

SECRET = "hunter2"


@pytest.fixture
def coordinator(tmp_path):
    return Coordinator(str(tmp_path / "state"), clock=ManualClock())


class OtherThread:
    """Holds a lock in a thread of its own for as long as the block runs."""

    def __init__(self, coordinator, name):
        self._held, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._hold, args=(coordinator, name))

    def _hold(self, coordinator, name):
        with coordinator.hold(name):
            self._held.set()
            self._done.wait(30)

    def __enter__(self):
        self._thread.start()
        assert self._held.wait(30)

    def __exit__(self, *_):
        self._done.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


def test_a_lock_that_another_thread_holds_is_not_to_be_had(coordinator):
    with (
        OtherThread(coordinator, "a"),
        pytest.raises(exception.LockingFailed),
        coordinator.hold("a", timeout=0),
    ):
        pass
    with coordinator.hold("a", timeout=0):
        pass


def test_a_lock_that_is_not_to_be_had_is_worth_asking_for_again(coordinator):
    with OtherThread(coordinator, "a"), pytest.raises(exception.LockingFailed) as caught:
        coordinator.hold("a", timeout=0).__enter__()
    assert exception.classify(caught.value) is exception.ErrorKind.TRANSIENT


def test_other_names_are_free_meanwhile(coordinator):
    with OtherThread(coordinator, "a"), coordinator.hold("b", "c", timeout=0):
        pass


def test_two_coordinators_of_one_directory_lock_each_other_out(coordinator, tmp_path):
    other = Coordinator(str(tmp_path / "state"), clock=ManualClock())
    with OtherThread(other, "a"), pytest.raises(exception.LockingFailed):
        coordinator.hold("a", timeout=0).__enter__()


def test_the_thread_that_holds_a_lock_gets_it_again(coordinator):
    with coordinator.hold("a", timeout=0):
        with coordinator.hold("a", "b", timeout=0):
            pass
        with OtherThread(coordinator, "b"):
            pass
    with OtherThread(coordinator, "a"):
        pass


def test_locks_are_taken_in_the_same_order_by_all(coordinator, monkeypatch):
    taken = []
    real = coordination._between_threads
    monkeypatch.setattr(
        coordination,
        "_between_threads",
        lambda key, name, timeout: taken.append(name) or real(key, name, timeout),
    )
    with coordinator.hold("b", "a", "c", "a"):
        pass
    assert taken == ["a", "b", "c"]


def test_a_lock_that_cannot_be_had_gives_the_others_back(coordinator):
    with OtherThread(coordinator, "b"), pytest.raises(exception.LockingFailed):
        coordinator.hold("a", "b", timeout=0).__enter__()
    with OtherThread(coordinator, "a"):
        pass


def test_a_byte_that_another_process_holds_is_waited_for_on_the_clock(
    coordinator, tmp_path, monkeypatch
):
    clock = coordinator._clock
    monkeypatch.setattr(coordination, "_try_byte", lambda descriptor, name: clock.monotonic() > 5)
    with coordinator.hold("a", timeout=10):
        assert 5 < clock.monotonic() < 6


def test_the_wait_for_another_process_ends(coordinator, monkeypatch):
    monkeypatch.setattr(coordination, "_try_byte", lambda descriptor, name: False)
    with pytest.raises(exception.LockingFailed, match="within 10 seconds"):
        coordinator.hold("a", timeout=10).__enter__()
    assert 10 <= coordinator._clock.monotonic() < 11


def test_without_a_directory_no_file_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Coordinator().hold("a"):
        pass
    assert list(tmp_path.iterdir()) == []


class Driver:
    driver_prefix = "nfs"

    def __init__(self, coordinator):
        self.coordinator = coordinator

    @synchronized("{self.driver_prefix}-{volume.id}", blocking=False)
    def by_attribute(self, volume, word="x"):
        """What it does."""
        return volume.id, word

    @synchronized("{f_name}-{volume[id]}", blocking=0)
    def by_key(self, volume):
        return volume["id"]


def test_a_decorated_method_holds_what_its_arguments_name(coordinator):
    driver, model = Driver(coordinator), volume()
    with OtherThread(coordinator, f"nfs-{model.id}"), pytest.raises(exception.LockingFailed):
        driver.by_attribute(model)
    with OtherThread(coordinator, f"by_key-{model.id}"), pytest.raises(exception.LockingFailed):
        driver.by_key(volume=model)
    assert driver.by_attribute(model, word="y") == (model.id, "y")
    assert driver.by_key(model) == model.id


def test_a_decorated_method_looks_as_before():
    assert Driver.by_attribute.__name__ == "by_attribute"
    assert Driver.by_attribute.__doc__ == "What it does."


def test_a_driver_without_a_coordinator_is_locked_within_the_process(coordinator):
    driver, model = Driver(None), volume()
    holder = OtherThread(coordination.coordinator_of(driver), f"nfs-{model.id}")
    with holder, pytest.raises(exception.LockingFailed):
        driver.by_attribute(model)


class BrokenTooz:
    """tooz, where whatever is asked fails with the URL in the message."""

    def get_coordinator(self, url, member):
        raise RuntimeError(f"cannot connect to {url}")


def test_a_url_with_a_password_appears_in_no_error_and_no_log(monkeypatch, caplog):
    monkeypatch.setattr(coordination, "_tooz", BrokenTooz)
    coordinator = Coordinator(backend_url=f"redis://:{SECRET}@host:6379")
    with caplog.at_level("DEBUG"), pytest.raises(exception.LockingFailed) as caught:
        coordinator.hold("a").__enter__()
    assert SECRET not in f"{caught.value}{caught.value.__cause__}{caplog.text}"
    assert "RuntimeError" in str(caught.value)


def test_hosts_are_not_asked_where_the_caller_does_not_want_them(monkeypatch):
    monkeypatch.setattr(coordination, "_tooz", BrokenTooz)
    with Coordinator(backend_url="redis://host").hold("a", between_hosts=False):
        pass
