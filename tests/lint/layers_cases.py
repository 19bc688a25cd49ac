"""Tests of the lint `layers`."""

import fixture


class layers(fixture.lint_case):
    program = 'layers'

    def test_a_clean_tree_passes(self):
        self.expect_clean()

    def test_an_include_goes_up(self):
        self.edit('core/base/futex.hpp', '#include <cstdint>', '#include <cstdint>\n#include "core/sched/account.hpp"')
        self.write('core/sched/account.hpp', '')
        self.expect(('core/base/futex.hpp:3:', 'core/base includes core/sched/account.hpp of core/sched'))

    def test_report_includes_task(self):
        self.write('core/task/state.hpp', '')
        self.edit('core/report/sink.hpp', '#pragma once\n', '#pragma once\n#include "core/task/state.hpp"\n')
        self.expect(('core/report/sink.hpp:2:', 'not downwards'))

    def test_a_floor_below_api_includes_the_roof(self):
        self.edit('core/process/exit.hpp', '#pragma once\n', '#pragma once\n#include "lastly/pool.hpp"\n')
        self.expect(('core/process/exit.hpp:2:', 'of the roof'))

    def test_the_roof_includes_core(self):
        self.edit('include/lastly/pool.hpp', '#pragma once\n', '#pragma once\n#include "core/base/futex.hpp"\n')
        self.expect(('include/lastly/pool.hpp:2:', 'the roof includes core/base/futex.hpp'))

    def test_the_ground_includes_the_roof(self):
        self.write('include/lastly/task.hpp', '')
        self.edit('include/lastly/options.hpp', '<chrono>', '<lastly/task.hpp>')
        self.expect(('include/lastly/options.hpp:2:', 'the ground includes lastly/task.hpp of the roof'))

    def test_a_public_header_includes_a_system_header(self):
        self.edit('include/lastly/pool.hpp', '#pragma once\n', '#pragma once\n#include <unistd.h>\n#include <tbb/task_arena.h>\n')
        self.expect(('include/lastly/pool.hpp:2:', 'not a standard header'), ('include/lastly/pool.hpp:3:', 'not a standard header'))

    def test_forms(self):
        self.edit('core/sched/worker.hpp', '"core/structures/deque.hpp"', '<core/structures/deque.hpp>')
        self.edit('core/base/futex.cpp', '"core/base/futex.hpp"', '"futex.hpp"')
        self.edit('include/lastly/pool.hpp', '"lastly/options.hpp"', '"options.hpp"')
        self.write('core/base/x.hpp', '#include LASTLY_HEADER\n')
        self.expect(('core/sched/worker.hpp:2:', 'write "core/structures'), ('core/base/futex.cpp:1:', 'not a path from the root'),
                    ('include/lastly/pool.hpp:3:', 'in a public header'), ('core/base/x.hpp:1:', 'computed include'))

    def test_a_missing_header(self):
        self.edit('core/sched/worker.hpp', 'deque.hpp', 'deck.hpp')
        self.expect(('core/sched/worker.hpp:2:', 'does not exist'))

    def test_a_header_that_the_build_makes(self):
        self.edit('include/lastly/pool.hpp', 'lastly/options.hpp', 'lastly/version.hpp')
        self.write('include/lastly/version.hpp.in', '')
        self.expect_clean()

    def test_a_circle(self):
        self.write('core/base/a.hpp', '\n#include "core/base/b.hpp"\n')
        self.write('core/base/b.hpp', '#include "core/base/c.hpp"\n')
        self.write('core/base/c.hpp', '#include "core/base/a.hpp"\n')
        self.expect(('core/base/a.hpp:2:', 'core/base/a.hpp -> core/base/b.hpp -> core/base/c.hpp -> core/base/a.hpp'))

    def test_a_header_includes_itself(self):
        self.write('core/base/a.hpp', '#include "core/base/a.hpp"\n')
        self.expect(('core/base/a.hpp:1:', 'circle'))

    def test_files_on_no_floor(self):
        self.write('core/utility/x.hpp', '')
        self.write('core/x.cpp', '')
        self.write('include/other/x.hpp', '')
        self.expect(('core/utility/x.hpp:1:', 'on no floor'), ('core/x.cpp:1:', 'no floor'), ('include/other/x.hpp:1:', 'no floor'))

    def test_comments_and_strings_include_nothing(self):
        self.write('core/base/x.cpp', '// #include "core/api/pool.cpp"\n/*\n#include "x"\n*/\n'
                                      'auto s = R"(\n#include "core/sched/worker.hpp"\n)";\n#  include  <cstdint>  // "x"\n')
        self.expect_clean()

    def test_an_empty_tree_is_an_error(self):
        for path in fixture.clean:
            self.remove(path)
        self.assertEqual(self.run_lint()[0], 2)

    def test_usage_errors(self):
        self.assertEqual(self.run_lint('--nonsense')[0], 2)
        self.assertEqual(self.run_lint('--root', '/nonexistent')[0], 2)
