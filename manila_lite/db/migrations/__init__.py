# SPDX-License-Identifier: Apache-2.0
"""Alembic's revisions of the lite_ tables; ``manila_lite.db.sync`` applies them."""
