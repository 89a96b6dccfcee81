# SPDX-License-Identifier: Apache-2.0
"""The database: tables, sessions, migrations and one repository for each resource."""
