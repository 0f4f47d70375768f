#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Memory that is out of reach for as long as we like: a peer that wants it is told to come
back, what this side wants is tried again, and everything completes when it is there.

busy.py KIND: "dmabuf" for ibv_reg_dmabuf_mr(), "va" for ibv_reg_mr() of a mapped dma-buf.
"""

import os
import signal
import sys

import pyverbs.enums as e

import ktap
from fences import Busy, idle, nothing_yet, told_to_come_back, tried_again
from ktap import check, equal
from ops import number, same
from verbs import World, in_world, pages, until

SIZE = pages(64)


@in_world
def write(w):
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    with Busy(dst):
        a.post(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
        told_to_come_back(a)
    a.done()
    same(dst, 0, bytes(src.data))


@in_world
def read(w):
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    with Busy(src):
        a.post(e.IBV_WR_RDMA_READ, (dst, 0, SIZE), remote=(src, 0))
        told_to_come_back(a)
    a.done()
    same(dst, 0, bytes(src.data))


@in_world
def atomics(w):
    """They are done once, however often they were asked for."""
    a, _ = w.pair()
    old, dst = w.region(16), w.region(64)
    dst.data[:8] = (40).to_bytes(8, 'little')
    with Busy(dst):
        a.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (old, 0, 8), remote=(dst, 0), atomic=(2, 0))
        a.post(e.IBV_WR_ATOMIC_CMP_AND_SWP, (old, 8, 8), remote=(dst, 0), atomic=(42, 77))
        told_to_come_back(a)
    a.done()
    a.done()
    equal((number(old, 0), number(old, 8), number(dst, 0)), (40, 42, 77), 'numbers')


@in_world
def send(w):
    a, b = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    b.post_recv((dst, 0, SIZE))
    with Busy(dst):
        a.post(e.IBV_WR_SEND, (src, 0, SIZE))
        told_to_come_back(a)
        nothing_yet(b)
    a.done()
    b.done()
    same(dst, 0, bytes(src.data))


@in_world
def send_shared(w):
    """A receive request that was taken from a shared queue is not lost."""
    srq = w.shared_queue()
    a, b = w.pair(srq=srq)
    src, dst = w.random(SIZE), w.region(SIZE)
    half = SIZE // 2
    b.post_recv((dst, 0, half), wr_id=1)
    b.post_recv((dst, half, half), wr_id=2)
    for n in range(2):
        with Busy(dst):
            a.post(e.IBV_WR_SEND, (src, n * half, half))
            told_to_come_back(a)
        a.done()
        equal(b.done().wr_id, n + 1, 'receive request')
    same(dst, 0, bytes(src.data))


@in_world
def immediate_shared(w):
    srq = w.shared_queue()
    a, b = w.pair(srq=srq)
    src, dst = w.random(SIZE), w.region(SIZE)
    for n in range(3):
        b.post_recv(wr_id=n)
    for n in range(3):
        with Busy(dst):
            a.post(e.IBV_WR_RDMA_WRITE_WITH_IMM, (src, 0, SIZE), remote=(dst, 0), imm=n)
            told_to_come_back(a)
        a.done()
        equal(b.done().wr_id, n, 'receive request')
    same(dst, 0, bytes(src.data))


@in_world
def own_source(w):
    a, b = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    want = bytes(src.data)
    with Busy(src):
        a.post(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
        tried_again(a)
    a.done()
    same(dst, 0, want)
    b.post_recv((dst, 0, SIZE))
    dst.data[:] = bytes(SIZE)
    with Busy(src):
        a.post(e.IBV_WR_SEND, (src, 0, SIZE))
        tried_again(a)
    a.done()
    b.done()
    same(dst, 0, want)


@in_world
def own_target(w):
    """The answer comes, and has nowhere to go."""
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    with Busy(dst):
        a.post(e.IBV_WR_RDMA_READ, (dst, 0, SIZE), remote=(src, 0))
        tried_again(a)
    a.done()
    same(dst, 0, bytes(src.data))
    old, counted = w.region(8), w.region(8)
    counted.data[:8] = (1).to_bytes(8, 'little')
    with Busy(old):
        a.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (old, 0, 8), remote=(counted, 0),
               atomic=(1, 0))
        tried_again(a)
    a.done()
    equal((number(old, 0), number(counted, 0)), (1, 2), 'numbers')


@in_world
def datagrams(w):
    """One that is sent late, and one that may be lost."""
    a, b = w.pair(e.IBV_QPT_UD)
    src, dst = w.random(256), w.region(512)
    b.post_recv((dst, 0, 512))
    with Busy(src):
        a.post(e.IBV_WR_SEND, (src, 0, 256), ud=b)
        tried_again(a)
    a.done()
    b.done()
    same(dst, 40, bytes(src.data))
    b.post_recv((dst, 0, 512))
    with Busy(dst):
        a.run(e.IBV_WR_SEND, (src, 0, 256), ud=b)
    while not b.cq.poll()[0]:
        a.run(e.IBV_WR_SEND, (src, 0, 256), ud=b)
    same(dst, 40, bytes(src.data))


@in_world
def destroyed(w):
    """Queue pairs and regions go while their requests cannot complete."""
    for busy in range(2):
        a, b = w.pair()
        src, dst = w.random(SIZE), w.region(SIZE)
        with Busy((src, dst)[busy]):
            a.post(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
            a.post(e.IBV_WR_RDMA_READ, (src, 0, SIZE), remote=(dst, 0))
            (tried_again if not busy else told_to_come_back)(a)
            for it in a, b, src, dst:
                it.close()


def victim(kind, pipe):
    w = World(kind)
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    with Busy(src):
        a.post(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
        tried_again(a)
        os.write(pipe, b'x')
        signal.pause()


def killed(kind, place):
    """The process goes with all it has."""
    ready, pipe = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            victim(kind, pipe)
        finally:
            os._exit(1)
    os.close(pipe)
    check(os.read(ready, 1), 'the victim failed')
    os.close(ready)
    os.kill(pid, signal.SIGKILL)
    until(lambda: os.waitpid(pid, os.WNOHANG)[0], 'the end of the process')
    idle()


def main():
    kind = sys.argv[1]
    for case in (write, read, atomics, send, send_shared, immediate_shared, own_source,
                 own_target, datagrams, destroyed, killed):
        ktap.add(case.__name__.replace('_', ' '), case, kind, 'system')
    ktap.run(''.join(sys.argv[2:]))


if __name__ == '__main__':
    main()
