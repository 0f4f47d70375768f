#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Every operation of RDMA between the dma-bufs of two nodes, data checked byte for byte by
the node that has it in the end; buffers that move meanwhile, that are revoked, and that
go with their process; perftest.

peers.py [NAME]: on both nodes, the cases with NAME in their names.
"""

import struct
import sys
import types

import pyverbs.enums as e
from pyverbs.wr import SGE

import ktap
import peers_clients
import peers_gone
import peers_move
from ktap import Skip, check, equal
from memory import places
from nodes import Link, both_ways, pattern
from ops import AT, LENGTH, SIZE, number, same
from verbs import REMOTE, until

WHOLE = 1 << 20


def spliced(half, at, what=''):
    """This node's pattern with a part of the other's in it."""
    mine, theirs = pattern(half.node, what, SIZE), pattern(half.peer, what, SIZE)
    return mine[:at] + theirs[AT:AT + LENGTH] + mine[at + LENGTH:]


def untouched(half, region, length=SIZE):
    same(region, 0, pattern(half.node, '', length), 'what was only to be read')


@both_ways
def write(half, asks):
    end, (mine, far) = half.end(), half.filled(SIZE)
    if asks:
        end.run(e.IBV_WR_RDMA_WRITE, (mine, AT, LENGTH), remote=(far, 4000))
        untouched(half, mine)
    half.link.meet('written')
    if not asks:
        same(mine, 0, spliced(half, 4000))


@both_ways
def write_imm(half, asks):
    end, (mine, far) = half.end(), half.filled(SIZE)
    if not asks:
        end.post_recv()
    half.link.meet('ready')
    if asks:
        end.run(e.IBV_WR_RDMA_WRITE_WITH_IMM, (mine, AT, LENGTH), remote=(far, 1),
                imm=0x1badcafe)
    else:
        wc = end.done(what='the receiver')
        equal((wc.imm_data, wc.byte_len), (0x1badcafe, LENGTH), 'immediate and length')
        same(mine, 0, spliced(half, 1))


@both_ways
def read(half, asks):
    end, (mine, far) = half.end(), half.filled(SIZE)
    if asks:
        end.run(e.IBV_WR_RDMA_READ, (mine, 4095, LENGTH), remote=(far, AT))
        same(mine, 0, spliced(half, 4095))
    half.link.meet('read')
    if not asks:
        untouched(half, mine)


@both_ways
def whole(half, asks):
    """Many packets; what was written is read back from a node that changed it."""
    end, (mine, far) = half.end(), half.filled(WHOLE)
    if asks:
        end.run(e.IBV_WR_RDMA_WRITE, (mine, 0, WHOLE), remote=(far, 0))
    half.link.meet('written')
    if not asks:
        same(mine, 0, pattern(half.peer, '', WHOLE))
        mine.data[:] = pattern(half.node, 'changed', WHOLE)
    half.link.meet('changed')
    if asks:
        end.run(e.IBV_WR_RDMA_READ, (mine, 0, WHOLE), remote=(far, 0))
        same(mine, 0, pattern(half.peer, 'changed', WHOLE))


def _send(half, asks, kind, opcode, imm=0):
    end, (mine, _) = half.end(kind), half.filled(SIZE)
    if not asks:
        end.post_recv((mine, 9, LENGTH + 100))
    half.link.meet('ready')
    if asks:
        end.run(opcode, (mine, AT, LENGTH), imm=imm)
        untouched(half, mine)
    else:
        wc = end.done(what='the receiver')
        equal((wc.imm_data, wc.byte_len), (imm, LENGTH), 'immediate and length')
        same(mine, 0, spliced(half, 9))


@both_ways
def send(half, asks):
    _send(half, asks, e.IBV_QPT_RC, e.IBV_WR_SEND)


@both_ways
def send_imm(half, asks):
    _send(half, asks, e.IBV_QPT_RC, e.IBV_WR_SEND_WITH_IMM, 5)


@both_ways
def send_uc(half, asks):
    _send(half, asks, e.IBV_QPT_UC, e.IBV_WR_SEND)


@both_ways
def send_ud(half, asks):
    end, (mine, _) = half.end(e.IBV_QPT_UD), half.filled(SIZE)
    if not asks:
        end.post_recv((mine, 4090, 40 + 1000))      # across a page, behind the global route
    half.link.meet('ready')
    if asks:
        end.run(e.IBV_WR_SEND, (mine, AT, 1000), ud=end.far)
    else:
        equal(end.done(what='the receiver').byte_len, 1040, 'length')
        own = pattern(half.node, '', SIZE)
        same(mine, 0, own[:4090])
        same(mine, 4130, pattern(half.peer, '', SIZE)[AT:AT + 1000] + own[5130:])


def counted(half, asks, at, numbers, first, requests):
    """Each request gets one of `numbers`, and leaves the next of them."""
    end, (mine, far) = half.end(), half.filled(SIZE)
    struct.pack_into('=Q', mine.data, at, first)
    half.link.meet('ready')
    if asks:
        for opcode, args, want in zip(*requests, numbers):
            end.run(opcode, (mine, 40, 8), remote=(far, at), atomic=args)
            equal(number(mine, 40), want, 'what was there before')
    half.link.meet('counted')
    if not asks:
        equal(number(mine, at), numbers[-1], 'what is there after')
        own = pattern(half.node, '', SIZE)
        same(mine, 0, own[:at])
        same(mine, at + 8, own[at + 8:])


@both_ways
def fetch_add(half, asks):
    top = (1 << 64) - 2
    counted(half, asks, 4104, (top, 1, 4, 7), top,
            ([e.IBV_WR_ATOMIC_FETCH_AND_ADD] * 3, [(3, 0)] * 3))


@both_ways
def cmp_swp(half, asks):
    counted(half, asks, 4088, (5, 5, 10, 11), 5,
            ([e.IBV_WR_ATOMIC_CMP_AND_SWP] * 3, [(4, 9), (5, 10), (10, 11)]))


def extended(half, capability, ops):
    """The same on both nodes: they have the same kernel."""
    if not half.ctx.query_device_ex().device_cap_flags_ex & (1 << capability):
        raise Skip('a device that has it')
    return half.end(ops=ops)


@both_ways
def atomic_write(half, asks):
    end = extended(half, 40, e.IBV_QP_EX_WITH_ATOMIC_WRITE)
    mine, far = half.filled(SIZE)
    if asks:
        end.qp.wr_start()
        end.qp.wr_id, end.qp.wr_flags = 1, e.IBV_SEND_SIGNALED
        end.qp.wr_atomic_write(far.rkey, far.base + 4096, b'abcdefgh')
        end.qp.wr_complete()
        end.done()
    half.link.meet('written')
    if not asks:
        own = pattern(half.node, '', SIZE)
        same(mine, 0, own[:4096] + b'abcdefgh' + own[4104:])


@both_ways
def flush(half, asks):
    """Only where the region of the other node may have the right: see ops.py."""
    end = extended(half, 38, e.IBV_QP_EX_WITH_FLUSH | e.IBV_QP_EX_WITH_RDMA_WRITE)
    able = half.link.swap(half.kind != 'dmabuf')
    right = e.IBV_ACCESS_FLUSH_GLOBAL if half.kind != 'dmabuf' else 0
    mine, far = half.filled(SIZE, access=REMOTE | right)
    for level in e.IBV_FLUSH_RANGE, e.IBV_FLUSH_MR:
        if asks and able:
            end.qp.wr_start()
            end.qp.wr_id, end.qp.wr_flags = 1, 0
            end.qp.wr_rdma_write(far.rkey, far.base + 4000)
            end.qp.wr_set_sge(SGE(mine.base + AT, LENGTH, mine.lkey))
            end.qp.wr_id, end.qp.wr_flags = 2, e.IBV_SEND_SIGNALED
            end.qp.wr_flush(far.rkey, far.base + 4000, LENGTH, e.IBV_FLUSH_GLOBAL, level)
            end.qp.wr_complete()
            equal(end.done().wr_id, 2, 'request')
        half.link.meet('flushed')
    if not asks and half.kind != 'dmabuf':
        same(mine, 0, spliced(half, 4000))


@both_ways
def no_key(half, asks):
    """A wrong key, and a byte too many: an error for who asks, and nothing is written."""
    mine, far = half.filled(SIZE)
    for rkey, at in (far.rkey ^ 0x55, 0), (far.rkey, SIZE - LENGTH + 1):
        end = half.end()
        if asks:
            end.run(e.IBV_WR_RDMA_WRITE, (mine, 0, LENGTH), want=e.IBV_WC_REM_ACCESS_ERR,
                    remote=(types.SimpleNamespace(rkey=rkey, base=far.base), at))
        until(lambda: end.state() == e.IBV_QPS_ERR, 'the error state')
        half.link.meet('refused')
        check(end.cq.poll()[0] == 0, 'more completions')
    untouched(half, mine)


CASES = [
    ('WRITE', write),
    ('WRITE with immediate data', write_imm),
    ('READ', read),
    ('WRITE and READ of 1 MiB', whole),
    ('SEND', send),
    ('SEND with immediate data', send_imm),
    ('SEND of an unreliable connection', send_uc),
    ('SEND of datagrams', send_ud),
    ('FETCH_ADD', fetch_add),
    ('CMP_SWP', cmp_swp),
    ('atomic WRITE', atomic_write),
    ('FLUSH', flush),
    ('a wrong key', no_key),
]


def main():
    link = Link()
    there = places()
    # What each node registers, and where that is to begin with.
    for kinds, where in ((('dmabuf', 'dmabuf'), (there[0], there[-1])),
                         (('va', 'va'), (there[-1], there[1])),
                         (('dmabuf', 'va'), (there[1], there[0]))):
        for name, function in CASES + peers_move.CASES + peers_gone.CASES:
            if function is flush and 'va' not in kinds:
                continue
            ktap.add(f'{kinds[0]} and {kinds[1]}: {name}', link.case, function, kinds, where)
    for name, function in peers_clients.CASES:
        ktap.add(f'mapped dma-bufs: {name}', link.case, function)
    ktap.run(sys.argv[1] if len(sys.argv) > 1 else '')


if __name__ == '__main__':
    main()
