# SPDX-License-Identifier: Apache-2.0
"""The commands: manila-lite for people and programs, manila-lite-share for init systems."""
