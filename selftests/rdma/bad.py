#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What cannot be registered is refused with the right errno, and leaves nothing."""

import errno
import mmap
import os
import subprocess

import pyverbs.enums as e
from pyverbs.pyverbs_error import PyverbsRDMAError

import ktap
from ktap import check, equal
from memory import MAP_FIXED, PAGE, Buffer, map_at, unmap, view
from verbs import DEVICE, LOCAL, REMOTE, in_world, pages

READ = e.IBV_ACCESS_REMOTE_READ
SIZE = pages(16)
PROT_NONE = 0
RW = mmap.PROT_READ | mmap.PROT_WRITE


def refused(wants, function, *args, **kwargs):
    """`wants` is an errno, or several of which it may be any."""
    wants = wants if isinstance(wants, tuple) else (wants,)
    try:
        region = function(*args, **kwargs)
    except PyverbsRDMAError as x:
        got = x.error_code
    except OSError as x:
        got = x.errno
    else:
        region.close()
        raise AssertionError(f'{args[1:]} {kwargs}: it was taken')
    check(got in wants, f'{kwargs}: {errno.errorcode.get(got, got)}, expected '
          + ' or '.join(errno.errorcode[w] for w in wants))


def works(w, memory, **kwargs):
    """The same buffer is as good as before."""
    src = w.random(PAGE)
    region = w.register(memory, **kwargs)
    w.pair()[0].run(e.IBV_WR_RDMA_READ, (src, 0, PAGE), remote=(region, 0))
    equal(bytes(src.data), bytes(region.data[:PAGE]), 'data')
    region.close()


class Fake:
    """Any descriptor, or any address, in place of a buffer."""

    def __init__(self, fd=-1, address=0, length=SIZE):
        self.fd, self.address, self.length = fd, address, length


@in_world
def no_fd(w):
    for fd in -1, 1000, 1 << 30:
        refused(errno.EBADF, w.register, Fake(fd))


@in_world
def other_fd(w):
    """A file, a directory, a pipe, the heap, the control device, a control handle."""
    memory = w.memory(SIZE)
    fds = [os.open(p, os.O_RDONLY) for p in ('/etc/hostname', '/', '/dev/null',
                                             '/dev/dma_heap/pfnmap', '/dev/dma_buf_exporter')]
    fds += [os.memfd_create('x'), *os.pipe()]
    for fd in [*fds, memory.control, w.ctx.cmd_fd]:
        refused(errno.EINVAL, w.register, Fake(fd))
    for fd in fds:
        os.close(fd)
    works(w, memory)


@in_world
def past_the_end(w):
    memory = w.memory(SIZE)
    for offset, length in ((0, SIZE + 1), (1, SIZE), (SIZE - 1, 2), (SIZE, 1),
                           (SIZE + PAGE, PAGE), (1 << 40, PAGE), (0, 1 << 40)):
        refused(errno.EINVAL, w.register, memory, offset=offset, length=length)
    works(w, memory)


@in_world
def overflowing(w):
    """Sums that do not fit into 64 bits, of the offset and of the address on the wire."""
    memory, top = w.memory(SIZE), 1 << 64
    for offset, length in ((top - PAGE, PAGE), (top - PAGE, 2 * PAGE), (PAGE, top - PAGE),
                           (PAGE, top - 1), (0, top - 1), (top - 1, 1)):
        refused((errno.EINVAL, errno.EOVERFLOW), w.register, memory, offset=offset,
                length=length)
    refused((errno.EINVAL, errno.EOVERFLOW), w.register_at, memory, top - PAGE)
    works(w, memory)


@in_world
def misaligned(w):
    memory = w.memory(SIZE)
    for offset, iova in (0, 1), (1, 0), (8, 4096), (100, 4097):
        refused(errno.EINVAL, w.register_at, memory, iova, offset=offset, length=PAGE)
    works(w, memory)


@in_world
def empty(w):
    memory = w.memory(SIZE)
    refused(errno.EINVAL, w.register, memory, length=0)
    refused(errno.EINVAL, w.register, memory, offset=PAGE, length=0)
    works(w, memory)


@in_world
def access(w):
    """Flags that no region may have, or that this call does not take."""
    memory = w.memory(SIZE)
    refused(errno.EINVAL, w.register, memory, e.IBV_ACCESS_REMOTE_WRITE)
    refused(errno.EINVAL, w.register, memory, e.IBV_ACCESS_REMOTE_ATOMIC)
    refused((errno.EINVAL, errno.EOPNOTSUPP), w.register, memory, REMOTE | 1 << 19)
    if w.kind == 'dmabuf':
        refused(errno.EINVAL, w.register, memory, REMOTE | e.IBV_ACCESS_MW_BIND)
    works(w, memory)


@in_world
def read_only(w):
    """A buffer that is read-only. rxe reaches memory through a mapping of the kernel's,
    which no exporter can make read-only, so that it cannot be registered at all."""
    memory = Buffer(SIZE, mode=os.O_RDONLY)
    w.memories.append(memory)
    for rights in LOCAL, REMOTE, READ, 0:
        refused(errno.EACCES, w.register, memory, rights)


@in_world
def read_only_mapping(w):
    """A mapping for reading, of a buffer that may be written."""
    memory = w.memory(SIZE)
    address = map_at(None, SIZE, mmap.PROT_READ, mmap.MAP_SHARED, memory.fd)
    mapping = Fake(address=address)
    mapping.data = view(address, SIZE)
    for rights in LOCAL, REMOTE:
        refused(errno.EACCES, w.register, mapping, rights)
    works(w, mapping, access=READ)
    unmap(address, SIZE)


@in_world
def hole(w):
    """Addresses of two pieces of a mapping with nothing, or something else, between."""
    memory = w.memory(SIZE)
    works(w, memory)
    unmap(memory.address + 4 * PAGE, PAGE)
    refused(errno.EINVAL, w.register, memory, length=8 * PAGE)
    refused(errno.EINVAL, w.register, memory, offset=4 * PAGE, length=2 * PAGE)
    map_at(memory.address + 4 * PAGE, PAGE, RW,
           mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED, -1)
    refused(errno.EINVAL, w.register, memory, length=8 * PAGE)
    refused(errno.EINVAL, w.register, memory, offset=4 * PAGE, length=2 * PAGE)
    works(w, memory, offset=5 * PAGE)


@in_world
def beside(w):
    """A mapping with another one right behind it: anonymous, or of another buffer."""
    memory, other = w.memory(SIZE), w.memory(SIZE)
    both = map_at(None, 2 * SIZE, PROT_NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1)
    map_at(both, SIZE, RW, mmap.MAP_SHARED | MAP_FIXED, memory.fd)
    for flags, fd in ((mmap.MAP_SHARED, other.fd),
                      (mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1)):
        map_at(both + SIZE, SIZE, RW, flags | MAP_FIXED, fd)
        refused(errno.EINVAL, w.register, Fake(address=both, length=2 * SIZE))
        refused(errno.EINVAL, w.register, Fake(address=both + SIZE - 1, length=2))
    map_at(both, SIZE, RW, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED, -1)
    map_at(both + SIZE, SIZE, RW, mmap.MAP_SHARED | MAP_FIXED, memory.fd)
    refused(errno.EINVAL, w.register, Fake(address=both + SIZE - 1, length=2))
    unmap(both, 2 * SIZE)
    works(w, memory)


@in_world
def shuffled(w):
    """One buffer, but its second half is mapped in front of its first."""
    memory = w.memory(SIZE)
    both = map_at(None, SIZE, RW, mmap.MAP_SHARED, memory.fd)
    map_at(both, SIZE // 2, RW, mmap.MAP_SHARED | MAP_FIXED, memory.fd, SIZE // 2)
    map_at(both + SIZE // 2, SIZE // 2, RW, mmap.MAP_SHARED | MAP_FIXED, memory.fd, 0)
    refused(errno.EINVAL, w.register, Fake(address=both, length=SIZE))
    half = Fake(address=both, length=SIZE // 2)
    half.data = view(both, SIZE // 2)
    memory.data[SIZE // 2:] = os.urandom(SIZE // 2)
    works(w, half)
    unmap(both, SIZE)


@in_world
def nowhere(w):
    """Nothing is mapped, or what is may not be read."""
    address = map_at(None, SIZE, PROT_NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1)
    refused((errno.EFAULT, errno.ENOMEM), w.register, Fake(address=address))
    unmap(address, SIZE)
    refused((errno.EFAULT, errno.ENOMEM), w.register, Fake(address=address))


@in_world
def unmapped_later(w):
    """A region holds the buffer, not the mapping that led to it."""
    memory, src = w.memory(SIZE), w.random(SIZE)
    region = w.register(memory)
    unmap(memory.address, SIZE)
    again = map_at(None, SIZE, RW, mmap.MAP_SHARED, memory.fd)
    w.pair()[0].run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(region, 0))
    equal(bytes(view(again, SIZE)), bytes(src.data), 'data')
    memory.address, memory.data = again, view(again, SIZE)


@in_world
def closed_later(w):
    """The region alone keeps the buffer, until it goes."""
    memory, src = w.memory(SIZE), w.random(SIZE)
    region = w.register(memory)
    w.memories.remove(memory)
    memory.close()
    a, _ = w.pair()
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(region, 0))
    want = bytes(src.data)
    src.data[:] = bytes(SIZE)
    a.run(e.IBV_WR_RDMA_READ, (src, 0, SIZE), remote=(region, 0))
    equal(bytes(src.data), want, 'data')
    region.close()


@in_world
def too_many(w):
    """Regions come and go: keys and attachments with them."""
    memory = w.memory(SIZE)
    for _ in range(20):
        regions = [w.register(memory) for _ in range(50)]
        check(len({r.rkey for r in regions}) == 50, 'a key twice')
        for region in regions:
            region.close()
    info = memory.info()
    equal((info.attachments, info.pins, info.maps, info.vmaps), (0, 0, 0, 0), 'left')


def rmmod(module):
    return subprocess.run(['rmmod', module], capture_output=True, text=True, check=False)


@in_world
def unload(w):
    """Modules stay while regions live. Newer kernels can take the device from its users,
    with their regions, and then its module may go."""
    region = w.region(SIZE)
    for module in 'dma_buf_importer', 'pfnmap_heap', 'dma_buf_exporter':
        ret = rmmod(module)
        check(ret.returncode and 'in use' in ret.stderr, f'rmmod {module}: {ret.stderr}')
    ret = rmmod('rdma_rxe')
    if ret.returncode:
        check('in use' in ret.stderr, f'rmmod rdma_rxe: {ret.stderr}')
        return
    equal(region.memory.info().attachments, 0, 'attachments')
    subprocess.run(['modprobe', 'rdma_rxe'], check=True)
    subprocess.run(['rdma', 'link', 'add', DEVICE, 'type', 'rxe', 'netdev', 'rdma-test'],
                   check=True)


COMMON = [
    ('nothing left of a thousand regions', too_many),
    ('zero length', empty),
    ('rights that are none', access),
    ('a buffer that is read-only', read_only),
    ('the buffer is closed and unmapped', closed_later),
    ('modules in use', unload),
]
CASES = {
    'dmabuf': COMMON + [
        ('no descriptor', no_fd),
        ('descriptors of other files', other_fd),
        ('past the end', past_the_end),
        ('sums that overflow', overflowing),
        ('address and offset in different places of a page', misaligned),
    ],
    'va': COMMON + [
        ('a hole in the mapping', hole),
        ('part of it is something else', beside),
        ('one buffer, not in order', shuffled),
        ('a mapping that is read-only', read_only_mapping),
        ('nothing is there', nowhere),
        ('the mapping goes, the region stays', unmapped_later),
    ],
}

if __name__ == '__main__':
    for kind, cases in CASES.items():
        for name, function in cases:
            ktap.add(f'{kind}: {name}', function, kind)
    ktap.run()
