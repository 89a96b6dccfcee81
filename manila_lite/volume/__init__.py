# SPDX-License-Identifier: Apache-2.0
"""Volumes: files on shares, with qcow2 snapshots."""
