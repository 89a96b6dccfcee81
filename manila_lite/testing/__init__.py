# SPDX-License-Identifier: Apache-2.0
"""Helpers for driver authors and for the project's own tests. The service imports nothing here."""
