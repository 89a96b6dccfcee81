# SPDX-License-Identifier: Apache-2.0
"""What the base class answers where a driver says nothing."""

import pytest

SHARES = [{"id": "i1"}, {"id": "i2"}]


@pytest.mark.parametrize(
    ("method", "arguments", "answer"),
    [
        ("get_pool", ({"id": "s"},), None),
        ("unmanage", ({"id": "s"},), None),
        ("unmanage_with_server", ({"id": "s"},), None),
        ("unmanage_snapshot", ({"id": "s"},), None),
        ("unmanage_snapshot_with_server", ({"id": "s"},), None),
        ("update_share_usage_size", (None, SHARES), []),
        ("get_periodic_hook_data", (None, SHARES), SHARES),
        ("get_default_filter_function", (), None),
        ("get_default_goodness_function", (), None),
        (
            "migration_check_compatibility",
            (None, {}, {}),
            {
                "compatible": False,
                "writable": False,
                "preserve_metadata": False,
                "nondisruptive": False,
                "preserve_snapshots": False,
            },
        ),
    ],
)
def test_base_class_has_a_harmless_answer(driver, method, arguments, answer):
    assert getattr(driver, method)(*arguments) == answer


def test_answers_are_not_shared_between_callers(driver):
    driver.migration_check_compatibility(None, {}, {})["compatible"] = True
    assert driver.migration_check_compatibility(None, {}, {})["compatible"] is False
