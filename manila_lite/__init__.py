# SPDX-License-Identifier: Apache-2.0
"""A durable worker daemon for shared file systems."""
