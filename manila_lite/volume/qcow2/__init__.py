# SPDX-License-Identifier: Apache-2.0
"""The one place that knows chains of qcow2 images.

A volume is a base image ``volume-<id>`` and one overlay ``volume-<id>.<snapshot id>`` for each
snapshot; an overlay holds what was written after its snapshot, so the snapshot's data are in the
image *under* it. ``volume-<id>.info`` says which overlay stands for which snapshot, and which
image is the active one. The chain on disk is the truth, and that file is mended from it.

Nothing here opens an image before its name and its header have been looked at, and no image is
opened because another one points to it, unless that is one of the same volume's own files in the
same directory.
"""
