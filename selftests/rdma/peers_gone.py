# SPDX-License-Identifier: GPL-2.0
"""Cases of peers.py: what a node sees of the other's buffer that is revoked, and of its
process that is killed."""

import errno
import os
import signal
import time

import pyverbs.enums as e

from ktap import check, equal
from memory import live_buffers
from moves import refused
from nodes import Half, both_ways, pattern
from ops import same
from verbs import LIMIT, pages, status, until

SIZE = pages(32)
DEEP = 12


class Stream:
    """DEEP requests under way at any time, until one of them fails."""

    def __init__(self, end, opcode, local, far):
        self.args = end, opcode, local, far
        self.end, self.sent, self.good = end, 0, 0
        for _ in range(DEEP):
            self.post()

    def post(self):
        end, opcode, local, far = self.args
        end.post(opcode, (local, 0, SIZE), remote=(far, 0), wr_id=self.sent)
        self.sent += 1

    def one(self):
        """The status of the next request; another one takes its place."""
        wc = self.end.next()
        if wc.status == e.IBV_WC_SUCCESS:
            equal(wc.wr_id, self.good, 'request')
            self.good += 1
            self.post()
        return wc.status

    def run(self, n):
        for _ in range(n):
            equal(status(self.one()), 'SUCCESS', 'the stream')

    def fail(self, *want):
        """What is under way ends in order, with one error, and the queue pair with it."""
        deadline = time.monotonic() + LIMIT
        got = self.one()
        while got == e.IBV_WC_SUCCESS:
            check(time.monotonic() < deadline, f'no error in {LIMIT} s')
            got = self.one()
        check(status(got) in want, f'{status(got)}, expected {" or ".join(want)}')
        rest = [status(self.end.next().status) for _ in range(self.sent - self.good - 1)]
        equal(rest, ['WR_FLUSH_ERR'] * (DEEP - 1), 'behind the error')
        until(lambda: self.end.state() == e.IBV_QPS_ERR, 'the error state')
        equal(self.end.cq.poll()[0], 0, 'completions')


def goes_on(half, end, region, far, what):
    """A queue pair and regions that nothing has happened to, from both sides."""
    region.data[:SIZE] = pattern(half.node, what, SIZE)
    half.link.meet(f'{what}: filled')
    end.run(e.IBV_WR_RDMA_WRITE, (region, 0, SIZE), remote=(far, SIZE))
    half.link.meet(f'{what}: written')
    same(region, 0, pattern(half.node, what, SIZE) + pattern(half.peer, what, SIZE), what)


def _revoked(half, asks, opcode):
    other, (region, beyond) = half.end(), half.filled(2 * SIZE)
    end, (mine, far) = half.end(), half.filled(SIZE)
    if asks:
        stream = Stream(end, opcode, mine, far)
        stream.run(4)
        half.link.meet('busy')
        stream.fail('REM_ACCESS_ERR')
        whose = half.node if opcode == e.IBV_WR_RDMA_WRITE else half.peer
        same(mine, 0, pattern(whose, '', SIZE))
    else:
        end.post_recv()
        half.link.meet('busy')
        mine.memory.revoke()
        until(lambda: end.state() == e.IBV_QPS_ERR, 'the error state')
        check(end.next('the receiver').status != e.IBV_WC_SUCCESS, 'it received')
        refused(errno.ENODEV, half.register, mine.memory)
    half.link.meet('revoked')
    goes_on(half, other, region, beyond, 'another')
    # A new connection still finds no such memory, and all the other.
    goes_on(half, half.end(), region, beyond, 'new')
    end = half.end()
    if asks:
        end.run(opcode, (region, 0, SIZE), remote=(far, 0), want=e.IBV_WC_REM_ACCESS_ERR)
    half.link.meet('refused')


@both_ways
def revoked_write(half, asks):
    _revoked(half, asks, e.IBV_WR_RDMA_WRITE)


@both_ways
def revoked_read(half, asks):
    _revoked(half, asks, e.IBV_WR_RDMA_READ)


@both_ways
def revoked_receive(half, asks):
    """What messages go to is revoked between two of them."""
    end, (mine, _) = half.end(), half.filled(SIZE)
    if not asks:
        for _ in range(4):
            end.post_recv((mine, 0, SIZE))
    half.link.meet('ready')
    if asks:
        end.run(e.IBV_WR_SEND, (mine, 0, SIZE))
    else:
        end.done(what='the receiver')
        same(mine, 0, pattern(half.peer, '', SIZE))
        mine.memory.revoke()
    half.link.meet('revoked')
    if asks:
        end.run(e.IBV_WR_SEND, (mine, 0, SIZE), want=e.IBV_WC_REM_OP_ERR)
    else:
        end.fails_here()
        equal([status(end.next().status) for _ in range(2)], ['WR_FLUSH_ERR'] * 2, 'others')
    until(lambda: end.state() == e.IBV_QPS_ERR, 'the error state')


@both_ways
def revoked_own(half, asks):
    """Who streams loses its own memory; the other node, which streams on the same
    connection to memory that is still there, loses the connection."""
    end, (mine, far) = half.end(hasty=True), half.filled(SIZE)
    target = half.region(SIZE)
    far = half.trade(target)
    stream = Stream(end, e.IBV_WR_RDMA_WRITE, mine, far)
    stream.run(4)
    half.link.meet('busy')
    if asks:
        mine.memory.revoke()
        stream.fail('LOC_PROT_ERR', 'LOC_QP_OP_ERR', 'WR_FLUSH_ERR')
    else:
        stream.fail('RETRY_EXC_ERR')
    half.link.meet('revoked')
    same(target, 0, pattern(half.peer, '', SIZE))


def _victim(link, kinds, where, pipe):
    """Has memory in use by the other node, and uses that of the other node."""
    half = Half(link, kinds[link.node], where[link.node])
    mine, far = half.filled(SIZE)
    end = half.end()
    stream = Stream(end, e.IBV_WR_RDMA_READ, half.region(SIZE), far)
    stream.run(2)
    link.tell('busy')
    os.write(pipe, b'x')
    while True:
        stream.run(1)


def _kill(link, kinds, where):
    """Returns when there is nothing left of a process that was killed in the middle."""
    before = live_buffers()
    ready, pipe = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _victim(link, kinds, where, pipe)
        finally:
            os._exit(1)
    os.close(pipe)
    try:
        check(os.read(ready, 1), 'the victim failed')
        equal(link.hear(), 'busy', 'step of the other node')
    finally:
        os.close(ready)
        os.kill(pid, signal.SIGKILL)
        _, how = os.waitpid(pid, 0)
    check(os.WIFSIGNALED(how), 'the victim ended by itself')
    until(lambda: live_buffers() == before, 'the end of its buffers')


def killed(link, kinds, where):
    """One node has no memory region, queue pair nor process any more."""
    for victim in 0, 1:
        if link.node == victim:
            _kill(link, kinds, where)
            link.meet('killed')
            with Half(link, kinds[link.node], where[link.node]) as half:
                region, far = half.filled(2 * SIZE)
                goes_on(half, half.end(), region, far, 'after it')
                link.meet('done')
            continue
        with Half(link, kinds[link.node], where[link.node]) as half:
            mine, far = half.filled(SIZE)
            end = half.end(hasty=True)
            equal(link.hear(), 'busy', 'step of the other node')
            stream = Stream(end, e.IBV_WR_RDMA_WRITE, mine, far)
            stream.run(4)
            link.tell('busy')
            stream.fail('RETRY_EXC_ERR')
            link.meet('killed')
            same(mine, 0, pattern(link.node, '', SIZE))
        with Half(link, kinds[link.node], where[link.node]) as half:
            region, far = half.filled(2 * SIZE)
            goes_on(half, half.end(), region, far, 'after it')
            link.meet('done')


CASES = [
    ('revoked during WRITE', revoked_write),
    ('revoked during READ', revoked_read),
    ('revoked before a message', revoked_receive),
    ('revoked by who writes', revoked_own),
    ('killed during WRITE and READ', killed),
]
