# SPDX-License-Identifier: Apache-2.0
"""Images to volumes and volumes to images, by the functions that Cinder's drivers call.

Names and positions of the parameters are those of ``cinder.image.image_utils``. In addition, each
takes `progress`, a function that is told percentages; see `manila_lite.image.progress`. Sizes are
in GiB. What drivers pass as `blocksize` (volume_dd_blocksize), user_id and project_id is accepted
and not needed: no dd is run, and the context knows the user.
"""

from __future__ import annotations

from manila_lite.image.fetch import fetch_to_raw as fetch_to_raw
from manila_lite.image.fetch import fetch_to_volume_format as fetch_to_volume_format
from manila_lite.image.fetch import fetch_verify_image as fetch_verify_image
from manila_lite.image.steps import check_virtual_size as check_virtual_size
from manila_lite.image.steps import convert_image as convert_image
from manila_lite.image.steps import qemu_img_info as qemu_img_info
from manila_lite.image.steps import resize_image as resize_image
from manila_lite.image.temporary import temporary_file as temporary_file
from manila_lite.image.upload import upload_volume as upload_volume
