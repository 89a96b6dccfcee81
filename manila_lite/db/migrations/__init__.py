# SPDX-License-Identifier: Apache-2.0
"""Alembic's revisions of our tables; ``manila_lite.db.sync`` applies them."""
