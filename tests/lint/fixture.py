"""A small tree for the lints to look at, in a temporary folder, and the call of a lint on it.

`clean` is a library of a few lines that keeps all rules. A case plants one violation and says where it must be found;
nothing else may be, so a case fails on a false alarm as well as on a miss.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

here = os.path.dirname(os.path.realpath(__file__))
lint_folder = os.path.join(os.path.dirname(os.path.dirname(here)), 'tools', 'lint')

clean = {
    'core/base/futex.hpp': '#pragma once\n#include <cstdint>\nnamespace lastly::base { void wait(std::uint32_t& word); }\n',
    'core/base/futex.cpp': '#include "core/base/futex.hpp"\n#include <sys/mman.h>\n#if defined(__linux__)\n#endif\n'
                           'namespace lastly::base { void wait(std::uint32_t&) { ::munmap(nullptr, 0); } }\n',
    'core/structures/deque.hpp': '''// The owner's end and the thieves'.
#pragma once
#include "core/base/futex.hpp"
#include "lastly/detail/atomic.hpp"
namespace lastly::structures {
class deque {
public:
    void push(long b) {
        bottom_.store(b + 1, release);   // order: [D1] publishes slot b; read by steal()'s acquire of bottom_
    }
    long steal() {
        // order: [D1] sees the slot that push() wrote
        return bottom_.load(acquire) - top_.load(relaxed);
    }
private:
    detail::atomic<long> top_{0}, bottom_{0};
};
}
''',
    'core/structures/README.md': '# Structures\n\n| edge | writer | reader |\n|---|---|---|\n| [D1] | push | steal |\n',
    'core/report/sink.hpp': '#pragma once\n#include <mutex>\n#include "lastly/error.hpp"\n',
    'core/task/run.cpp': '#include "core/report/sink.hpp"\n#include "core/structures/deque.hpp"\n#include "lastly/detail/frame.hpp"\n'
                         'void run() { try { go(); } catch (...) { } }\n',
    'core/sched/worker.hpp': '#pragma once\n#include "core/structures/deque.hpp"\n#include "lastly/options.hpp"\n',
    'core/process/signals.cpp': '#include "core/sched/worker.hpp"\n',
    'core/api/pool.cpp': '#include "core/process/exit.hpp"\n#include "core/sched/worker.hpp"\n#include "lastly/pool.hpp"\n',
    'core/process/exit.hpp': '#pragma once\n#include "core/sched/worker.hpp"\n',
    'include/lastly/detail/atomic.hpp': '#pragma once\n#include <atomic>\nnamespace lastly::detail {\n'
                                        'template <class T> class atomic { T load(int o) { return v.load(o); } std::atomic<T> v; };\n}\n',
    'include/lastly/detail/frame.hpp': '#pragma once\n#include <cxxabi.h>\n#include "lastly/outcome.hpp"\n',
    'include/lastly/error.hpp': '#pragma once\n#include <system_error>\n',
    'include/lastly/outcome.hpp': '#pragma once\n#include <lastly/error.hpp>\n',
    'include/lastly/options.hpp': '#pragma once\n#include <chrono>\n',
    'include/lastly/pool.hpp': '#pragma once\n#include "lastly/detail/frame.hpp"\n#include "lastly/options.hpp"\n',
}
for unit in sorted({path.rsplit('.', 1)[0] for path in clean if path.endswith(('.cpp', '.hpp'))}):
    clean[f'tests/{unit.split("/", 1)[1]}_test.cpp'] = 'TEST_CASE("unit: it does what it says") { CHECK(true); }\n'


class lint_case(unittest.TestCase):
    """A test on a tree of its own; `program` is the lint it is about."""

    program = ''

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix='lint-')
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in clean.items():
            self.write(path, text)

    def write(self, path, text):
        whole = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, 'w', encoding='utf-8') as file:
            file.write(text)

    def edit(self, path, old, new):
        """Replaces text that must be there."""
        with open(os.path.join(self.root, path), encoding='utf-8') as file:
            text = file.read()
        self.assertIn(old, text)
        self.write(path, text.replace(old, new))

    def remove(self, path):
        os.remove(os.path.join(self.root, path))

    def run_lint(self, *arguments, program=None):
        """(exit code, lines printed, text of stderr)"""
        done = subprocess.run([sys.executable, os.path.join(lint_folder, program or self.program), '--root', self.root, *arguments],
                              capture_output=True, text=True, check=False)
        self.assertNotIn('Traceback', done.stderr)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def expect_clean(self, *arguments):
        code, lines, errors = self.run_lint(*arguments)
        self.assertEqual((code, errors), (0, ''), '\n'.join(lines))
        self.assertRegex(lines[-1], rf'^{self.program}: \d+ \w+, no finding$')

    def expect(self, *wanted, arguments=()):
        """Each of `wanted` is (start of the line, phrase in it); there must be these findings and no others."""
        code, lines, errors = self.run_lint(*arguments)
        told = [line for line in lines if not line.startswith(self.program + ': ')]
        self.assertEqual((code, errors), (1, ''), '\n'.join(lines))
        self.assertEqual(len(told), len(wanted), '\n'.join(lines))
        for start, phrase in wanted:
            self.assertTrue(any(line.startswith(start) and phrase in line for line in told), f'{start} .. {phrase}\n' + '\n'.join(told))
        for line in told:
            self.assertRegex(line, r'^[^:]+:\d+: .+; .+')
