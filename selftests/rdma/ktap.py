# SPDX-License-Identifier: GPL-2.0
"""KTAP for the tests that are Python programs."""

import sys
import time
import traceback


class Skip(Exception):
    """What the case needs is not there; the message names it."""


_cases = []


def add(name, function, *args):
    _cases.append((name, function, args))


def check(good, text):
    if not good:
        raise AssertionError(text)


def equal(got, want, what):
    if got != want:
        raise AssertionError(f'{what}: {got}, expected {want}')


def comment(text):
    for line in str(text).splitlines():
        print('#', line, flush=True)


def run(only=''):
    """Run what was added, of a name with `only` in it, and exit with its result."""
    cases = [c for c in _cases if only in c[0]]
    failed = 0
    print(f'TAP version 13\n1..{len(cases)}', flush=True)
    for n, (name, function, args) in enumerate(cases, 1):
        start = time.monotonic()
        try:
            function(*args)
            print(f'ok {n} {name}', flush=True)
        except Skip as e:
            print(f'ok {n} {name} # SKIP {e}', flush=True)
        except Exception:
            comment(traceback.format_exc())
            print(f'not ok {n} {name}', flush=True)
            failed += 1
        if time.monotonic() - start > 10:
            comment(f'that took {time.monotonic() - start:.0f} s')
    comment(f'Totals: pass:{len(cases) - failed} fail:{failed}')
    sys.exit(1 if failed else 0)
