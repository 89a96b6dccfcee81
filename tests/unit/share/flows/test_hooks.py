# SPDX-License-Identifier: Apache-2.0
"""Hooks around operations, and periodically."""

import pytest

from manila_lite import context as contexts
from manila_lite.engine import registry
from manila_lite.share import flows
from manila_lite.testing.engine import SteppedEngine
from tests.support.hooks import SWITCHES, RecordingHook
from tests.support.shares import HOST, POOL, Crash, Site

METHOD = "create_share_instance"


class HookSite(Site):
    """A site with one hook around its operations."""

    served = flows.around(registry)

    def new_worker(self):
        engine = SteppedEngine(
            self.database, self.served, self.clock, host=HOST, env=self.environment,
            settings=self.settings, resolvers=flows.LANE_RESOLVERS,
        )  # fmt: skip
        self.environment.journal = engine.journal
        return engine

    def create(self, share):
        return self.do(METHOD, **arguments(share))


def arguments(share):
    return {
        "share_instance_id": share["instance_id"],
        "request_spec": {"share_id": share["share_id"]},
        "filter_properties": {},
        "snapshot_id": None,
    }


@pytest.fixture
def site():
    found = HookSite()
    for option in (*SWITCHES, "suppress_pre_hooks_errors", "suppress_post_hooks_errors"):
        found.conf.set_override(option, option in SWITCHES)
    found.hook = RecordingHook(found.environment.configuration, HOST)
    found.environment.hooks = [found.hook]
    yield found
    for option in (*SWITCHES, "suppress_pre_hooks_errors", "suppress_post_hooks_errors"):
        found.conf.clear_override(option)


def test_hooks_are_called_before_and_after_with_the_casts_arguments(site):
    share = site.add_share()
    calls = []
    site.hook.answers["before"] = lambda **_: calls.append("hook before") or {"seen": [1]}
    site.driver.answers["create_share"] = lambda *_, **__: calls.append("driver")
    site.hook.answers["after"] = lambda **_: calls.append(f"after, {site.status(share)}")
    operation = site.create(share)
    assert operation["state"] == "succeeded"
    assert calls == ["hook before", "driver", "after, creating"]
    assert site.hook.told == [
        ("before", METHOD, arguments(share)),
        ("after", METHOD, {**arguments(share), "before": {"seen": [1]}, "result": None}),
    ]
    assert site.status(share) == "available"
    assert site.hook.context.project_id == "project"


def test_error_before_fails_the_operation_without_the_driver(site):
    share = site.add_share()
    site.hook.answers["before"] = ValueError("not today")
    operation = site.create(share)
    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert "not today" in operation["error"]
    assert site.driver.calls == []
    assert site.hook.times("after") == 0
    assert site.messages(share["share_id"]) != []


def test_error_after_fails_the_operation_after_the_driver(site):
    share = site.add_share()
    site.hook.answers["after"] = SystemExit(4)
    operation = site.create(share)
    assert (operation["state"], site.status(share)) == ("failed", "error")
    assert site.driver.called("create_share") == 1


def test_retry_calls_the_hook_again_and_not_the_driver(site):
    share = site.add_share()
    site.hook.answers["after"] = ValueError("not today")
    uuid = site.create(share)["uuid"]
    del site.hook.answers["after"]
    site.retry(uuid)
    assert (site.operation(uuid)["state"], site.status(share)) == ("succeeded", "available")
    assert (site.hook.times("before"), site.hook.times("after")) == (1, 2)
    assert site.driver.called("create_share") == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_suppressed_errors_change_nothing(site, when):
    share = site.add_share()
    site.hook.suppress_pre_hooks_errors = site.hook.suppress_post_hooks_errors = True
    site.hook.answers[when] = ValueError("not today")
    assert site.create(share)["state"] == "succeeded"
    assert site.status(share) == "available"
    if when == "before":
        assert site.hook.told[-1][2]["before"] == "ValueError('not today')"


def test_passwords_in_suppressed_errors_are_not_recorded(site):
    site.hook.suppress_pre_hooks_errors = True
    site.hook.answers["before"] = ValueError("cannot log in with password=swordfish")

    operation = site.create(site.add_share())

    assert "cannot log in" in operation["steps"]
    assert "swordfish" not in operation["steps"]


def test_operation_that_fails_has_no_hook_after(site):
    share = site.add_share()
    site.driver.answers["create_share"] = ValueError("no")
    assert site.create(share)["state"] == "failed"
    assert (site.hook.times("before"), site.hook.times("after")) == (1, 0)


def test_hooks_are_called_once_however_often_the_operation_is_entered(site):
    share = site.add_share()
    uuid = site.crash_in(METHOD, "create_share", **arguments(share))
    site.run(5)
    assert site.operation(uuid)["state"] == "succeeded"
    assert (site.hook.times("before"), site.hook.times("after")) == (1, 1)
    assert site.driver.called("create_share") == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_hook_in_which_the_worker_died_is_called_again(site, when):
    share = site.add_share()

    def die(**_):
        site.hook.answers.clear()
        raise Crash

    site.hook.answers[when] = die
    uuid = site.cast(METHOD, **arguments(share))
    with pytest.raises(Crash):
        site.run()
    site.take_over()
    site.run()
    assert site.operation(uuid)["state"] == "succeeded"
    assert site.hook.times(when) == 2
    assert site.driver.called("create_share") == 1


def test_flow_that_has_nothing_to_do_is_told_as_one(site):
    site.do("delete_share_instance", share_instance_id="gone", force=False)
    when, name, told = site.hook.told[-1]
    assert (when, name) == ("after", "delete_share_instance")
    assert "skipped" in told["result"]


def test_internal_operations_have_no_hooks():
    internal = [name for name, flow in registry.flows.items() if flow.internal]
    assert internal
    assert all(HookSite.served.flows[name] is registry.flows[name] for name in internal)
    assert set(HookSite.served.flows) == set(registry.flows)


def test_calls_have_hooks_too_and_their_result_is_told(site):
    site.driver.answers["get_pool"] = None
    definition = HookSite.served.flows["transfer_accept"]
    context = contexts.get_admin_context()
    site.hook.answers["before"] = ValueError("not today")
    with pytest.raises(ValueError, match="not today"):
        definition.function(
            site.environment, context, share_id="s", new_user="u", new_project="p",
            clear_rules=False,
        )  # fmt: skip
    assert definition.parameters == registry.flows["transfer_accept"].parameters


def test_what_is_no_json_reaches_the_hook_after_as_text(site):
    site.hook.answers["before"] = lambda **_: object()
    site.create(site.add_share())
    assert site.hook.told[-1][2]["before"].startswith("<object object")


# -- periodic ----------------------------------------------------------------------------------


def test_periodic_hooks_get_what_the_driver_makes_of_all_instances(site):
    ready, broken = site.add_share("available"), site.add_share("error")
    with_commands = lambda context, share_instances: [  # noqa: E731
        {**instance, "mount": f"mount {instance['id']}"} for instance in share_instances
    ]
    site.driver.get_periodic_hook_data = with_commands
    flows.run_periodic_hooks(site.environment)
    [(when, _, told)] = site.hook.told
    assert when == "periodically"
    found = {instance["id"]: instance for instance in told["data"]}
    assert set(found) == {ready["instance_id"], broken["instance_id"]}
    first = found[ready["instance_id"]]
    assert (first["host"], first["mount"]) == (POOL, f"mount {ready['instance_id']}")
    assert first["export_locations"] == []


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
def test_one_periodic_hook_that_fails_keeps_no_other_from_its_call(site, caplog, error):
    other = RecordingHook(site.environment.configuration, HOST)
    site.hook.answers["periodically"] = error
    site.environment.hooks = [site.hook, other]
    flows.run_periodic_hooks(site.environment)
    assert other.times("periodically") == 1
    assert "RecordingHook failed" in caplog.text
