#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Memory that is out of reach for as long as we like: a peer that wants it is told to come
back, what this side wants is tried again, and everything completes when it is there.

busy.py KIND: "dmabuf" for ibv_reg_dmabuf_mr(), "va" for ibv_reg_mr() of a mapped dma-buf.
"""

import fcntl
import os
import signal
import sys

import pyverbs.enums as e

import ktap
from ktap import check, equal
from ops import number, same
from verbs import DEVICE, World, in_world, pages, until

SIZE = pages(64)
ROUNDS = 12
COUNTERS = f'/sys/class/infiniband/{DEVICE}/ports/1/hw_counters/'
ET_FENCE, ET_SIGNAL = 0x450a, 0x450b    # see modules/exporter_test.h


class Busy:
    """Somebody copies the memory until we leave: a fence of the kernel's says so."""

    def __init__(self, region):
        self.fd = region.memory.fd

    def __enter__(self):
        self.node = os.open('/dev/exporter_test', os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.node, ET_FENCE, self.fd)
        return self

    def __exit__(self, *exc):
        fcntl.ioctl(self.node, ET_SIGNAL)
        os.close(self.node)


def idle():
    """Whoever made something busy was killed: its fence is nobody's now."""
    node = os.open('/dev/exporter_test', os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(node, ET_SIGNAL)
    except FileNotFoundError:
        pass
    finally:
        os.close(node)


def counter(name):
    with open(COUNTERS + name, encoding='ascii') as f:
        return int(f.read())


def nothing_yet(end):
    equal(end.cq.poll()[0], 0, 'completions')


def told_to_come_back(end, times=3):
    """Returns when the peer has been told so several times, and nothing has completed."""
    before = counter('send_rnr_err')
    until(lambda: counter('send_rnr_err') >= before + times, 'an RNR NAK')
    nothing_yet(end)


def tried_again(end):
    """There is nothing to count here: it does not complete while others do."""
    a, _ = end.world.pair()
    src, dst = end.world.random(64), end.world.region(64)
    for _ in range(50):
        a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 64), remote=(dst, 0))
        nothing_yet(end)


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


class Flicker:
    """Makes memory busy and idle until it is stopped: a process, because who waits for the
    memory in a page fault lets no other thread of Python run."""

    def __init__(self, *regions):
        self.regions, self.pid = regions, 0

    def run(self):
        while True:
            for region in self.regions:
                before = counter('send_rnr_err')
                with Busy(region):
                    for _ in range(200):
                        if counter('send_rnr_err') > before:
                            break
                os.sched_yield()

    def __enter__(self):
        self.pid = os.fork()
        if not self.pid:
            try:
                self.run()
            finally:
                os._exit(1)
        return self

    def __exit__(self, *exc):
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        idle()
        equal(os.waitstatus_to_exitcode(status), -signal.SIGKILL, 'end of who makes it busy')


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
    for case in (write, read, atomics, fenced, send, send_shared, immediate_shared, own_source,
                 own_target, datagrams, now_and_then, several_at_once, destroyed, killed):
        ktap.add(case.__name__.replace('_', ' '), case, kind, 'system')
    ktap.run(''.join(sys.argv[2:]))


if __name__ == '__main__':
    main()
