# SPDX-License-Identifier: Apache-2.0
"""Who may reach a share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manila_lite.share.driver.base import DriverBase, Model, Rules, ShareServer


class AccessMethods(DriverBase):
    """Access rules: access_type, access_to and access_level ("rw" or "ro") by access_id."""

    def allow_access(
        self, context: Any, share: Model, access: Model, share_server: ShareServer = None
    ) -> Any:
        """Add one rule. Called only where update_access is not implemented."""
        raise NotImplementedError

    def deny_access(
        self, context: Any, share: Model, access: Model, share_server: ShareServer = None
    ) -> Any:
        """Remove one rule. Called only where update_access is not implemented."""
        raise NotImplementedError

    def update_access(
        self,
        context: Any,
        share: Model,
        access_rules: Rules,
        add_rules: Rules,
        delete_rules: Rules,
        share_server: ShareServer = None,
    ) -> Mapping[str, Mapping[str, Any]] | None:
        """Give the share exactly access_rules.

        add_rules (part of access_rules) and delete_rules (no longer part of them) are what
        changed, for drivers that cannot set all at once. Both empty: make the storage agree with
        access_rules, whatever it has now. That happens for a replica too, for which "rw" may have
        to mean "ro".

        The call may be repeated after an interruption: a rule in add_rules may be there already,
        a rule in delete_rules may never have been, also because it was in error; neither is an
        error.

        Returns None, or updates by access_id: state ("active" or "error") and access_key, the
        credential of whom the rule lets in. An exception puts every rule that is being applied or
        denied into error; rules in error are not sent again until they are denied.
        """
        raise NotImplementedError
