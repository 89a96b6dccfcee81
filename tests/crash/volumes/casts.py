# SPDX-License-Identifier: Apache-2.0
"""What may be asked of a volume back end: for each, what is before, and what must be after.

Each function prepares a site, whose daemon runs, and returns a function that records the operation
and returns its uuid. What must be after stands in the site's `volumes` and `snapshots` then.
"""

import functools

from manila_lite import volume_states as states
from tests.crash.volumes.site import Expected

A, B, C = 0xA1, 0xB2, 0xC3


def _new(site, blocks, request_spec=None, **columns):
    def ask():
        volume_id = site.new_volume(**columns)
        site.volumes[volume_id] = Expected(blocks)
        return site.ask("create_volume", volume_id=volume_id, request_spec=request_spec or {})

    return ask


def _begin(site, volume_id, status, method, **arguments):
    def ask():
        site.begin(volume_id, status)
        return site.ask(method, volume_id=volume_id, **arguments)

    return ask


def create(site):
    return _new(site, {})


def clone(site):
    source = site.add_volume([(0, A), (5, B)])
    return _new(site, {0: A, 5: B}, source_volid=source)


def clone_of_a_chain(site):
    source = site.add_volume([(0, A)])
    site.add_snapshot(source)
    site.write(source, [(1, B)])
    return _new(site, {0: A, 1: B}, source_volid=source)


def from_snapshot(site):
    source = site.add_volume([(0, A), (1, A)])
    snapshot = site.add_snapshot(source)
    site.write(source, [(0, B)])
    return _new(site, {0: A, 1: A}, snapshot_id=snapshot)


def from_image(site):
    image = site.add_image({2: C, 3: A})
    return _new(site, {2: C, 3: A}, {"image_id": image})


def extend(site):
    volume = site.add_volume([(0, A)])
    return _begin(site, volume, states.EXTENDING, "extend_volume", new_size=2)


def extend_a_chain(site):
    volume = site.add_volume([(0, A)])
    site.add_snapshot(volume)
    site.write(volume, [(1, B)])
    return _begin(site, volume, states.EXTENDING, "extend_volume", new_size=2)


def snapshot(site):
    volume = site.add_volume([(0, A)])
    site.add_snapshot(volume)
    site.write(volume, [(1, B)])

    def ask():
        made = site.new_snapshot(volume)
        site.snapshots[made] = Expected({0: A, 1: B})
        return site.ask("create_snapshot", snapshot_id=made)

    return ask


def _chain(site):
    """A volume with three snapshots, each with data of its own; return their ids."""
    volume = site.add_volume([(0, A), (1, A)])
    made = []
    for number, byte in enumerate((B, C, A)):
        made.append(site.add_snapshot(volume))
        site.write(volume, [(1, byte), (4 + number, byte)])
    return made


def _delete_snapshot(site, position):
    doomed = _chain(site)[position]

    def ask():
        del site.snapshots[doomed]
        site.begin_on_snapshot(doomed, states.DELETING)
        return site.ask("delete_snapshot", snapshot_id=doomed)

    return ask


def delete_oldest_snapshot(site):
    return _delete_snapshot(site, 0)


def delete_middle_snapshot(site):
    return _delete_snapshot(site, 1)


def delete_newest_snapshot(site):
    return _delete_snapshot(site, 2)


def revert(site):
    volume = site.add_volume([(0, A), (1, A)])
    youngest = site.add_snapshot(volume)
    site.write(volume, [(1, B), (2, B)])

    def ask():
        site.begin(volume, states.REVERTING)
        site.begin_on_snapshot(youngest, states.RESTORING)
        site.volumes[volume] = Expected({0: A, 1: A})
        return site.ask("revert_to_snapshot", snapshot_id=youngest, volume_id=volume)

    return ask


def upload(site):
    volume = site.add_volume([(0, A), (9, B)])
    image = site.images.create(None, {"disk_format": "qcow2", "container_format": "bare"})
    wanted = {key: image[key] for key in ("id", "disk_format", "container_format")}
    site.uploads[image["id"]] = Expected({0: A, 9: B})
    return _begin(site, volume, states.UPLOADING, "copy_volume_to_image", image_meta=wanted)


def migrate(site):
    volume = site.add_volume([(0, A)])
    site.add_snapshot(volume)
    site.write(volume, [(1, B)])
    target = {"host": site.host(1), "capabilities": {}}
    return functools.partial(site.ask, "migrate_volume", volume_id=volume, host=target)


def delete(site):
    volume = site.add_volume([(0, A)])
    ask = _begin(site, volume, states.DELETING, "delete_volume")
    del site.volumes[volume]
    return ask


#: Each cast, and the method of the driver that is at work in it.
CASTS = {
    create: "create_volume",
    clone: "create_cloned_volume",
    clone_of_a_chain: "create_cloned_volume",
    from_snapshot: "create_volume_from_snapshot",
    from_image: "copy_image_to_volume",
    extend: "extend_volume",
    extend_a_chain: "extend_volume",
    snapshot: "create_snapshot",
    delete_oldest_snapshot: "delete_snapshot",
    delete_middle_snapshot: "delete_snapshot",
    delete_newest_snapshot: "delete_snapshot",
    revert: "revert_to_snapshot",
    upload: "copy_volume_to_image",
    migrate: "migrate_volume",
    delete: "delete_volume",
}
