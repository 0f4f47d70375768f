# SPDX-License-Identifier: GPL-2.0
"""Queue pairs of one rxe device that talk to each other, and the memory they use."""

import functools
import os
import time

import pyverbs.enums as e
from pyverbs.addr import AH, AHAttr, GlobalRoute
from pyverbs.cq import CQ
from pyverbs.device import Context
from pyverbs.mr import MR, DmaBufMR
from pyverbs.pd import PD
from pyverbs.qp import QP, QPAttr, QPCap, QPEx, QPInitAttr, QPInitAttrEx
from pyverbs.srq import SRQ, SrqAttr, SrqInitAttr
from pyverbs.wr import SGE, RecvWR, SendWR

import raw
from ktap import check, equal
from memory import PAGE, Anonymous, Buffer, live_buffers

DEVICE = os.environ.get('RDMA_DEVICE', 'rxe0')
LIMIT = 60              # seconds until something that must come counts as lost
LOCAL = e.IBV_ACCESS_LOCAL_WRITE
REMOTE = (LOCAL | e.IBV_ACCESS_REMOTE_READ | e.IBV_ACCESS_REMOTE_WRITE |
          e.IBV_ACCESS_REMOTE_ATOMIC)
QKEY = 0x1234


def status(number):
    """The name of a completion's status."""
    names = ('SUCCESS', 'LOC_LEN_ERR', 'LOC_QP_OP_ERR', 'LOC_EEC_OP_ERR', 'LOC_PROT_ERR',
             'WR_FLUSH_ERR', 'MW_BIND_ERR', 'BAD_RESP_ERR', 'LOC_ACCESS_ERR',
             'REM_INV_REQ_ERR', 'REM_ACCESS_ERR', 'REM_OP_ERR', 'RETRY_EXC_ERR',
             'RNR_RETRY_EXC_ERR')
    return names[number] if number < len(names) else f'status {number}'


def until(condition, what):
    deadline = time.monotonic() + LIMIT
    while True:
        got = condition()
        if got:
            return got
        check(time.monotonic() < deadline, f'{what} did not come in {LIMIT} s')
        os.sched_yield()


class Region:
    """A registered part of a memory. Byte 0 of it is `base` on the wire."""

    def __init__(self, mr, memory, offset, length, base):
        self.mr, self.memory, self.base = mr, memory, base
        self.offset, self.length = offset, length

    @property
    def lkey(self):
        return self.mr.lkey

    @property
    def rkey(self):
        return self.mr.rkey

    @property
    def data(self):
        return self.memory.data[self.offset:self.offset + self.length]

    def close(self):
        self.mr.close()


class End:
    """One queue pair with its own completion queue."""

    def __init__(self, world, kind=e.IBV_QPT_RC, pd=None, srq=None, ops=0, depth=64):
        self.world, self.kind = world, kind
        self.cq = CQ(world.ctx, 2 * depth)
        cap = QPCap(max_send_wr=depth, max_recv_wr=0 if srq else depth, max_send_sge=4,
                    max_recv_sge=0 if srq else 4)
        pd = pd or world.pd
        if ops:
            init = QPInitAttrEx(qp_type=kind, scq=self.cq, rcq=self.cq, srq=srq, cap=cap,
                                pd=pd, send_ops_flags=ops, comp_mask=e.IBV_QP_INIT_ATTR_PD |
                                e.IBV_QP_INIT_ATTR_SEND_OPS_FLAGS)
            self.qp = QPEx(world.ctx, init)
        else:
            init = QPInitAttr(qp_type=kind, scq=self.cq, rcq=self.cq, srq=srq, cap=cap)
            self.qp = QP(pd, init)
        self.srq = srq

    def connect(self, other, rnr_retry=7, timeout=14, retry=7):
        attr = QPAttr(port_num=1)
        attr.qp_access_flags = 0 if self.kind == e.IBV_QPT_UD else REMOTE | \
            e.IBV_ACCESS_MW_BIND | e.IBV_ACCESS_FLUSH_GLOBAL
        if self.kind == e.IBV_QPT_UC:
            attr.qp_access_flags = LOCAL | e.IBV_ACCESS_REMOTE_WRITE
        if self.kind == e.IBV_QPT_UD:
            attr.qkey = QKEY
            self.qp.to_rts(attr)
            return
        attr.ah_attr = self.world.ah_attr
        attr.path_mtu = e.IBV_MTU_1024
        attr.dest_qp_num = other.qp.qp_num
        attr.max_rd_atomic = attr.max_dest_rd_atomic = 16
        attr.min_rnr_timer = 1
        attr.timeout, attr.retry_cnt, attr.rnr_retry = timeout, retry, rnr_retry
        self.qp.to_rts(attr)

    def post_recv(self, *pieces, wr_id=0):
        """Post a receive request; without a piece, for what brings no data."""
        pieces = pieces or ((self.world.nowhere(), 0, 8),)
        wr = RecvWR(wr_id=wr_id, num_sge=len(pieces), sg=_sges(pieces))
        (self.srq or self.qp).post_recv(wr, None)

    def post(self, opcode, *pieces, remote=None, imm=0, atomic=None, wr_id=0, ud=None,
             fenced=False):
        """Post a send request. A piece is (region, offset, length); `remote` is
        (region, offset), or anything with an rkey and a base."""
        flags = e.IBV_SEND_SIGNALED | (e.IBV_SEND_FENCE if fenced else 0)
        wr = SendWR(wr_id=wr_id, opcode=opcode, num_sge=len(pieces), sg=_sges(pieces),
                    imm_data=imm, send_flags=flags)
        if atomic:
            wr.set_wr_atomic(remote[0].rkey, remote[0].base + remote[1], *atomic)
        elif remote:
            wr.set_wr_rdma(remote[0].rkey, remote[0].base + remote[1])
        if ud:
            wr.set_wr_ud(self.world.ah(), ud.qp.qp_num, QKEY)
        self.qp.post_send(wr, None)

    def next(self, what='a completion'):
        return until(lambda: self.cq.poll()[1], what)[0]

    def done(self, want=e.IBV_WC_SUCCESS, what='the request'):
        wc = self.next(f'the completion of {what}')
        equal(status(wc.status), status(want), what)
        return wc

    def fails_here(self):
        """An error of its own end, whose cause rxe loses when the flush of the queue that
        follows is faster."""
        wc = self.next('an error')
        check(wc.status in (e.IBV_WC_LOC_PROT_ERR, e.IBV_WC_LOC_QP_OP_ERR,
                            e.IBV_WC_WR_FLUSH_ERR), status(wc.status))

    def run(self, opcode, *pieces, want=e.IBV_WC_SUCCESS, **args):
        self.post(opcode, *pieces, **args)
        return self.done(want)

    def state(self):
        return self.qp.query(e.IBV_QP_STATE)[0].qp_state

    def close(self):
        self.qp.close()
        self.cq.close()


def _sges(pieces):
    return [SGE(region.base + offset, length, region.lkey)
            for region, offset, length in pieces] or None


class World:
    """What one case has: a context of the device, and memory of one kind at one place."""

    def __init__(self, kind='dmabuf', place=''):
        self.kind, self.place = kind, place
        self.memories, self.raws, self.keep = [], [], []
        self.before = live_buffers()
        self.ctx = Context(name=DEVICE)
        self.pd = PD(self.ctx)
        self.gid = until(self._gid, 'a GID of the device')
        route = GlobalRoute(dgid=self.ctx.query_gid(1, self.gid), sgid_index=self.gid,
                            hop_limit=64)
        self.ah_attr = AHAttr(is_global=1, port_num=1, gr=route)

    def _gid(self):
        """Index of the address that the test's network device was given."""
        for i in range(1, 8):
            if '0000:ffff' in str(self.ctx.query_gid(1, i)):
                return i
        return 0

    def ah(self):
        self.keep.append(AH(self.pd, attr=self.ah_attr))
        return self.keep[-1]

    def domain(self):
        self.keep.append(PD(self.ctx))
        return self.keep[-1]

    def memory(self, length, place=None):
        if self.kind == 'user':
            memory = Anonymous(length)
        else:
            memory = Buffer(length, self.place if place is None else place)
        self.memories.append(memory)
        return memory

    def register(self, memory, access=REMOTE, offset=0, length=None, pd=None, kind=None):
        """A memory region as applications of this kind make it."""
        length = memory.length - offset if length is None else length
        if (kind or self.kind) == 'dmabuf':
            mr = DmaBufMR(pd or self.pd, length, access, dmabuf=memory.fd, offset=offset)
            return Region(mr, memory, offset, length, offset)
        mr = MR(pd or self.pd, length, access, address=memory.address + offset)
        return Region(mr, memory, offset, length, memory.address + offset)

    def register_at(self, memory, iova, access=REMOTE, offset=0, length=None, pd=None):
        """The same with an I/O virtual address, by the kernel's own calls."""
        length = memory.length - offset if length is None else length
        if self.kind == 'dmabuf':
            mr = raw.reg_dmabuf_mr(self.ctx, pd or self.pd, offset, length, iova, memory.fd,
                                   access)
        else:
            mr = raw.reg_mr(self.ctx, pd or self.pd, memory.address + offset, length, iova,
                            access)
        self.raws.append(mr)
        return Region(mr, memory, offset, length, iova)

    def region(self, length, access=REMOTE):
        return self.register(self.memory(length), access)

    def nowhere(self):
        """Where nothing arrives: pyverbs wants some place to receive to."""
        memory = Anonymous(PAGE)
        self.memories.append(memory)
        return self.register(memory, kind='user')

    def random(self, length):
        """A region full of bytes that nothing else has."""
        region = self.region(length)
        region.data[:] = os.urandom(length)
        return region

    def pair(self, kind=e.IBV_QPT_RC, **args):
        rnr_retry = args.pop('rnr_retry', 7)
        ends = End(self, kind, **args), End(self, kind, **args)
        self.keep += ends       # one that nobody refers to is destroyed
        ends[0].connect(ends[1], rnr_retry)
        ends[1].connect(ends[0], rnr_retry)
        return ends

    def shared_queue(self):
        return SRQ(self.pd, SrqInitAttr(SrqAttr(max_wr=32, max_sge=4)))

    def close(self):
        pins = [m.pins() for m in self.memories]
        for mr in self.raws:
            mr.close()
        self.keep.clear()
        self.ctx.close()
        for memory in self.memories:
            memory.close()
        equal(live_buffers(), self.before, 'buffers alive behind the case')
        check(not any(pins), f'pins: {pins}')

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        try:
            self.close()
        except Exception:
            # What failed is what counts, not that things are still in use then.
            if not failed:
                raise


def in_world(function):
    """A case: gets a world of its own, which leaves nothing behind."""

    @functools.wraps(function)
    def case(kind, place=''):
        with World(kind, place) as world:
            function(world)
    return case


def pages(n, extra=0):
    return n * PAGE + extra
