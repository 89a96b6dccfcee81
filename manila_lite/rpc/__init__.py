# SPDX-License-Identifier: Apache-2.0
"""Remote procedure calls over RabbitMQ, in the wire format of oslo.messaging and Manila."""

from manila_lite import no_eventlet

no_eventlet.choose_threads()
with no_eventlet.hidden():
    import oslo_messaging  # noqa: F401
