# SPDX-License-Identifier: Apache-2.0
"""Images: where they come from and go to, and their conversion from and to volumes.

Drivers import `manila_lite.image.convert`, which has the functions that Cinder's drivers know from
``cinder.image.image_utils``.
"""
