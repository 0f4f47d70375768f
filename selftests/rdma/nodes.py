# SPDX-License-Identifier: GPL-2.0
"""Two nodes that run the same cases at the same time: how they speak to each other, and
what each of them has in a case. See Documentation/testing.rst for the environment."""

import functools
import json
import os
import random
import socket
import subprocess
import types

from pyverbs.addr import GID, AHAttr, GlobalRoute

from ktap import equal
from verbs import LIMIT, End, World

PORT = 7100
# Without an answer for 7 times 4.096 us * 2 ** timeout the other node is dead. Of what is
# not to fail, 7 retries are for ever in rxe: a guest may get no processor for a while.
HASTY = {'timeout': 18, 'retry': 6}


class Link:
    """A connection of TCP to the other node, which runs the same cases in the same order.
    A case that fails on one of them fails on both."""

    def __init__(self):
        self.node = int(os.environ['NODE'])
        self.peer = 1 - self.node
        if self.node == 0:
            listener = socket.create_server((os.environ['ADDRESS'], PORT))
        subprocess.run(['barrier', 'listening'], check=True)
        if self.node == 0:
            self.socket = listener.accept()[0]
            listener.close()
        else:
            self.socket = socket.create_connection((os.environ['PEER'], PORT), LIMIT)
        # The node that loses something is to say so, not the one that waits for it.
        self.socket.settimeout(2 * LIMIT)
        # Without a buffer, of which a child would have a copy.
        self.lines = self.socket.makefile('rb', buffering=0)
        self.over = None

    def _write(self, kind, what):
        self.socket.sendall(json.dumps([kind, what]).encode() + b'\n')

    def _read(self):
        line = b''
        try:
            line = self.lines.readline()
        except OSError as x:
            print('#', x)
        if not line:
            # Nothing that comes after it would mean anything.
            raise SystemExit('# the other node does not answer')
        kind, what = json.loads(line)
        if kind == 'end':
            self.over = what
        return kind, what

    def tell(self, what):
        self._write('say', what)

    def hear(self):
        kind, what = self._read()
        if kind == 'end':
            raise AssertionError(f'the other node ended the case: {what}')
        return what

    def swap(self, what):
        self.tell(what)
        return self.hear()

    def meet(self, step):
        """Returns when the other node has come to this step, too."""
        equal(self.swap(step), step, 'step of the other node')

    def case(self, function, *args):
        """Run a case, and fail when the other node's part of it does."""
        self.over = failed = None
        try:
            function(self, *args)
        except Exception as x:
            failed = x
        self._write('end', repr(failed) if failed else '')
        while self.over is None:
            self._read()
        if failed:
            raise failed
        if self.over:
            raise AssertionError(f'node {self.peer}: {self.over}')


def pattern(node, what, length):
    """Bytes that nothing else has, and that both nodes know."""
    return random.Random(f'{node} {what}').randbytes(length)


class Half(World):
    """What one of the nodes has in a case: a world whose queue pairs lead to the other."""

    def __init__(self, link, kind, place):
        super().__init__(kind, place)
        self.link, self.node, self.peer = link, link.node, link.peer
        there = GID(link.swap(str(self.ctx.query_gid(1, self.gid))))
        route = GlobalRoute(dgid=there, sgid_index=self.gid, hop_limit=64)
        self.ah_attr = AHAttr(is_global=1, port_num=1, gr=route)

    def end(self, *kind, ops=0, hasty=False):
        """A queue pair that is connected to the one the other node makes here."""
        end = End(self, *kind, ops=ops)
        self.keep.append(end)
        number = self.link.swap(end.qp.qp_num)
        end.far = types.SimpleNamespace(qp=types.SimpleNamespace(qp_num=number))
        end.connect(end.far, **(HASTY if hasty else {}))
        self.link.meet('connected')
        return end

    def register(self, *args, **kwargs):
        """Regions stay as long as the other node may use them."""
        region = super().register(*args, **kwargs)
        self.keep.append(region)
        return region

    def trade(self, region):
        """The other node's region: what it takes to reach it from here."""
        rkey, base = self.link.swap((region.rkey, region.base))
        return types.SimpleNamespace(rkey=rkey, base=base)

    def filled(self, length, what='', **args):
        """A region with this node's pattern, and the other node's of the same kind."""
        region = self.region(length, **args)
        region.data[:] = pattern(self.node, what, length)
        return region, self.trade(region)


def both_ways(function):
    """A case in which one node asks for something and the other has it, in both orders:
    gets this node's half and whether it asks."""

    @functools.wraps(function)
    def case(link, kinds, where):
        for asks in 0, 1:
            with Half(link, kinds[link.node], where[link.node]) as half:
                function(half, link.node == asks)
                link.meet('done')
    return case


def at_once(function):
    """A case in which both nodes do the same."""

    @functools.wraps(function)
    def case(link, kinds, where):
        with Half(link, kinds[link.node], where[link.node]) as half:
            function(half)
            link.meet('done')
    return case
