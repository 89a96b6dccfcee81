# SPDX-License-Identifier: Apache-2.0
"""Does a share driver keep to what the service expects? A suite for pytest, for any driver.

    pytest --pyargs manila_lite.testing.conformance --driver my.Driver --config my.conf

Everything goes through the service's own flows, on a database in memory. Whatever the driver
claims is done once, done twice, killed before and after the driver's call, refused and done again;
what it does not claim has to end in an error that says so.
"""
