"""Tests of `run`."""

import fixture


class run(fixture.lint_case):
    program = 'run'

    def test_a_clean_tree_passes(self):
        code, lines, _ = self.run_lint()
        self.assertEqual(code, 0, '\n'.join(lines))
        self.assertEqual([line.split(':')[0] for line in lines], ['layers', 'orders', 'mirror', 'size', 'addresses', 'lint'])
        self.assertEqual(lines[-1], 'lint: 5 of 5 passed; locks not run: no --library')

    def test_one_failure_fails_all(self):
        self.write('core/base/x.hpp', '#include "core/base/x.hpp"\n')
        code, lines, _ = self.run_lint()
        self.assertEqual(code, 1)
        self.assertIn('3 of 5 passed, failed: layers mirror;', lines[-1])

    def test_a_library_that_is_none(self):
        code, lines, errors = self.run_lint('--library', 'nonexistent.a')
        self.assertEqual(code, 1)
        self.assertIn('nonexistent.a is no file', errors)
        self.assertEqual(lines[-1], 'lint: 5 of 6 passed, failed: locks')
