# SPDX-License-Identifier: Apache-2.0
"""The MetaData that holds every table, and the column types that differ by database."""

from __future__ import annotations

from sqlalchemy import MetaData

# One MetaData for Manila's tables and ours: foreign keys and joins need both.
metadata = MetaData()

# What a table of ours is called; everything else belongs to Manila and is never altered.
LITE_PREFIX = "lite_"
