# SPDX-License-Identifier: Apache-2.0
"""Share drivers that ship with the project."""
