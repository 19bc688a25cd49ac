"""Tests of the lint `mirror`."""

import fixture


class mirror(fixture.lint_case):
    program = 'mirror'

    def test_a_clean_tree_passes(self):
        self.expect_clean()

    def test_a_unit_without_a_test(self):
        self.remove('tests/base/futex_test.cpp')
        self.remove('tests/lastly/detail/frame_test.cpp')
        self.remove('tests/lastly/pool_test.cpp')
        self.expect(('core/base/futex.cpp:1:', 'has no test tests/base/futex_test.cpp'),
                    ('include/lastly/detail/frame.hpp:1:', 'tests/lastly/detail/frame_test.cpp'),
                    ('include/lastly/pool.hpp:1:', 'tests/lastly/pool_test.cpp'))

    def test_a_test_without_a_unit(self):
        self.write('tests/base/clock_test.cpp', fixture.clean['tests/base/futex_test.cpp'])
        self.write('tests/support/odd_test.cpp', '')
        self.write('tests/consumers/cmake/main_test.cpp', '')
        self.expect(('tests/base/clock_test.cpp:1:', 'tests no unit'))

    def test_a_file_without_cases(self):
        self.write('tests/base/futex_test.cpp', '// TEST_CASE("futex: in a comment only") {}\n')
        self.expect(('tests/base/futex_test.cpp:1:', 'no TEST_CASE'))

    def test_names_that_are_no_sentences(self):
        self.write('tests/base/futex_test.cpp', 'TEST_CASE("wait works well") {}\nTEST_CASE("futex: wait") {}\nTEST_CASE(name) {}\n'
                   'TEST_CASE_FIXTURE(box, "futexwait") {}\nTEST_CASE_TEMPLATE("futex waits", T, int, long) {}\n'
                   'TEST_CASE(": it waits a bit") {}\n')
        self.expect(('tests/base/futex_test.cpp:1:', '"wait works well" is no sentence'), ('tests/base/futex_test.cpp:2:', 'no sentence'),
                    ('tests/base/futex_test.cpp:3:', 'without a literal name'), ('tests/base/futex_test.cpp:4:', 'no sentence'),
                    ('tests/base/futex_test.cpp:5:', 'no sentence'), ('tests/base/futex_test.cpp:6:', 'no sentence'))

    def test_names_that_are_sentences(self):
        self.write('tests/base/futex_test.cpp', 'TEST_CASE("futex: it wakes " // why\n   "one waiter") {}\n'
                   'TEST_CASE_FIXTURE(box<int>, "futex: a wait ends") {}\nTEST_CASE_TEMPLATE("futex: any (word) \\"does\\"", T, int) {}\n'
                   '#define ALL(f) TEST_CASE(f)\nTEST_CASE(R"(futex: raw names work)" * doctest::timeout(3)) {}\n')
        self.expect_clean()
