# SPDX-License-Identifier: Apache-2.0
"""Metrics, health, notifications and logs."""
