# SPDX-License-Identifier: GPL-2.0
"""Cases of ops.py: who may use a region, for what, and until when."""

import os
import signal
import traceback

import pyverbs.enums as e
from pyverbs.mr import MW, MWBind, MWBindInfo
from pyverbs.wr import SendWR

import ktap
import raw
from ktap import check, equal
from verbs import LOCAL, REMOTE, in_world, pages, status

SIZE = pages(16)
WINDOW = REMOTE | e.IBV_ACCESS_MW_BIND


@in_world
def rights(w):
    """Without the right to it, nothing is done, and nothing is written."""
    src = w.random(SIZE)
    none = w.region(SIZE, 0)
    local = w.region(SIZE, LOCAL)
    reader = w.region(SIZE, e.IBV_ACCESS_REMOTE_READ)
    for region in none, local, reader:
        a, _ = w.pair()
        a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(region, 0),
              want=e.IBV_WC_REM_ACCESS_ERR)
        a, _ = w.pair()
        a.run(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (src, 0, 8), remote=(region, 0), atomic=(1, 0),
              want=e.IBV_WC_REM_ACCESS_ERR)
        check(not any(region.data), 'it was written')
    for region in none, local:
        a, _ = w.pair()
        a.run(e.IBV_WR_RDMA_READ, (src, 0, 5000), remote=(region, 0),
              want=e.IBV_WC_REM_ACCESS_ERR)
    a, _ = w.pair()
    a.run(e.IBV_WR_RDMA_READ, (src, 0, 5000), remote=(reader, 0))
    check(not any(src.data[:5000]), 'it was not read')


@in_world
def local_rights(w):
    """To be read locally takes no right, to be written does."""
    src, none = w.random(SIZE), w.region(SIZE, 0)
    a, _ = w.pair()
    a.run(e.IBV_WR_RDMA_WRITE, (none, 0, 5000), remote=(src, 0))
    a.run(e.IBV_WR_RDMA_READ, (none, 0, 5000), remote=(src, 0), want=e.IBV_WC_LOC_PROT_ERR)
    check(not any(none.data), 'it was written')
    a, b = w.pair()
    b.post_recv((none, 0, 5000))
    a.run(e.IBV_WR_SEND, (src, 0, 5000), want=e.IBV_WC_REM_OP_ERR)
    # By the book LOC_PROT_ERR; rxe says so in another way.
    wc = b.next('an error of the receiver')
    check(wc.status in (e.IBV_WC_LOC_PROT_ERR, e.IBV_WC_LOC_QP_OP_ERR), status(wc.status))
    check(not any(none.data), 'it was written')


@in_world
def domains(w):
    """One buffer in two protection domains: each queue pair uses its own one's."""
    other = w.domain()
    memory, src = w.memory(SIZE), w.random(SIZE)
    mine, theirs = w.register(memory), w.register(memory, pd=other)
    a, _ = w.pair()
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(mine, 0))
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(theirs, 0),
          want=e.IBV_WC_REM_ACCESS_ERR)
    a, _ = w.pair()
    a.post(e.IBV_WR_RDMA_WRITE, (theirs, 0, 5000), remote=(src, 0))
    a.fails_here()
    a, _ = w.pair(pd=other)
    a.run(e.IBV_WR_RDMA_READ, (theirs, 5000, 5000), remote=(theirs, 0))
    equal(bytes(memory.data[5000:10000]), bytes(src.data[:5000]), 'data')


@in_world
def rereg(w):
    other = w.domain()
    memory, src = w.memory(SIZE), w.random(SIZE)
    region = w.register_at(memory, 0x10000)
    a, _ = w.pair()
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(region, 0))
    region.mr.rereg(raw.REREG_PD, other, 0)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(region, 0),
          want=e.IBV_WC_REM_ACCESS_ERR)
    there = w.register(w.memory(SIZE), pd=other)
    a, _ = w.pair(pd=other)
    a.run(e.IBV_WR_RDMA_WRITE, (there, 0, 5000), remote=(region, 0))
    check(not any(memory.data[:5000]), 'nothing was written')
    region.mr.rereg(raw.REREG_ACCESS, other, LOCAL)
    a.run(e.IBV_WR_RDMA_WRITE, (there, 0, 5000), remote=(region, 0),
          want=e.IBV_WC_REM_ACCESS_ERR)
    region.mr.rereg(raw.REREG_ACCESS, other, REMOTE)
    a, _ = w.pair(pd=other)
    a.run(e.IBV_WR_RDMA_WRITE, (there, 0, 5000), remote=(region, 0))


@in_world
def local_invalidate(w):
    """Only what a work request registered may be invalidated by one."""
    region, src = w.region(SIZE), w.random(SIZE)
    a, _ = w.pair(ops=e.IBV_QP_EX_WITH_LOCAL_INV | e.IBV_QP_EX_WITH_RDMA_WRITE)
    a.qp.wr_start()
    a.qp.wr_id, a.qp.wr_flags = 1, e.IBV_SEND_SIGNALED
    a.qp.wr_local_inv(region.rkey)
    a.qp.wr_complete()
    a.fails_here()
    a, _ = w.pair()
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(region, 0))


class Window:
    """A part of a region as seen through a memory window."""

    def __init__(self, rkey, base):
        self.rkey, self.base = rkey, base


@in_world
def window_1(w):
    src, region = w.random(SIZE), w.region(SIZE, WINDOW)
    a, b = w.pair()
    mw = MW(w.pd, e.IBV_MW_TYPE_1)
    info = MWBindInfo(region.mr, region.base + 4000, 6000, e.IBV_ACCESS_REMOTE_WRITE)
    b.qp.bind_mw(mw, MWBind(info, e.IBV_SEND_SIGNALED))
    b.done(what='binding')
    window = Window(mw.rkey, region.base + 4000)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 6000), remote=(window, 0))
    equal(bytes(region.data[4000:10000]), bytes(src.data[:6000]), 'data')
    # rxe checks the bounds of the region, and not those of the window.
    a.run(e.IBV_WR_RDMA_READ, (src, 0, 2), remote=(window, 0), want=e.IBV_WC_REM_ACCESS_ERR)
    check(not any(region.data[10000:]), 'more was written')
    mw.close()


def bind_2(b, mw, region):
    wr = SendWR(opcode=e.IBV_WR_BIND_MW, num_sge=0, send_flags=e.IBV_SEND_SIGNALED)
    wr.set_bind_wr(mw, MWBindInfo(region.mr, region.base + 8, 5000, e.IBV_ACCESS_REMOTE_WRITE |
                                  e.IBV_ACCESS_REMOTE_READ))
    b.qp.post_send(wr, None)
    b.done(what='binding')
    return Window(wr.rkey, region.base + 8)


@in_world
def window_2(w):
    src, region = w.random(SIZE), w.region(SIZE, WINDOW)
    mw = MW(w.pd, e.IBV_MW_TYPE_2)
    a, b = w.pair()
    window = bind_2(b, mw, region)
    a.run(e.IBV_WR_RDMA_WRITE, (src, 0, 5000), remote=(window, 0))
    equal(bytes(region.data[8:5008]), bytes(src.data[:5000]), 'data')
    # The other end may take it away, and then it is nobody's.
    b.post_recv()
    a.post(e.IBV_WR_SEND_WITH_INV, imm=window.rkey)
    a.done(what='SEND with invalidate')
    b.done(what='the receiver')
    a.run(e.IBV_WR_RDMA_READ, (src, 0, 8), remote=(window, 0), want=e.IBV_WC_REM_ACCESS_ERR)
    mw.close()


@in_world
def dereg_busy(w):
    """Deregistered while the other end writes to it and reads from it."""
    src = w.random(SIZE)
    for opcode in e.IBV_WR_RDMA_WRITE, e.IBV_WR_RDMA_READ:
        a, _ = w.pair()
        region = w.region(pages(256))
        n = 32
        for i in range(n):
            a.post(opcode, (src, 0, SIZE), remote=(region, 0), wr_id=i)
        a.done(what='the first request')
        key = region.rkey
        region.close()
        wcs = [a.next() for _ in range(n - 1)]
        seen = [wc.status for wc in wcs if wc.status != e.IBV_WC_SUCCESS]
        check(not seen or seen[0] == e.IBV_WC_REM_ACCESS_ERR, status((seen or [0])[0]))
        check(all(s == e.IBV_WC_WR_FLUSH_ERR for s in seen[1:]),
              ' '.join(map(status, seen[1:])))
        a, _ = w.pair()
        a.run(opcode, (src, 0, 8), remote=(Window(key, region.base), 0),
              want=e.IBV_WC_REM_ACCESS_ERR)


@in_world
def killed(w):
    """A process dies with everything open while its queue pairs are busy."""
    rd, wr = os.pipe()
    child = os.fork()
    if not child:
        try:
            _busy_for_ever(w, wr)
        except BaseException:
            ktap.comment(traceback.format_exc())
        os._exit(1)
    os.close(wr)
    started = os.read(rd, 1)
    os.kill(child, signal.SIGKILL)
    _, code = os.waitpid(child, 0)
    os.close(rd)
    equal(started, b'.', 'the sign that it was busy')
    equal(os.WTERMSIG(code), signal.SIGKILL, 'what it died of')


def _busy_for_ever(parent, pipe):
    """Nothing of the parent's is used: its verbs objects are no child's."""
    from verbs import World
    w = World(parent.kind, parent.place)
    a, _ = w.pair()
    src, dst = w.random(SIZE), w.region(SIZE)
    for _ in range(16):
        a.post(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
    for i in range(1 << 30):
        a.done()
        a.post(e.IBV_WR_RDMA_WRITE, (src, 0, SIZE), remote=(dst, 0))
        if i == 8:
            os.write(pipe, b'.')


WINDOWS = window_1, window_2
CASES = [
    ('rights of the other end', rights),
    ('rights of its own end', local_rights),
    ('one buffer in two protection domains', domains),
    ('registered again', rereg),
    ('local invalidation is refused', local_invalidate),
    ('memory windows of type 1', window_1),
    ('memory windows of type 2', window_2),
    ('deregistered while busy', dereg_busy),
    ('killed while busy', killed),
]
