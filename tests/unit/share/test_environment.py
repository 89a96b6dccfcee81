# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.db import models
from tests.support.shares import Site


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def storage(site):
    return site.environment.private_storage


def test_private_data_are_text_whatever_a_driver_hands_in(storage):
    storage.update("entity", {"port": 2049, "name": "x"})

    assert storage.get("entity") == {"port": "2049", "name": "x"}
    assert storage.get("entity", "port") == "2049"


def test_what_is_not_there_is_the_default(storage):
    assert storage.get("entity") == {}
    assert storage.get("entity", "key") is None
    assert storage.get("entity", "key", "default") == "default"


def test_private_data_are_replaced_key_by_key_or_as_a_whole(storage):
    storage.update("entity", {"a": "1", "b": "2"})
    storage.update("entity", {"b": "3"})
    assert storage.get("entity") == {"a": "1", "b": "3"}

    storage.update("entity", {"c": "4"}, delete_existing=True)

    assert storage.get("entity") == {"c": "4"}


def test_private_data_are_deleted_by_key_or_as_a_whole(storage):
    storage.update("entity", {"a": "1", "b": "2"})
    storage.delete("entity", "a")
    assert storage.get("entity") == {"b": "2"}

    storage.delete("entity")

    assert storage.get("entity") == {}


def test_a_value_that_the_column_cannot_hold_is_refused_and_nothing_written(storage):
    with pytest.raises(ValueError, match="'long'"):
        storage.update("entity", {"a": "1", "long": "x" * 1024})

    assert storage.get("entity") == {}


def test_the_zone_is_looked_up_once(site):
    first = site.environment.zone_id()
    with site.database.writer() as connection:
        connection.execute(models.availability_zones.delete())

    assert site.environment.zone_id() == first


@pytest.mark.parametrize("policy", ["retry", "error"])
def test_the_policy_is_that_of_the_back_ends_section(policy):
    assert Site(policy=policy).environment.interrupted_operation_policy == policy
