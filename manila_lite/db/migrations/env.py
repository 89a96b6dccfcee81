# SPDX-License-Identifier: Apache-2.0
"""What alembic runs: always on the connection that sync() hands over, inside its transaction."""

from __future__ import annotations

from alembic import context

from manila_lite.db.migrations.scope import settings

context.configure(connection=context.config.attributes["connection"], **settings())

with context.begin_transaction():
    context.run_migrations()
