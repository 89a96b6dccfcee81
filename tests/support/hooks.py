# SPDX-License-Identifier: Apache-2.0
"""A hook that writes down what it is told and answers as the test says."""

import json

from manila_lite.share.hooks import HookBase

SWITCHES = ("enable_pre_hooks", "enable_post_hooks", "enable_periodic_hooks")


class RecordingHook(HookBase):
    """told: (when, func_name, arguments). answers: {when: value, error or function}."""

    def __init__(self, configuration, host):
        super().__init__(configuration, host)
        self.told = []
        self.answers = {}

    def _tell(self, when, func_name, **arguments):
        self.told.append((when, func_name, arguments))
        answer = self.answers.get(when)
        if isinstance(answer, BaseException):
            raise answer
        return answer(**arguments) if callable(answer) else answer

    def _execute_pre_hook(self, context, func_name, *args, **kwargs):
        assert not args
        self.context = context
        return self._tell("before", func_name, **kwargs)

    def _execute_post_hook(
        self, context, func_name, pre_hook_data, driver_action_results, *args, **kwargs
    ):
        assert not args
        return self._tell(
            "after", func_name, before=pre_hook_data, result=driver_action_results, **kwargs
        )

    def _execute_periodic_hook(self, context, periodic_hook_data, *args, **kwargs):
        return self._tell("periodically", None, data=periodic_hook_data)

    def times(self, when):
        return [entry[0] for entry in self.told].count(when)


class FileHook(RecordingHook):
    """Writes a line for each call into the file ``<scripted_journal>.hooks``.

    It fails for casts whose filter properties say so: ``{"hook": "before"}``, or "after".
    """

    def _tell(self, when, func_name, **arguments):
        instance = arguments.get("share_instance_id")
        instances = [row["id"] for row in arguments.get("data", ())]
        line = json.dumps([when, func_name, instance, arguments.get("before"), instances])
        with open(f"{self.get_config_option('scripted_journal')}.hooks", "a") as file:
            file.write(f"{line}\n")
        if (arguments.get("filter_properties") or {}).get("hook") == when:
            raise ValueError(f"the hook does not want it {when}")
        return f"seen {instance}"
