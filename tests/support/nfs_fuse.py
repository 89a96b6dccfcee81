# SPDX-License-Identifier: Apache-2.0
"""An NFS client for machines whose kernel has none: libnfs below, FUSE above.

    python nfs_fuse.py 'nfs://127.0.0.1/export/?version=3&nfsport=2049&mountport=20048' /mount/point

Version 3: what libnfs 4.0 does with several open files of version 4 servers do not understand.
Stays in the foreground. Needs root, libnfs, libfuse 2 and fusepy. Locks are local to the machine.
"""

import ctypes
import errno
import os
import stat
import sys

LIBRARIES = {"nfs": "libnfs.so.13", "fuse": "libfuse.so.2"}


def _load(name):
    return ctypes.CDLL(LIBRARIES[name])


def why_not():
    """Why this machine cannot run the client; None when it can."""
    if os.geteuid() != 0:
        return "mounting needs root"
    if not os.path.exists("/dev/fuse"):
        return "the kernel has no FUSE"
    try:
        for name in LIBRARIES:
            _load(name)
    except OSError as error:
        return f"{error} (Debian: libnfs13, libfuse2)"
    os.environ.setdefault("FUSE_LIBRARY_PATH", LIBRARIES["fuse"])
    try:
        import fuse
    except ImportError:
        return "fusepy is not installed"
    return None if hasattr(fuse, "FUSE") else "the module fuse is not fusepy's"


class Stat(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in [
            "dev",
            "ino",
            "mode",
            "nlink",
            "uid",
            "gid",
            "rdev",
            "size",
            "blksize",
            "blocks",
            "atime",
            "mtime",
            "ctime",
            "atime_nsec",
            "mtime_nsec",
            "ctime_nsec",
            "used",
        ]
    ]


class StatVfs(ctypes.Structure):
    _fields_ = [
        (f"f_{name}", ctypes.c_ulong)
        for name in [
            "bsize",
            "frsize",
            "blocks",
            "bfree",
            "bavail",
            "files",
            "ffree",
            "favail",
            "fsid",
            "flag",
            "namemax",
        ]
    ] + [("spare", ctypes.c_int * 6)]


class Entry(ctypes.Structure):
    """The beginning of struct nfsdirent."""


Entry._fields_ = [("next", ctypes.POINTER(Entry)), ("name", ctypes.c_char_p)]


class Url(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("server", "path", "file")]


class Client:
    """libnfs, with errors as OSError."""

    def __init__(self, url):
        self._lib = _load("nfs")
        for name, kind in (
            ("nfs_init_context", ctypes.c_void_p),
            ("nfs_parse_url_dir", ctypes.POINTER(Url)),
            ("nfs_readdir", ctypes.POINTER(Entry)),
            ("nfs_get_error", ctypes.c_char_p),
        ):
            getattr(self._lib, name).restype = kind
        self._context = ctypes.c_void_p(self._lib.nfs_init_context())
        found = self._lib.nfs_parse_url_dir(self._context, url.encode())
        if not found:
            raise OSError(errno.EINVAL, f"not an NFS URL: {url}")
        self("mount", found.contents.server, found.contents.path)

    def __call__(self, name, *arguments):
        result = getattr(self._lib, f"nfs_{name}")(self._context, *arguments)
        if result < 0:
            raise OSError(-result, self._lib.nfs_get_error(self._context).decode(), name)
        return result

    def names(self, path):
        directory = ctypes.c_void_p()
        self("opendir", path.encode(), ctypes.byref(directory))
        try:
            while entry := self._lib.nfs_readdir(self._context, directory):
                yield entry.contents.name.decode()
        finally:
            self._lib.nfs_closedir(self._context, directory)


def operations(url):
    """The file system, as fusepy wants it."""
    import fuse

    nfs = Client(url)

    class Operations(fuse.Operations):
        def __init__(self):
            self.handles = {}

        def __call__(self, name, *arguments):
            if not hasattr(self, name):
                raise fuse.FuseOSError(errno.ENOSYS)
            try:
                return getattr(self, name)(*arguments)
            except OSError as error:
                raise fuse.FuseOSError(error.errno) from error

        def getattr(self, path, fh=None):
            found = Stat()
            nfs("lstat64", path.encode(), ctypes.byref(found))
            return {
                "st_mode": found.mode, "st_nlink": found.nlink, "st_uid": found.uid,
                "st_gid": found.gid, "st_size": found.size, "st_blocks": -(-found.used // 512),
                "st_atime": found.atime, "st_mtime": found.mtime, "st_ctime": found.ctime,
            }  # fmt: skip

        def readdir(self, path, fh):
            return sorted({".", "..", *nfs.names(path)})

        def _opened(self, name, *arguments):
            handle = ctypes.c_void_p()
            nfs(name, *arguments, ctypes.byref(handle))
            self.handles[handle.value] = handle
            return handle.value

        def open(self, path, flags):
            wanted = flags & (os.O_ACCMODE | os.O_TRUNC)
            # A write of part of a page may have to read the rest.
            if wanted & os.O_ACCMODE == os.O_WRONLY:
                wanted = wanted & ~os.O_ACCMODE | os.O_RDWR
            return self._opened("open", path.encode(), wanted)

        def create(self, path, mode, fi=None):
            flags = os.O_CREAT | os.O_RDWR
            return self._opened("create", path.encode(), flags, stat.S_IMODE(mode))

        def release(self, path, fh):
            nfs("close", self.handles.pop(fh))

        def read(self, path, size, offset, fh):
            buffer = ctypes.create_string_buffer(size)
            done = nfs("pread", self.handles[fh], ctypes.c_uint64(offset),
                       ctypes.c_uint64(size), buffer)  # fmt: skip
            return buffer.raw[:done]

        def write(self, path, data, offset, fh):
            return nfs("pwrite", self.handles[fh], ctypes.c_uint64(offset),
                       ctypes.c_uint64(len(data)), data)  # fmt: skip

        def flush(self, path, fh):
            nfs("fsync", self.handles[fh])

        def fsync(self, path, datasync, fh):
            nfs("fsync", self.handles[fh])

        def truncate(self, path, length, fh=None):
            nfs("truncate", path.encode(), ctypes.c_uint64(length))

        def chmod(self, path, mode):
            nfs("chmod", path.encode(), stat.S_IMODE(mode))

        def chown(self, path, uid, gid):
            nfs("chown", path.encode(), uid, gid)

        def unlink(self, path):
            nfs("unlink", path.encode())

        def rename(self, old, new):
            nfs("rename", old.encode(), new.encode())

        def mkdir(self, path, mode):
            nfs("mkdir", path.encode())

        def rmdir(self, path):
            nfs("rmdir", path.encode())

        def utimens(self, path, times=None):
            """Times are the server's."""

        def statfs(self, path):
            found = StatVfs()
            nfs("statvfs", path.encode(), ctypes.byref(found))
            return {name: getattr(found, name) for name, _ in StatVfs._fields_ if name != "spare"}

    return Operations()


def main(url, mount_point):
    os.environ.setdefault("FUSE_LIBRARY_PATH", LIBRARIES["fuse"])
    import fuse

    # libnfs serves one thread; nothing may be remembered that the server could change.
    fuse.FUSE(
        operations(url), mount_point, foreground=True, nothreads=True, big_writes=True,
        attr_timeout=0, entry_timeout=0, negative_timeout=0, fsname="nfs",
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
