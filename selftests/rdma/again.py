#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Requests that are sent again because memory was out of reach, with others around them.

again.py KIND: as of busy.py.
"""

import sys

import pyverbs.enums as e
from pyverbs.qp import QPAttr

import ktap
from fences import Busy, Flicker, told_to_come_back, tried_again
from ktap import equal
from ops import extended, number, same
from verbs import in_world, pages, status

SIZE = pages(64)
ROUNDS = 12


@in_world
def atomic_write(w):
    """It comes again to the place where it was to go."""
    a, _ = extended(w, 40, e.IBV_QP_EX_WITH_ATOMIC_WRITE)
    dst = w.region(SIZE)
    with Busy(dst):
        a.qp.wr_start()
        a.qp.wr_id, a.qp.wr_flags = 1, e.IBV_SEND_SIGNALED
        a.qp.wr_atomic_write(dst.rkey, dst.base + 4096, b'abcdefgh')
        a.qp.wr_complete()
        told_to_come_back(a)
    a.done()
    same(dst, 0, bytes(4096) + b'abcdefgh' + bytes(SIZE - 4104))


@in_world
def nothing_behind(w):
    """Requests of length zero that are sent again with what is in front of them, which is
    little enough for them to be sent at all before it is answered."""
    a, _ = w.pair()
    size = SIZE // 4
    src, dst, other = w.random(size), w.region(size), w.region(8)
    with Busy(dst):
        a.post(e.IBV_WR_RDMA_READ, (dst, 0, size), remote=(src, 0))
        a.post(e.IBV_WR_RDMA_WRITE, (src, 0, 0), remote=(other, 0))
        a.post(e.IBV_WR_RDMA_READ, (dst, 0, 0), remote=(other, 0))
        tried_again(a)
    for _ in range(3):
        a.done()
    same(dst, 0, bytes(src.data))


@in_world
def fenced(w):
    """What waits for earlier reads must not wait for itself, or later ones, when it is sent
    again."""
    a, _ = w.pair()
    src, dst, old = w.random(SIZE), w.region(SIZE), w.region(8)
    want, half = bytes(src.data), SIZE // 2
    with Busy(src):
        a.post(e.IBV_WR_RDMA_READ, (dst, 0, half), remote=(src, 0), fenced=True)
        a.post(e.IBV_WR_RDMA_READ, (dst, half, half), remote=(src, half))
        a.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (old, 0, 8), remote=(src, 0), atomic=(1, 0),
               fenced=True)
        told_to_come_back(a)
    for _ in range(3):
        a.done()
    same(dst, 0, want)
    equal(number(old, 0), int.from_bytes(want[:8], 'little'), 'number')


@in_world
def flushed_shared(w):
    """A receive request that was taken from a shared queue comes back with an error."""
    srq = w.shared_queue()
    a, b = w.pair(srq=srq)
    src, dst = w.random(SIZE), w.region(SIZE)
    b.post_recv((dst, 0, SIZE), wr_id=5)
    with Busy(dst):
        a.post(e.IBV_WR_SEND, (src, 0, SIZE))
        told_to_come_back(a)
        b.qp.modify(QPAttr(qp_state=e.IBV_QPS_ERR), e.IBV_QP_STATE)
        equal(b.done(e.IBV_WC_WR_FLUSH_ERR).wr_id, 5, 'receive request')


@in_world
def unreliable_shared(w):
    """A message that loses a packet in its middle costs those that follow nothing."""
    a, b = w.pair(e.IBV_QPT_UC, srq=w.shared_queue())
    src, calm, dst = w.random(SIZE), w.region(SIZE), w.region(SIZE)
    half = SIZE // 2
    b.post_recv((calm, 0, half), (dst, 0, half), wr_id=5)
    with Busy(dst):
        a.run(e.IBV_WR_SEND, (src, 0, SIZE))
    n = 0
    while not n:
        a.run(e.IBV_WR_SEND, (src, 0, SIZE))
        n, wcs = b.cq.poll()
    equal((status(wcs[0].status), wcs[0].wr_id), ('SUCCESS', 5), 'receive request')
    same(calm, 0, bytes(src.data[:half]))
    same(dst, 0, bytes(src.data[half:]))


@in_world
def now_and_then(w):
    """In the middle of reads and writes, again and again."""
    a, b = w.pair()
    src, dst, back = w.random(SIZE), w.region(SIZE), w.region(SIZE)
    with Flicker(src, dst):
        for n in range(ROUNDS):
            src.data[:8] = n.to_bytes(8, 'little')
            a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
            a.run(e.IBV_WR_RDMA_READ, (back, 0, SIZE), remote=(dst, 0))
            a.run(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (back, 0, 8), remote=(dst, 0),
                  atomic=(1, 0))
            equal((number(back, 0), number(dst, 0)), (n, n + 1), 'numbers')
            same(back, 8, bytes(src.data[8:]))
            b.post_recv((dst, 0, SIZE))
            a.run(e.IBV_WR_SEND, (src, 0, SIZE))
            b.done()
            same(dst, 0, bytes(src.data))


@in_world
def several_at_once(w):
    """The same with requests that follow each other."""
    a, _ = w.pair()
    src, dst, back = w.random(SIZE), w.region(SIZE), w.region(SIZE)
    piece = SIZE // 8
    with Flicker(src, dst):
        for n in range(ROUNDS):
            src.data[:8] = n.to_bytes(8, 'little')
            for i in range(8):
                a.post(e.IBV_WR_RDMA_WRITE, (src, i * piece, piece), remote=(dst, i * piece))
            for i in range(8):
                a.post(e.IBV_WR_RDMA_READ, (back, i * piece, piece), remote=(dst, i * piece))
            a.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (back, 0, 8), remote=(dst, 0),
                   atomic=(1, 0), fenced=True)
            for _ in range(17):
                a.done()
            equal((number(back, 0), number(dst, 0)), (n, n + 1), 'numbers')
            same(back, 8, bytes(src.data[8:]))


def main():
    kind = sys.argv[1]
    for case in (fenced, atomic_write, nothing_behind, flushed_shared, unreliable_shared,
                 now_and_then, several_at_once):
        ktap.add(case.__name__.replace('_', ' '), case, kind, 'system')
    ktap.run(''.join(sys.argv[2:]))


if __name__ == '__main__':
    main()
