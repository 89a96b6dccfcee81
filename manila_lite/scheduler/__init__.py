# SPDX-License-Identifier: Apache-2.0
"""What a scheduler is told: signs of life and what the back end can do."""
