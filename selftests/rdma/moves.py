#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Buffers that move, and are revoked, while they are registered and in use.

moves.py KIND: "dmabuf" for ibv_reg_dmabuf_mr(), "va" for ibv_reg_mr() of a mapped dma-buf.
"""

import errno
import os
import sys
import threading

import pyverbs.enums as e
from pyverbs.pyverbs_error import PyverbsRDMAError

import ktap
from ktap import check, equal
from memory import BLOCK, places
from ops import number, same
from verbs import in_world, pages, status, until

SIZE = pages(64)
ROUNDS = 60


class Mover(threading.Thread):
    """Moves buffers from place to place until it is stopped."""

    def __init__(self, memories, policy=0):
        super().__init__()
        self.memories, self.policy = memories, policy
        self.stop, self.moves, self.error = False, 0, None

    def run(self):
        try:
            while not self.stop:
                for place in places():
                    for memory in self.memories:
                        memory.move(place, self.policy)
                        self.moves += 1
        except OSError as x:
            self.error = x

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop = True
        self.join()
        if self.error and not exc[0]:
            raise self.error


@in_world
def between(w):
    """Every pair of places: written before, read after, and the other way round."""
    a, b = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    for here in places():
        for there in places():
            src.memory.move(here)
            dst.memory.move(there)
            src.data[:] = os.urandom(SIZE)
            a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
            src.memory.move(there)
            dst.memory.move(here)
            equal(dst.memory.info().placement, here, 'place')
            same(dst, 0, bytes(src.data), 'after the move')
            dst.data[:] = bytes(SIZE)
            b.post_recv((dst, 0, SIZE))
            a.run(e.IBV_WR_SEND, (src, 0, SIZE))
            b.done(what='the receiver')
            same(dst, 0, bytes(src.data), 'sent after the move')
    equal(dst.memory.info().pins, 0, 'pins')
    check(dst.memory.info().attachments == 1, 'not attached')


@in_world
def blocked_by_nothing(w):
    """Nothing is pinned: a move that does not wait goes through."""
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    for place in places() * 3:
        a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
        dst.memory.move(place, BLOCK)
        src.memory.move(place, BLOCK)
        same(dst, 0, bytes(src.data))


@in_world
def waiting_receive(w):
    """A receive request is posted, its buffer moves, then the data comes."""
    a, b = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    for place in places() * 2:
        dst.data[:] = bytes(SIZE)
        b.post_recv((dst, 3, SIZE - 3))
        dst.memory.move(place)
        a.run(e.IBV_WR_SEND, (src, 0, SIZE - 3))
        b.done(what='the receiver')
        same(dst, 3, bytes(src.data[:SIZE - 3]))


@in_world
def compacted(w):
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
    dst.memory.compact()
    same(dst, 0, bytes(src.data))
    a.run(e.IBV_WR_RDMA_READ, (src, 0, SIZE), remote=(dst, 0))
    same(dst, 0, bytes(src.data))


@in_world
def while_writing(w):
    """Both ends move all the time. Each round writes new data, and reads it back."""
    a, _ = w.pair()
    src, dst, back = w.random(SIZE), w.region(SIZE), w.region(SIZE)
    with Mover([src.memory, dst.memory, back.memory]) as mover:
        n = 0
        while n < ROUNDS or mover.moves < ROUNDS:
            src.data[:] = want = os.urandom(SIZE)
            a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
            a.run(e.IBV_WR_RDMA_READ, (back, 0, SIZE), remote=(dst, 0))
            same(back, 0, want, f'round {n}')
            same(dst, 0, want, f'round {n}')
            check(not mover.error, mover.error)
            n += 1
    ktap.comment(f'{n} rounds, {mover.moves} moves')


@in_world
def while_sending(w):
    """Many messages under way at once, in both directions."""
    a, b = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    back = w.region(SIZE)
    part, n = pages(4), 16
    with Mover([src.memory, dst.memory, back.memory]) as mover:
        rounds = 0
        while rounds < ROUNDS // 4 or mover.moves < ROUNDS:
            src.data[:] = want = os.urandom(SIZE)
            for i in range(n):
                b.post_recv((dst, i * part, part))
            for i in range(n):
                a.post(e.IBV_WR_SEND, (src, i * part, part))
            for i in range(n):
                a.done()
                b.done(what='the receiver')
            same(dst, 0, want, f'round {rounds}')
            for i in range(n):
                b.post(e.IBV_WR_RDMA_WRITE, (dst, i * part, part), remote=(back, i * part))
            for i in range(n):
                b.done()
            same(back, 0, want, f'round {rounds}')
            rounds += 1
    ktap.comment(f'{rounds} rounds, {mover.moves} moves')


@in_world
def while_counting(w):
    """No atomic addition is lost, nor made twice."""
    a, b = w.pair()
    local, remote = w.region(pages(1)), w.region(pages(8))
    with Mover([local.memory, remote.memory]) as mover:
        n = 0
        while n < 4 * ROUNDS or mover.moves < ROUNDS:
            for end in a, b:
                end.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (local, 0, 8), remote=(remote, 8000),
                         atomic=(1, 0))
            a.done()
            b.done()
            n += 2
    equal(number(remote, 8000), n, 'sum')


def refused(want, function, *args, **kwargs):
    try:
        region = function(*args, **kwargs)
    except PyverbsRDMAError as x:
        equal(errno.errorcode.get(x.error_code), errno.errorcode[want], 'errno')
        return
    region.close()
    raise AssertionError(f'it was taken, not refused with {errno.errorcode[want]}')


@in_world
def revoked_before(w):
    memory = w.memory(SIZE)
    memory.revoke()
    refused(errno.ENODEV, w.register, memory)


@in_world
def registered_moving(w):
    """Regions come and go while the buffer moves; each of them finds the data."""
    a, _ = w.pair()
    memory, dst = w.memory(SIZE), w.region(SIZE)
    memory.data[:] = want = os.urandom(SIZE)
    with Mover([memory]) as mover:
        n = 0
        while n < ROUNDS or mover.moves < ROUNDS:
            region = w.register(memory)
            a.run(e.IBV_WR_RDMA_READ, (dst, 0, pages(2)), remote=(region, 0))
            same(dst, 0, want[:pages(2)], f'region {n}')
            region.close()
            n += 1
    equal(memory.info().attachments, 0, 'attachments')


@in_world
def revoked_meanwhile(w):
    """Registered at the moment it is revoked: taken or refused, and refused afterwards."""
    taken = 0
    for _ in range(ROUNDS):
        memory = w.memory(pages(1))
        revoker = threading.Thread(target=memory.revoke)
        revoker.start()
        try:
            while True:
                w.register(memory).close()
                taken += 1
        except PyverbsRDMAError as x:
            equal(x.error_code, errno.ENODEV, 'errno')
        revoker.join()
        refused(errno.ENODEV, w.register, memory)
    ktap.comment(f'{taken} registrations before {ROUNDS} revocations')


def flushed(end, n):
    for _ in range(n):
        equal(status(end.next('a flushed request').status), 'WR_FLUSH_ERR', 'status')


@in_world
def revoked_remote(w):
    """The requester is told, its queue is flushed, and both ends are in error."""
    for opcode in e.IBV_WR_RDMA_WRITE, e.IBV_WR_RDMA_READ:
        for used in True, False:
            a, b = w.pair()
            src, dst = w.random(SIZE), w.region(SIZE)
            if used:
                a.run(opcode, (src, 0, SIZE), remote=(dst, 0))
            b.post_recv()
            dst.memory.revoke()
            for i in range(4):
                a.post(opcode, (src, 0, SIZE), remote=(dst, 0), wr_id=i)
            equal(a.done(e.IBV_WC_REM_ACCESS_ERR).wr_id, 0, 'request')
            flushed(a, 3)
            until(lambda: a.state() == e.IBV_QPS_ERR, 'the error state')
            until(lambda: b.state() == e.IBV_QPS_ERR, 'the error state of the other end')
            check(b.next('the receiver').status != e.IBV_WC_SUCCESS, 'it received')
            refused(errno.ENODEV, w.register, dst.memory)


@in_world
def revoked_atomic(w):
    a, _ = w.pair()
    local, dst = w.region(SIZE), w.region(SIZE)
    a.run(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (local, 0, 8), remote=(dst, 0), atomic=(1, 0))
    dst.memory.revoke()
    a.run(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (local, 0, 8), remote=(dst, 0), atomic=(1, 0),
          want=e.IBV_WC_REM_ACCESS_ERR)


@in_world
def revoked_local(w):
    """What is sent from, and where a READ or a message goes to."""
    for opcode in e.IBV_WR_RDMA_WRITE, e.IBV_WR_RDMA_READ:
        a, _ = w.pair()
        src, dst = w.random(SIZE), w.region(SIZE)
        a.run(opcode, (src, 0, SIZE), remote=(dst, 0))
        src.memory.revoke()
        a.post(opcode, (src, 0, SIZE), remote=(dst, 0))
        a.post(opcode, (src, 0, SIZE), remote=(dst, 0))
        a.fails_here()
        flushed(a, 1)
        equal(a.state(), e.IBV_QPS_ERR, 'state')
    a, b = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    b.post_recv((dst, 0, SIZE))
    b.post_recv((dst, 0, SIZE))
    dst.memory.revoke()
    a.post(e.IBV_WR_SEND, (src, 0, SIZE))
    check(a.next().status in (e.IBV_WC_REM_OP_ERR, e.IBV_WC_REM_ACCESS_ERR), 'status')
    b.fails_here()
    flushed(b, 1)


@in_world
def revoked_busy(w):
    """The middle of traffic: what is under way ends, in order, with one error."""
    for opcode in e.IBV_WR_RDMA_WRITE, e.IBV_WR_RDMA_READ, e.IBV_WR_SEND:
        for which in 'src', 'dst':
            a, b = w.pair()
            src, dst = w.random(SIZE), w.region(SIZE)
            n = 24
            for i in range(n):
                b.post_recv((dst, 0, SIZE))
            for i in range(n):
                a.post(opcode, (src, 0, SIZE), remote=(dst, 0), wr_id=i)
            a.done()
            (src if which == 'src' else dst).memory.revoke()
            seen = [a.next().status for _ in range(n - 1)]
            bad = [s for s in seen if s != e.IBV_WC_SUCCESS]
            equal(seen[len(seen) - len(bad):], bad, 'successes behind an error')
            check(all(s == e.IBV_WC_WR_FLUSH_ERR for s in bad[1:]),
                  ' '.join(map(status, bad)))


@in_world
def revoked_shared(w):
    """A queue pair that has nothing to do with the buffer goes on."""
    a, _ = w.pair()
    other, _ = w.pair()
    src, dst, gone = w.random(SIZE), w.region(SIZE), w.region(SIZE)
    gone.memory.revoke()
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(gone, 0), want=e.IBV_WC_REM_ACCESS_ERR)
    other.run(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
    same(dst, 0, bytes(src.data))


CASES = [
    ('data survives a move between any two places', between),
    ('a move need not wait', blocked_by_nothing),
    ('a move before a message comes', waiting_receive),
    ('compacted', compacted),
    ('moves during WRITE and READ', while_writing),
    ('moves during SEND', while_sending),
    ('moves during FETCH_ADD', while_counting),
    ('registered while it moves', registered_moving),
    ('revoked before it is registered', revoked_before),
    ('revoked while it is registered', revoked_meanwhile),
    ('revoked at the other end', revoked_remote),
    ('revoked at the other end of FETCH_ADD', revoked_atomic),
    ('revoked at its own end', revoked_local),
    ('revoked while busy', revoked_busy),
    ('revoked, and another queue pair goes on', revoked_shared),
]

if __name__ == '__main__':
    kinds = sys.argv[1:2] or ['dmabuf', 'va']
    for kind in kinds:
        for name, function in CASES:
            ktap.add(f'{kind}: {name}', function, kind)
    ktap.run(sys.argv[2] if len(sys.argv) > 2 else '')
