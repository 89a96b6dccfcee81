# SPDX-License-Identifier: Apache-2.0
"""oslo.config options, one module per section. Nothing is read while a module is imported."""
