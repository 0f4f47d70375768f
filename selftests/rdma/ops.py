#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every operation of RDMA between memory regions, data checked byte for byte.

ops.py KIND: "dmabuf" for ibv_reg_dmabuf_mr(), "va" for ibv_reg_mr() of a mapped dma-buf,
"user" for anonymous memory, which must pass the same cases.
"""

import errno
import os
import struct
import sys

import pyverbs.enums as e
from pyverbs.pyverbs_error import PyverbsRDMAError

import ktap
from ktap import Skip, check, equal
from memory import places
from verbs import REMOTE, in_world, pages

# Longer than a packet and a page, and in the middle of both.
SIZE, AT, LENGTH = pages(16), 77, pages(3, 123)


def same(region, offset, want, what='data'):
    got = bytes(region.data[offset:offset + len(want)])
    if got != want:
        bad = next(i for i, (a, b) in enumerate(zip(got, want)) if a != b)
        raise AssertionError(f'{what}: byte {bad} of {len(want)} is {got[bad]:#x}, '
                             f'expected {want[bad]:#x}')


def moved(src, dst, before, src_at, dst_at, length):
    """What was to arrive did, and nothing around it changed."""
    want = before[:dst_at] + bytes(src.data[src_at:src_at + length]) + before[dst_at + length:]
    same(dst, 0, want)


def two(w):
    src, dst = w.random(SIZE), w.random(SIZE)
    return src, dst, bytes(dst.data)


@in_world
def write(w):
    a, _ = w.pair()
    src, dst, before = two(w)
    a.run(e.IBV_WR_RDMA_WRITE, (src, AT, LENGTH), remote=(dst, 4000))
    moved(src, dst, before, AT, 4000, LENGTH)


@in_world
def write_imm(w):
    a, b = w.pair()
    src, dst, before = two(w)
    b.post_recv()
    a.run(e.IBV_WR_RDMA_WRITE_WITH_IMM, (src, AT, LENGTH), remote=(dst, 1), imm=0x1badcafe)
    wc = b.done(what='the receiver')
    equal(wc.imm_data, 0x1badcafe, 'immediate')
    equal(wc.byte_len, LENGTH, 'length')
    moved(src, dst, before, AT, 1, LENGTH)


@in_world
def read(w):
    a, _ = w.pair()
    src, dst, before = two(w)
    a.run(e.IBV_WR_RDMA_READ, (dst, 4095, LENGTH), remote=(src, AT))
    moved(src, dst, before, AT, 4095, LENGTH)


@in_world
def whole(w):
    a, _ = w.pair()
    src, dst = w.random(8 << 20), w.region(8 << 20)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 8 << 20), remote=(dst, 0))
    check(bytes(src.data) == bytes(dst.data), 'written data differs')
    src.data[:] = bytes(8 << 20)
    a.run(e.IBV_WR_RDMA_READ, (src, 0, 8 << 20), remote=(dst, 0))
    check(bytes(src.data) == bytes(dst.data), 'read data differs')


def _send(w, opcode, kind=e.IBV_QPT_RC, **args):
    a, b = w.pair(kind, **args.pop('pair', {}))
    length = args.pop('length', LENGTH)
    src, dst, before = two(w)
    b.post_recv((dst, 9, length + 100))
    a.run(opcode, (src, AT, length), **args)
    wc = b.done(what='the receiver')
    equal(wc.byte_len, length, 'length')
    moved(src, dst, before, AT, 9, length)
    return wc


@in_world
def send(w):
    _send(w, e.IBV_WR_SEND)


@in_world
def send_imm(w):
    equal(_send(w, e.IBV_WR_SEND_WITH_IMM, imm=5).imm_data, 5, 'immediate')


@in_world
def send_shared(w):
    _send(w, e.IBV_WR_SEND, pair={'srq': w.shared_queue()})


@in_world
def send_uc(w):
    _send(w, e.IBV_WR_SEND, e.IBV_QPT_UC)


@in_world
def write_uc(w):
    a, b = w.pair(e.IBV_QPT_UC)
    src, dst, before = two(w)
    b.post_recv()       # nothing else says when it has arrived
    a.run(e.IBV_WR_RDMA_WRITE_WITH_IMM, (src, AT, LENGTH), remote=(dst, 3), imm=1)
    b.done(what='the receiver')
    moved(src, dst, before, AT, 3, LENGTH)


@in_world
def send_ud(w):
    a, b = w.pair(e.IBV_QPT_UD)
    src, dst, before = two(w)
    b.post_recv((dst, 4090, 40 + 1000))         # across a page, behind the global route
    a.run(e.IBV_WR_SEND, (src, AT, 1000), ud=b)
    wc = b.done(what='the receiver')
    equal(wc.byte_len, 1040, 'length')
    same(dst, 4090 + 40, bytes(src.data[AT:AT + 1000]))
    same(dst, 0, before[:4090])
    same(dst, 4090 + 1040, before[4090 + 1040:])


@in_world
def pieces(w):
    a, b = w.pair()
    src, dst, before = two(w)
    other = w.random(SIZE)
    b.post_recv((dst, 1, 4096), (dst, 8000, 5000))
    a.run(e.IBV_WR_SEND, (src, 10, 3000), (other, 4090, 3000), (src, 0, 10))
    b.done(what='the receiver')
    data = (bytes(src.data[10:3010]) + bytes(other.data[4090:7090]) + bytes(src.data[:10]))
    same(dst, 0, before[:1] + data[:4096] + before[4097:8000] + data[4096:] +
         before[8000 + len(data) - 4096:])


@in_world
def nothing(w):
    a, b = w.pair()
    src, dst, before = two(w)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 0), remote=(dst, 0))
    a.run(e.IBV_WR_RDMA_READ, (src, 0, 0), remote=(dst, 0))
    b.post_recv()
    a.run(e.IBV_WR_SEND, (src, 0, 0))
    equal(b.done(what='the receiver').byte_len, 0, 'length')
    same(dst, 0, before)


def number(region, offset):
    return struct.unpack_from('=Q', region.data, offset)[0]


@in_world
def fetch_add(w):
    a, _ = w.pair()
    local, remote = w.region(SIZE), w.region(SIZE)
    struct.pack_into('=Q', remote.data, 4104, (1 << 64) - 2)
    for want in (1 << 64) - 2, 1, 4:
        a.run(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (local, 40, 8), remote=(remote, 4104),
              atomic=(3, 0))
        equal(number(local, 40), want, 'what was there before')
    equal(number(remote, 4104), 7, 'sum')
    check(not any(remote.data[:4104]) and not any(remote.data[4112:]), 'more was written')


@in_world
def cmp_swp(w):
    a, _ = w.pair()
    local, remote = w.region(SIZE), w.region(SIZE)
    struct.pack_into('=Q', remote.data, 4088, 5)
    for compare, swap, after in (4, 9, 5), (5, 10, 10), (10, 11, 11):
        before = number(remote, 4088)
        a.run(e.IBV_WR_ATOMIC_CMP_AND_SWP, (local, 0, 8), remote=(remote, 4088),
              atomic=(compare, swap))
        equal(number(local, 0), before, 'what was there before')
        equal(number(remote, 4088), after, 'what is there after')


@in_world
def atomic_odd(w):
    """Refused, by rdma-core already."""
    a, _ = w.pair()
    local, remote = w.region(SIZE), w.region(SIZE)
    try:
        a.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (local, 0, 8), remote=(remote, 12),
               atomic=(3, 0))
    except PyverbsRDMAError as x:
        equal(x.error_code, errno.EINVAL, 'errno')
    else:
        raise AssertionError('it was taken')


def extended(w, capability, ops):
    """A pair with requests of the extended interface, where the device has them."""
    if not w.ctx.query_device_ex().device_cap_flags_ex & (1 << capability):
        raise Skip('a device that has it')
    return w.pair(ops=ops)


@in_world
def atomic_write(w):
    a, _ = extended(w, 40, e.IBV_QP_EX_WITH_ATOMIC_WRITE)
    remote = w.region(SIZE)
    a.qp.wr_start()
    a.qp.wr_id, a.qp.wr_flags = 1, e.IBV_SEND_SIGNALED
    a.qp.wr_atomic_write(remote.rkey, remote.base + 4096, b'abcdefgh')
    a.qp.wr_complete()
    a.done()
    same(remote, 0, bytes(4096) + b'abcdefgh' + bytes(SIZE - 4104))


@in_world
def flush(w):
    a, _ = extended(w, 38, e.IBV_QP_EX_WITH_FLUSH | e.IBV_QP_EX_WITH_RDMA_WRITE)
    remote = w.region(SIZE, REMOTE | e.IBV_ACCESS_FLUSH_GLOBAL)
    for level in e.IBV_FLUSH_RANGE, e.IBV_FLUSH_MR:
        a.qp.wr_start()
        a.qp.wr_id, a.qp.wr_flags = 1, e.IBV_SEND_SIGNALED
        a.qp.wr_flush(remote.rkey, remote.base + 100, 5000, e.IBV_FLUSH_GLOBAL, level)
        a.qp.wr_complete()
        a.done()


@in_world
def part(w):
    """A region of a part of the buffer, which begins within a page."""
    a, b = w.pair()
    memory = w.memory(SIZE)
    memory.data[:] = os.urandom(SIZE)
    before = bytes(memory.data)
    inner = w.register(memory, offset=4096 + 5, length=9000)
    src = w.random(SIZE)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 9000), remote=(inner, 0))
    equal(bytes(memory.data), before[:4101] + bytes(src.data[:9000]) + before[13101:], 'data')
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 1), remote=(inner, 9000),
          want=e.IBV_WC_REM_ACCESS_ERR)
    a, b = w.pair()
    a.run(e.IBV_WR_RDMA_READ, (src, 0, 2), remote=(inner, -1), want=e.IBV_WC_REM_ACCESS_ERR)
    a, b = w.pair()
    a.post(e.IBV_WR_RDMA_WRITE, (inner, 8999, 2), remote=(src, 0))
    a.fails_here()
    check(b.cq.poll()[0] == 0, 'the other end saw something')


@in_world
def own_address(w):
    """The address on the wire is the caller's choice, and 0 is one."""
    a, _ = w.pair()
    memory = w.memory(SIZE)
    src = w.random(SIZE)
    for iova in 0, 0x7000, 0xfeedf00d000:
        region = w.register_at(memory, iova + 0x234, offset=0x2234, length=6000)
        memory.data[:] = bytes(SIZE)
        a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 6000), remote=(region, 0))
        same(region, 0, bytes(src.data[:6000]))
        check(not any(memory.data[:0x2234]) and not any(memory.data[0x2234 + 6000:]),
              'more was written')


@in_world
def many_regions(w):
    """Overlapping ones of one buffer, each with a key that ends with it."""
    a, _ = w.pair()
    memory, src = w.memory(SIZE), w.random(SIZE)
    regions = [w.register(memory, offset=i * 1000, length=SIZE - i * 1000) for i in range(16)]
    equal(len({r.rkey for r in regions}), 16, 'keys')
    for i, region in enumerate(regions):
        a.run(e.IBV_WR_RDMA_WRITE, (src, i * 10, 10), remote=(region, SIZE - i * 1000 - 10))
        same(region, region.length - 10, bytes(src.data[i * 10:i * 10 + 10]))
    key = regions[3].rkey
    for region in regions[:8]:
        region.close()
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 10), remote=(regions[8], 0))
    regions[9].mr.close()
    regions[9].mr = type('', (), {'rkey': key})
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 10), remote=(regions[9], 0),
          want=e.IBV_WC_REM_ACCESS_ERR)


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else 'dmabuf'
    import ops_rights
    cases = CASES + ops_rights.CASES
    # The kernel's call for dma-bufs takes neither FLUSH_GLOBAL nor MW_BIND.
    if kind == 'dmabuf':
        cases = [c for c in cases if c[1] not in (flush, *ops_rights.WINDOWS)]
    for place in places() if kind != 'user' else ['anonymous']:
        for name, function in cases:
            ktap.add(f'{place}: {name}', function, kind, place)
    ktap.run(sys.argv[2] if len(sys.argv) > 2 else '')


CASES = [
    ('WRITE', write),
    ('WRITE with immediate data', write_imm),
    ('READ', read),
    ('WRITE and READ of 8 MiB', whole),
    ('SEND', send),
    ('SEND with immediate data', send_imm),
    ('SEND to a shared receive queue', send_shared),
    ('SEND of an unreliable connection', send_uc),
    ('WRITE of an unreliable connection', write_uc),
    ('SEND of datagrams', send_ud),
    ('several pieces', pieces),
    ('no data at all', nothing),
    ('FETCH_ADD', fetch_add),
    ('CMP_SWP', cmp_swp),
    ('an atomic operation between two numbers', atomic_odd),
    ('atomic WRITE', atomic_write),
    ('FLUSH', flush),
    ('a region of a part', part),
    ('I/O virtual addresses', own_address),
    ('many regions of one buffer', many_regions),
]

if __name__ == '__main__':
    main()
