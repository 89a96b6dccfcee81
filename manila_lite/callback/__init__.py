# SPDX-License-Identifier: Apache-2.0
"""The piece of the volume API that Nova calls while it works on a snapshot of an attached volume.

`application.Application` answers; it knows nothing of the database or the engine and is given two
functions. `authentication.guarded` lets in who may come, `server.CallbackServer` serves it in a
thread of the daemon, `recorder.Recorder` is the two functions on a database, `wiring` puts these
together, and `wsgi.application` is all of it for another WSGI server.
"""
