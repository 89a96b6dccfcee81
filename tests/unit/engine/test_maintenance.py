# SPDX-License-Identifier: Apache-2.0
"""What an engine throws away by and by."""

import sqlalchemy as sa

from manila_lite.db.models.lite import operations
from manila_lite.engine import engine as engines
from tests.support.engine import HOST, Bench


def test_one_round_deletes_all_that_is_old_enough(bench: Bench, monkeypatch):
    monkeypatch.setattr(engines, "_PURGE_BATCH", 2)

    @bench.flow
    def make(op, key):
        op.finish()

    worker = bench.worker()
    for number in range(7):
        worker.cast("make", key=str(number))
    worker.run_until_idle()
    bench.clock.advance(bench.settings.retention + 1)
    young = worker.cast("make", key="young")
    worker.run_until_idle()

    made = engines.Engine(bench.database, HOST, bench.registry, clock=bench.clock)
    made._maintain()

    with bench.database.reader() as connection:
        assert list(connection.execute(sa.select(operations.c.uuid)).scalars()) == [young]
