# SPDX-License-Identifier: Apache-2.0
"""Figures of the service on this machine; run ``python -m benchmarks``."""
