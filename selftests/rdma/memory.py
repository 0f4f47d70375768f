# SPDX-License-Identifier: GPL-2.0
"""Memory to register: anonymous pages, or a buffer of the heap with its control handle."""

import collections
import ctypes
import errno
import fcntl
import mmap
import os
import struct

PAGE = mmap.PAGESIZE
CONTROL = '/dev/dma_buf_exporter'
BUFFERS = '/sys/kernel/debug/dma_buf_exporter/buffers'
# linux/dma-buf-exporter.h
INFO, ALLOC, MOVE, REVOKE = 0xbd00, 0xbd01, 0xbd02, 0xbd03
WAIT, REVOKE_PINS, BLOCK = 0, 1, 2
COMPACT = 1
_INFO = '=IIiI7Q6I32s32s'
_ALLOC = '=IIQIiiI32s32s'
_MOVE = '=IIII32s'
_REVOKE = '=IIII'

Info = collections.namedtuple('Info', '''state id length largest_extent moves moves_failed
    pmd_faults pte_faults extents mappings attachments maps pins vmaps exporter placement''')

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                       ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
MAP_FIXED = 0x10


def map_at(address, length, prot, flags, fd, offset=0):
    """mmap() that gives an address: Python's own hides it, and cannot leave holes."""
    p = _libc.mmap(address, length, prot, flags, fd, offset)
    if p == ctypes.c_void_p(-1).value:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))
    return p


def unmap(address, length):
    _libc.munmap(address, length)


def view(address, length):
    return memoryview((ctypes.c_char * length).from_address(address)).cast('B')


def places():
    """Where a buffer of the heap can be in this guest."""
    heaps = sorted(os.listdir('/dev/dma_heap'))
    return ['system'] + [h.removeprefix('pfnmap-') for h in heaps if h.startswith('pfnmap-')]


def live_buffers():
    with open(BUFFERS, encoding='ascii') as f:
        return len(f.readlines()) - 1


class Anonymous:
    """User memory as RDMA always had it: the control group."""

    def __init__(self, length):
        self.length = length
        self.fd = -1
        self.address = map_at(None, length, mmap.PROT_READ | mmap.PROT_WRITE,
                              mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1)
        self.data = view(self.address, length)

    def pins(self):
        return 0

    def close(self):
        if self.data is not None:
            self.data = None
            unmap(self.address, self.length)


class Buffer:
    """A dma-buf of the heap, mapped, and the right to move it."""

    def __init__(self, length, place='', mode=os.O_RDWR):
        arg = bytearray(struct.pack(_ALLOC, struct.calcsize(_ALLOC), 0, length,
                                    mode | os.O_CLOEXEC, 0, 0, 0, b'pfnmap', place.encode()))
        dev = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(dev, ALLOC, arg)
        finally:
            os.close(dev)
        self.fd, self.control = struct.unpack_from('=ii', arg, 20)
        self.length = length
        prot = mmap.PROT_READ | (mmap.PROT_WRITE if mode == os.O_RDWR else 0)
        self.address = map_at(None, length, prot, mmap.MAP_SHARED, self.fd)
        self.data = view(self.address, length)

    def info(self):
        arg = bytearray(struct.pack(_INFO, struct.calcsize(_INFO), *[0] * 16, b'', b''))
        fcntl.ioctl(self.control, INFO, arg)
        out = list(struct.unpack(_INFO, arg)[3:])
        out[-2:] = [s.split(b'\0')[0].decode() for s in out[-2:]]
        return Info(*out)

    def pins(self):
        return self.info().pins

    def move(self, place, policy=WAIT, flags=0, timeout_ms=30000):
        fcntl.ioctl(self.control, MOVE, struct.pack(_MOVE, struct.calcsize(_MOVE), flags,
                                                    policy, timeout_ms, place.encode()))

    def compact(self):
        try:
            self.move('', flags=COMPACT)
        except OSError as e:
            if e.errno != errno.EALREADY:
                raise

    def revoke(self, timeout_ms=30000):
        fcntl.ioctl(self.control, REVOKE, struct.pack(_REVOKE, struct.calcsize(_REVOKE), 0,
                                                      timeout_ms, 0))

    def close(self):
        if self.fd >= 0:
            self.data = None
            unmap(self.address, self.length)
            os.close(self.control)
            os.close(self.fd)
            self.fd = -1
