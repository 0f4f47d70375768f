# SPDX-License-Identifier: GPL-2.0
"""Cases of peers.py: buffers that move at both nodes while these stream into and out of
each other's."""

import pyverbs.enums as e

import ktap
from ktap import check, equal
from memory import places
from moves import Mover
from nodes import at_once, both_ways, pattern
from ops import number, same
from verbs import pages

SIZE = pages(64)
PARTS = 8
ROUNDS = 6
MOVES = 24              # at least so many at each node, however many rounds that takes


def stream(end, opcode, local, far=None):
    """Several requests under way at once, for all of a region."""
    for at in range(0, SIZE, SIZE // PARTS):
        end.post(opcode, (local, at, SIZE // PARTS), remote=(far, at) if far else None)
    for _ in range(PARTS):
        end.done()


def rounds(half, mover, one):
    """Until both nodes have done and moved enough."""
    n, going = 0, True
    while going:
        one(n)
        n += 1
        check(not mover.error, mover.error)
        going = n < ROUNDS or mover.moves < MOVES
        going = half.link.swap(going) or going
    ktap.comment(f'{n} rounds, {mover.moves} moves')


@at_once
def while_writing(half):
    """New data goes to the other node in each round, is checked there, and read back."""
    end = half.end()
    src, dst, back = half.region(SIZE), half.region(SIZE), half.region(SIZE)
    far = half.trade(dst)

    def one(n):
        src.data[:] = pattern(half.node, n, SIZE)
        stream(end, e.IBV_WR_RDMA_WRITE, src, far)
        half.link.meet(f'{n} written')
        same(dst, 0, pattern(half.peer, n, SIZE), f'round {n}')
        stream(end, e.IBV_WR_RDMA_READ, back, far)
        same(back, 0, pattern(half.node, n, SIZE), f'read back in round {n}')
        equal([r.memory.pins() for r in (src, dst, back)], [0, 0, 0], 'pins')
        half.link.meet(f'{n} read')

    with Mover([r.memory for r in (src, dst, back)]) as mover:
        rounds(half, mover, one)


@at_once
def while_sending(half):
    end = half.end()
    src, dst = half.region(SIZE), half.region(SIZE)

    def one(n):
        src.data[:] = pattern(half.node, n, SIZE)
        dst.data[:] = bytes(SIZE)
        for at in range(0, SIZE, SIZE // PARTS):
            end.post_recv((dst, at, SIZE // PARTS))
        half.link.meet(f'{n} ready')
        for at in range(0, SIZE, SIZE // PARTS):
            end.post(e.IBV_WR_SEND, (src, at, SIZE // PARTS))
        for _ in range(2 * PARTS):
            end.done(what='a message')
        same(dst, 0, pattern(half.peer, n, SIZE), f'round {n}')
        half.link.meet(f'{n} received')

    with Mover([src.memory, dst.memory]) as mover:
        rounds(half, mover, one)


@at_once
def while_counting(half):
    """No addition is lost, nor made twice, where many are under way."""
    end = half.end()
    old, sum_ = half.region(pages(1)), half.region(pages(8))
    far = half.trade(sum_)
    done = 0

    def one(_):
        nonlocal done
        for i in range(16):
            end.post(e.IBV_WR_ATOMIC_FETCH_AND_ADD, (old, 8 * i, 8), remote=(far, 8000),
                     atomic=(1, 0))
        for _ in range(16):
            end.done()
        equal([number(old, 8 * i) for i in range(16)], list(range(done, done + 16)),
              'what was there before')
        done += 16

    with Mover([old.memory, sum_.memory]) as mover:
        rounds(half, mover, one)
    half.link.meet('counted')
    equal(number(sum_, 8000), half.link.swap(done), 'sum')


@both_ways
def between(half, asks):
    """Written before the move and read after it, from every place to every other."""
    end, (mine, far) = half.end(), half.filled(SIZE)
    for here in places():
        for there in places():
            what = f'{here} to {there}'
            mine.memory.move(here)
            if asks:
                mine.data[:] = pattern(half.node, what, SIZE)
            half.link.meet(what)
            if asks:
                end.run(e.IBV_WR_RDMA_WRITE, (mine, 0, SIZE), remote=(far, 0))
            half.link.meet('written')
            mine.memory.move(there)
            if not asks:
                equal(mine.memory.info().placement, there, 'place')
                same(mine, 0, pattern(half.peer, what, SIZE), what)
                mine.data[:] = pattern(half.node, what, SIZE)
            half.link.meet('moved')
            if asks:
                end.run(e.IBV_WR_RDMA_READ, (mine, 0, SIZE), remote=(far, 0))
                same(mine, 0, pattern(half.peer, what, SIZE), f'read after {what}')


CASES = [
    ('moved between WRITE and READ', between),
    ('moves during WRITE and READ', while_writing),
    ('moves during SEND', while_sending),
    ('moves during FETCH_ADD', while_counting),
]
