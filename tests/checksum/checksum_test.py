#!/usr/bin/env python3
"""Tests of lastly-checksum:  checksum_test.py PROGRAM [name of a test ...]

Every run of the program has a temporary directory of its own, which must be empty afterwards, and must account for
every task: each test ends by looking at both. The last line reads `N passed, N failed`.
"""
import os
import sys
import unittest

sys.dont_write_bytecode = True      # nothing is written beside the sources

import bar_test
import deadline_test
import errors_test
import hashing_test
import options_test
import stopping_test
import support
import walk_test


def main():
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        print("usage: checksum_test.py PROGRAM [name of a test ...]", file=sys.stderr)
        return 2
    support.PROGRAM = os.path.abspath(sys.argv[1])
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in sys.argv[2:]] or None
    suite = unittest.TestSuite()
    for module in (hashing_test, walk_test, stopping_test, deadline_test, errors_test, options_test, bar_test):
        suite.addTests(loader.loadTestsFromModule(module))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    cases = lambda outcomes: len({str(getattr(test, "test_case", test)) for test, _ in outcomes})   # not their parts
    failed = cases(result.failures + result.errors)
    print(f"{result.testsRun - failed - cases(result.skipped)} passed, {failed} failed")
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
