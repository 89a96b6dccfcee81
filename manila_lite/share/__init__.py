# SPDX-License-Identifier: Apache-2.0
"""Shared file systems: the driver interface, the drivers that ship here, and the flows."""
