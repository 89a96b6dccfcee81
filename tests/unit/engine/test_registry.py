# SPDX-License-Identifier: Apache-2.0
import pytest

from manila_lite.engine import FlowRegistry


@pytest.fixture
def registry() -> FlowRegistry:
    return FlowRegistry()


def test_a_flow_is_found_by_the_name_of_its_rpc_method(registry: FlowRegistry):
    @registry.flow("extend_share", version="1.2", lane="share:{share_id}")
    def extend(op, share_id, new_size, reservations=None):
        return op

    found = registry.get("extend_share")

    assert found is not None and found.function is extend
    assert (found.version, found.lane_names) == ("1.2", ("share_id",))
    assert registry.get("nothing of the kind") is None


def test_the_parameters_of_a_flow_are_those_of_its_cast(registry: FlowRegistry):
    @registry.flow("extend_share", lane="share:{share_id}")
    def extend(op, share_id: str, new_size: int, reservations: list | None = None):
        return op

    parameters = registry.flows["extend_share"].parameters

    assert list(parameters) == ["share_id", "new_size", "reservations"]
    assert parameters["new_size"].annotation is int
    assert parameters["reservations"].default is None


def test_a_second_flow_of_the_same_name_is_refused(registry: FlowRegistry):
    registry.flow("x", lane="x")(lambda op: None)

    with pytest.raises(ValueError, match="'x'"):
        registry.flow("x", lane="x")(lambda op: None)


def test_the_same_flow_may_be_registered_again(registry: FlowRegistry):
    def function(op):
        return op

    registry.flow("x", lane="x")(function)
    registry.flow("x", lane="x")(function)

    assert len(registry.flows) == 1


def test_a_flow_stays_an_ordinary_function(registry: FlowRegistry):
    @registry.flow("double", lane="x")
    def double(op, number):
        return 2 * number

    assert double(None, 4) == 8
