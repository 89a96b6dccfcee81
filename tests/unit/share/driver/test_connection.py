# SPDX-License-Identifier: Apache-2.0
"""How the service mounts a share by itself."""

import logging

import pytest

ADMIN = {"path": "10.0.0.9:/admin", "is_admin_only": True}
USER = {"path": "10.0.0.1:/user", "is_admin_only": False}


def share(proto="NFS", exports=(USER,)):
    return {"id": "s1", "share_proto": proto, "export_locations": list(exports)}


def test_templates_keep_path_and_options_for_the_caller(driver):
    info = driver.connection_get_info(None, share())
    assert info["mount"] == "mount -vt nfs %(options)s 10.0.0.1:/user %(path)s"
    assert info["unmount"] == "umount -v %(path)s"
    assert info["access_mapping"] == {"ip": ["nfs"]}
    assert info["mount"] % {"options": "-o ro", "path": "/mnt"} == (
        "mount -vt nfs -o ro 10.0.0.1:/user /mnt"
    )


def test_templates_come_from_the_back_ends_section(make):
    driver = make(
        share_mount_template="mount.x %(export)s %(path)s", share_unmount_template="um %(path)s"
    )
    info = driver.connection_get_info(None, share("CIFS"))
    assert (info["mount"], info["unmount"]) == ("mount.x 10.0.0.1:/user %(path)s", "um %(path)s")


@pytest.mark.parametrize(
    ("exports", "path"),
    [
        ([USER], USER["path"]),
        ([USER, ADMIN], ADMIN["path"]),
        ([ADMIN, USER], ADMIN["path"]),
        ([USER, {"path": "", "is_admin_only": True}], USER["path"]),
        ([USER, {"path": "second", "is_admin_only": False}], USER["path"]),
    ],
)
def test_export_for_administrators_is_mounted_where_there_is_one(driver, exports, path):
    assert driver._get_mount_export(share(exports=exports)) == path


@pytest.mark.parametrize(
    ("mapping", "proto", "wanted"),
    [
        ({"ip": ["nfs"], "user": ["cifs"]}, "NFS", {"ip": ["nfs"]}),
        ({"ip": ["nfs"], "user": ["cifs"]}, "CIFS", {"user": ["cifs"]}),
        ({"ip": ["NFS", "cifs"], "user": ["CIFS"]}, "cifs", {"ip": ["cifs"], "user": ["cifs"]}),
        ({"ip": ["nfs"]}, "CEPHFS", {}),
        ({}, "NFS", {}),
        # As oslo.config reads it from a file, with Manila's way to write lists too.
        ({"ip": "nfs cephfs"}, "CEPHFS", {"ip": ["cephfs"]}),
        ({"ip": "['nfs']"}, "NFS", {"ip": ["nfs"]}),
        ({"ip": "nfs"}, "N", {}),
    ],
)
def test_access_mapping_has_the_types_that_suit_the_protocol(make, mapping, proto, wanted):
    driver = make(protocol_access_mapping=mapping)
    assert driver._get_access_mapping(None, share(proto), None) == wanted


def test_mount_command_is_not_logged(make, caplog):
    driver = make(share_mount_template="mount -o password=geheim %(export)s %(path)s")
    with caplog.at_level(logging.DEBUG):
        driver.connection_get_info(None, share())
    assert "s1" in caplog.text
    assert "geheim" not in caplog.text
