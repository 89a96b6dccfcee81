# SPDX-License-Identifier: Apache-2.0
"""Nova, as far as snapshots of attached volumes need it.

`compute.API` has the two calls that drivers make and nothing else of Cinder's class of that name.
"""

from manila_lite.compute.api import API as API
from manila_lite.compute.api import from_conf as from_conf
