# SPDX-License-Identifier: Apache-2.0
"""Fails first when oslo.messaging, kombu or amqp change what oslo_inside leans on."""

import inspect
import json

import amqp
import pytest
from oslo_config import cfg
from oslo_messaging._drivers import amqpdriver, impl_rabbit, pool
from oslo_messaging._drivers import common as rpc_common

from manila_lite import exception
from manila_lite.conf import rpc as rpc_conf
from manila_lite.rpc import oslo_inside, transport


def parameters(function):
    return list(inspect.signature(function).parameters)


def test_a_connection_can_be_made_without_retries():
    assert parameters(pool.ConnectionPool.create) == ["self", "purpose", "retry"]
    assert parameters(impl_rabbit.Connection.__init__)[:5] == [
        "self", "conf", "url", "purpose", "retry",
    ]  # fmt: skip
    assert rpc_common.PURPOSE_LISTEN == "listen"


@pytest.mark.parametrize(
    "name",
    ["amqp_auto_delete", "rabbit_ha_queues", "enable_cancel_on_failover", "rabbit_quorum_queue",
     "rabbit_quorum_queue_config", "rabbit_transient_quorum_queue", "rabbit_transient_queues_ttl",
     "channel", "connection"],
)  # fmt: skip
def test_a_connection_has_the_attributes_that_queues_are_made_from(name):
    assert f"self.{name} =" in inspect.getsource(impl_rabbit.Connection.__init__)


@pytest.mark.parametrize("name", ["durable", "close", "_heartbeat_check",
                                  "_heartbeat_supported_and_enabled"])  # fmt: skip
def test_a_connection_has_the_members_that_a_link_uses(name):
    assert hasattr(impl_rabbit.Connection, name)


def test_a_consumer_takes_what_it_is_given_and_calls_what_is_overridden():
    taken = parameters(impl_rabbit.Consumer.__init__)
    assert set(taken) >= {
        "exchange_name", "queue_name", "routing_key", "type", "durable", "exchange_auto_delete",
        "queue_auto_delete", "callback", "rabbit_ha_queues", "rabbit_queue_ttl",
        "enable_cancel_on_failover", "rabbit_quorum_queue", "rabbit_quorum_queue_config",
    }  # fmt: skip
    assert parameters(impl_rabbit.Consumer.declare) == ["self", "conn"]
    assert parameters(impl_rabbit.Consumer.consume) == ["self", "conn", "tag"]
    assert parameters(impl_rabbit.Consumer._callback) == ["self", "message"]
    assert len(parameters(impl_rabbit.Consumer._declare_fallback_nondurable)) == 4
    assert "callback=self._callback" in inspect.getsource(impl_rabbit.Consumer.consume)
    assert "_declare_fallback_nondurable(" in inspect.getsource(impl_rabbit.Consumer.declare)
    assert "queue_arguments=self.queue_arguments" in inspect.getsource(impl_rabbit.Consumer.declare)


def test_consumers_for_a_server_are_declared_as_we_declare_them():
    topic = inspect.getsource(impl_rabbit.Connection.declare_topic_consumer)
    fanout = inspect.getsource(impl_rabbit.Connection.declare_fanout_consumer)
    listen = inspect.getsource(amqpdriver.AMQPDriverBase.listen)
    assert "type='topic'" in topic
    assert "durable=self.durable" in topic
    assert "'%s_fanout' % topic" in fanout
    assert "{topic}_fanout_{unique}" in fanout
    assert "'{}.{}'.format(target.topic" in listen


def test_replies_go_through_what_is_overridden():
    made = parameters(amqpdriver.AMQPIncomingMessage.__init__)
    assert made == [
        "self", "listener", "ctxt", "message", "unique_id", "msg_id", "reply_q",
        "client_timeout", "obsolete_reply_queues", "message_operations_handler",
    ]  # fmt: skip
    sent = parameters(amqpdriver.AMQPIncomingMessage._send_reply)
    assert sent == ["self", "conn", "reply", "failure", "ending"]
    reply = inspect.getsource(amqpdriver.AMQPIncomingMessage.reply)
    assert "self._send_reply(conn, reply, failure)" in reply
    assert "self.listener.driver._get_connection" in reply
    assert "self.listener.driver.missing_destination_retry_timeout" in reply
    assert parameters(impl_rabbit.Connection.direct_send) == ["self", "msg_id", "msg"]


def test_amqp_reads_without_blocking_and_keeps_bodies_as_bytes():
    assert "timeout" in parameters(amqp.Connection.drain_events)
    assert parameters(amqp.Channel.basic_ack)[1:3] == ["delivery_tag", "multiple"]
    assert "auto_decode" in parameters(amqp.Channel.__init__)
    assert "passive" in parameters(amqp.Channel.queue_declare)


def test_a_failure_is_written_as_oslo_reads_it():
    try:
        raise exception.InvalidShare(reason="token='hunter2' is old")
    except exception.InvalidShare as error:
        failure = json.loads(oslo_inside.failure_text(error))
    assert set(failure) == {"class", "module", "message", "tb", "args", "kwargs"}
    assert (failure["class"], failure["module"]) == ("InvalidShare", "manila.exception")
    assert any("InvalidShare" in line for line in failure["tb"])


def test_passwords_do_not_leave_in_a_failure():
    login = "login with password='hunter2' failed"
    for raised in (ValueError(login), exception.ShareBackendException(msg=login)):
        try:
            raise raised
        except Exception as error:
            text = oslo_inside.failure_text(error)
        assert "login with" in text
        assert "hunter2" not in text


def configured(**rabbit):
    conf = cfg.ConfigOpts()
    rpc_conf.register(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    oslo_inside.register_options(conf)
    for name, value in rabbit.items():
        conf.set_override(name, value, group="oslo_messaging_rabbit")
    return conf


@pytest.mark.parametrize(("compat", "quorum"), [("quorum", True), ("manila", False)])
def test_the_compatibility_mode_sets_the_librarys_defaults(compat, quorum):
    conf = configured()
    conf.set_override("queue_compat", compat, group="manila_lite")
    transport.set_defaults(conf)
    assert conf.oslo_messaging_rabbit.rabbit_quorum_queue is quorum
    assert conf.oslo_messaging_rabbit.amqp_durable_queues is quorum
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == 200
    assert transport.single_active_consumer(conf) is quorum


def test_what_the_operator_has_set_stays():
    conf = configured(rabbit_quorum_queue=False, rabbit_qos_prefetch_count=7)
    transport.set_defaults(conf)
    assert conf.oslo_messaging_rabbit.rabbit_quorum_queue is False
    assert conf.oslo_messaging_rabbit.rabbit_qos_prefetch_count == 7


def test_amqp_lets_the_handler_of_frames_be_wrapped():
    assert amqp.Connection.on_inbound_frame.fset is not None
    assert "self.on_inbound_frame(frame)" in inspect.getsource(amqp.Connection.blocking_read)
    read = inspect.getsource(amqp.Message.inbound_header)
    assert "'>HxxQ'" in read
    assert "_load_properties" in read
