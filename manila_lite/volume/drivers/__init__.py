# SPDX-License-Identifier: Apache-2.0
"""The volume drivers that ship with the project, and their bases for others."""
