# SPDX-License-Identifier: Apache-2.0
import logging
import threading

import pytest
import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exc
from sqlalchemy import exc as sa_exc

from manila_lite.conf import database as database_conf
from manila_lite.db.engines import EngineOptions
from manila_lite.db.models import backend_info
from manila_lite.db.session import Database, default_url
from manila_lite.testing.clock import ManualClock

AWAY = db_exc.DBConnectionError(ConnectionRefusedError("refused"))
DEADLOCK = db_exc.DBDeadlock(RuntimeError("deadlock"))


class Flaky:
    """Work that fails as it is told, then succeeds."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, connection):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return connection.execute(sa.text("SELECT 42")).scalar()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def database(clock):
    database = Database("sqlite://", clock=clock)
    yield database
    database.close()


@pytest.mark.parametrize("error", [AWAY, DEADLOCK, sa_exc.TimeoutError("pool")])
def test_work_that_met_trouble_runs_again_until_it_succeeds(database, error):
    work = Flaky(*[error] * 30)

    assert database.run(work) == 42
    assert work.calls == 31


def test_every_try_is_a_transaction_of_its_own(database):
    with database.writer() as connection:
        backend_info.create(connection)
    tries = []

    def work(connection):
        tries.append(1)
        connection.execute(backend_info.insert(), {"host": f"h{len(tries)}", "info_hash": ""})
        if len(tries) < 3:
            raise DEADLOCK

    database.run(work)

    with database.reader() as connection:
        assert connection.execute(sa.select(backend_info.c.host)).scalars().all() == ["h3"]


def test_an_outage_of_minutes_is_ridden_out_in_growing_steps(database, clock):
    work = Flaky(*[AWAY] * 40)

    database.run(work)

    # Forty tries, the later ones ten seconds apart at most.
    assert 100 < clock.monotonic() < 400


def test_conflicts_are_retried_within_a_second(database, clock):
    database.run(Flaky(*[DEADLOCK] * 20))

    assert clock.monotonic() < 20


def test_after_the_deadline_the_last_error_is_raised(database, clock):
    work = Flaky(*[AWAY] * 1000)

    with pytest.raises(db_exc.DBConnectionError):
        database.run(work, deadline=30)

    assert 29 < clock.monotonic() <= 31


def test_a_deadline_of_zero_means_one_try(database):
    work = Flaky(AWAY, AWAY)

    with pytest.raises(db_exc.DBConnectionError):
        database.run(work, deadline=0)

    assert work.calls == 1


@pytest.mark.parametrize("error", [db_exc.DBDuplicateEntry(), ValueError("bug"), KeyError("x")])
def test_errors_that_another_try_cannot_mend_are_raised_at_once(database, error):
    work = Flaky(error)

    with pytest.raises(type(error)):
        database.run(work)

    assert work.calls == 1


def test_an_error_in_our_own_sql_is_not_retried(database):
    calls = []

    def work(connection):
        calls.append(1)
        connection.execute(sa.text("SELECT * FROM nowhere"))

    with pytest.raises((db_exc.DBError, sa_exc.SQLAlchemyError)):
        database.run(work)
    assert len(calls) == 1


def test_interrupt_ends_waiting_for_a_retry(database):
    work = Flaky(*[AWAY] * 1000)
    database.interrupt()

    with pytest.raises(db_exc.DBConnectionError):
        database.run(work)

    assert work.calls == 1


def test_work_still_runs_after_an_interrupt(database):
    database.interrupt()

    assert database.run(Flaky()) == 42


def test_an_outage_is_logged_once_when_it_begins_and_once_when_it_ends(database, caplog):
    caplog.set_level(logging.INFO, logger="manila_lite")

    database.run(Flaky(*[AWAY] * 25))
    database.run(Flaky())

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "away" in caplog.text
    assert "back" in caplog.text


def test_deadlocks_are_no_outage(database, caplog):
    caplog.set_level(logging.INFO, logger="manila_lite")

    database.run(Flaky(DEADLOCK, DEADLOCK))

    assert caplog.records == []


def test_the_password_is_neither_shown_nor_logged(caplog):
    database = Database("postgresql://manila:hunter2@127.0.0.1/manila", clock=ManualClock())
    caplog.set_level(logging.DEBUG)
    with pytest.raises(db_exc.DBConnectionError):  # a unit test has no network
        database.run(Flaky(AWAY), deadline=0)

    assert "hunter2" not in repr(database) + caplog.text
    assert "manila:***@127.0.0.1" in repr(database)


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("sqlite:////tmp/x.sqlite", "sqlite"),
        ("postgresql://u@h/d", "postgresql"),
        ("postgresql+psycopg2://u@h/d", "postgresql"),
        ("mysql://u@h/d", "mysql"),
        ("mysql+pymysql://u@h/d?charset=utf8", "mysql"),
        ("mariadb://u@h/d", "mysql"),
    ],
)
def test_urls_as_operators_write_them_are_understood(url, dialect):
    assert Database(url).dialect == dialect


@pytest.mark.parametrize("url", ["oracle://u:hunter2@h/d", "hunter2", ""])
def test_an_unsupported_url_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError) as caught:
        Database(url)

    assert "hunter2" not in str(caught.value)


def test_values_of_a_failed_statement_are_not_in_its_error(database):
    def work(connection):
        connection.execute(sa.text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "hunter2"})

    with pytest.raises((db_exc.DBError, sa_exc.SQLAlchemyError)) as caught:
        database.run(work)

    assert "hunter2" not in str(caught.value)


def test_a_connection_in_mysqls_short_utf8_is_widened_to_all_characters():
    database = Database("mysql+pymysql://u@h/d?charset=utf8")

    assert database.url.query["charset"] == "utf8mb4"


def test_a_second_writer_inside_the_first_is_an_error_not_a_wait(database):
    with database.writer(), pytest.raises(RuntimeError, match="again"), database.writer():
        pass

    assert database.run(Flaky()) == 42


def test_a_memory_database_is_one_database_for_all_threads(database):
    with database.writer() as connection:
        backend_info.create(connection)
        connection.execute(backend_info.insert(), {"host": "h", "info_hash": "x"})
    seen = []

    def look():
        with database.reader() as connection:
            seen.append(connection.execute(sa.select(backend_info.c.host)).scalar())

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == ["h"] * 4


def test_two_memory_databases_share_nothing(database):
    with database.writer() as connection:
        backend_info.create(connection)
    other = Database("sqlite://")

    with other.reader() as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_on_sqlite_now_is_the_injected_clocks(database, clock):
    with database.reader() as connection:
        before = database.now(connection)
        clock.advance(5)
        assert (database.now(connection) - before).total_seconds() == 5


def conf_with(**values):
    conf = cfg.ConfigOpts()
    database_conf.register(conf)
    conf.register_opt(cfg.StrOpt("state_path", default="/var/lib/manila"))
    conf([])
    for name, value in values.items():
        conf.set_override(name, value, group="database")
    return conf


def test_without_a_connection_the_database_is_a_sqlite_file_in_the_state_path():
    database = Database.from_conf(conf_with())

    assert str(database.url) == "sqlite:////var/lib/manila/manila-lite.sqlite"
    assert default_url("/var/lib/manila") == str(database.url)


def test_manilas_own_options_reach_the_engine():
    conf = conf_with(
        connection="mysql+pymysql://u@h/d",
        max_pool_size=7,
        max_overflow=3,
        pool_timeout=4,
        connection_recycle_time=60,
        lock_timeout=2.5,
        connection_parameters="ssl_ca=/etc/ca.pem",
    )

    database = Database.from_conf(conf)

    assert database.dialect == "mysql"
    assert database.url.query["ssl_ca"] == "/etc/ca.pem"
    assert database.options == EngineOptions(
        pool_size=7,
        max_overflow=3,
        pool_timeout=4,
        recycle_time=60,
        lock_timeout=2.5,
        connection_parameters="ssl_ca=/etc/ca.pem",
    )


def test_a_mysql_mode_that_is_more_than_a_word_is_refused():
    with pytest.raises(ValueError, match="mysql_sql_mode"):
        Database("mysql://u@h/d", options=EngineOptions(mysql_sql_mode="'; DROP TABLE shares"))


def test_a_plugin_in_the_url_is_left_to_manilas_own_services():
    url = "mysql+pymysql://root:secret@db/manila?charset=utf8&plugin=dbcounter"
    database = Database(url)
    assert "plugin" not in database.url.query
    assert "charset" in database.url.query
