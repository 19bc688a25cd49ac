"""Tests of the lint `size`."""

import fixture


def lines(number, text='    step();\n'):
    return text * number


class size(fixture.lint_case):
    program = 'size'

    def test_a_clean_tree_passes(self):
        self.expect_clean()

    def test_long_files(self):
        self.write('bench/a.cpp', lines(401, 'int x;\n'))
        self.write('tools/b.py', lines(401, 'x = 1\n'))
        self.write('tools/c.sh', lines(401, 'true\n'))
        self.write('tools/script', '#!/bin/sh\n' + lines(400, 'true\n'))
        self.write('notes', lines(500, 'text\n'))
        self.write('d.md', lines(500, 'text\n'))
        self.write('build-debug/e.cpp', lines(500))
        self.write('exact.cpp', lines(400, 'int x;\n'))
        self.expect(('bench/a.cpp:1:', '401 lines'), ('tools/b.py:1:', '401 lines'), ('tools/c.sh:1:', '401'), ('tools/script:1:', '401'))

    def test_reasons_for_a_long_file(self):
        self.write('a.cpp', '// A table.\n// size: one table, read as a whole\n' + lines(400, 'int x;\n'))
        self.write('b.py', '# size: generated\n' + lines(400, 'x = 1\n'))
        self.write('c.cpp', lines(10, 'int x;\n') + '// size: this reason comes too late\n' + lines(400, 'int x;\n'))
        self.write('d.cpp', 'int block_size: one two three four five;\n' + lines(400, 'int x;\n'))
        self.expect(('b.py:1:', '401'), ('c.cpp:1:', '411'), ('d.cpp:1:', '401'))

    def test_long_functions(self):
        body = '{\n' + lines(69) + '}\n'
        self.write('a.cpp', 'void f() ' + body)
        self.write('b.cpp', 'namespace n { class c {\npublic:\n    template <class T>\n    c(int a) : a_{a}, b_(a) ' + body + '};\n}\n')
        self.write('c.cpp', 'TEST_SUITE("x") {\nTEST_CASE("a: long test case") ' + body + '}\n')
        self.write('d.cpp', 'struct s { auto operator()(int) const noexcept -> std::vector<int> ' + body + '};\n')
        self.write('e.cpp', 'template <class T> requires std::integral<T> bool s<T>::f() && ' + body)
        self.write('f.py', 'def f():\n' + lines(70, '    step()\n') + '\nasync def g():\n' + lines(70, '    step()\n'))
        self.write('tool', '#!/usr/bin/env python3\ndef f():\n' + lines(70, '    step()\n'))
        self.write('g.cpp', '#if A\nvoid f() {\n#else\nvoid g() {\n#endif\n' + lines(69) + '}\nvoid h() { }\n')
        self.expect(('a.cpp:1:', 'a function of 71 lines'), ('b.cpp:4:', '71'), ('c.cpp:2:', '71'), ('d.cpp:1:', '71'), ('e.cpp:1:', '71'),
                    ('f.py:1:', '71'), ('f.py:73:', '71'), ('tool:2:', '71'), ('g.cpp:4:', '72'))

    def test_what_is_no_long_function(self):
        body = '{\n' + lines(68) + '}\n'
        self.write('a.cpp', 'void f() ' + body + 'void g() ' + body)
        self.write('b.cpp', 'namespace n {\n' + lines(80, 'void f();\n') + '}\nclass c {\n' + lines(80, 'void f();\n') + '};\n')
        self.write('c.cpp', 'int table[] = {\n' + lines(80, '  f(1),\n') + '};\nenum class e : int {\n' + lines(80, '  a,\n') + '};\n')
        self.write('d.cpp', 'const char* s = R"(void f() {\n' + lines(80) + '})";\n// void f() {\n/* void f() {\n' + lines(80) + '*/\n')
        self.write('e.cpp', "void f() { x = '{'; y = 1'000; }\n" + lines(90, 'int x;\n') + '// }\n')
        self.write('f.cpp', 'extern "C" {\n' + lines(80, 'void f(int);\n') + '}\n')
        self.expect_clean()

    def test_reasons_for_a_long_function(self):
        body = '{\n' + lines(69) + '}\n'
        self.write('a.cpp', '// size: one switch, read as a table\nvoid f() ' + body + '\n// size: short\nvoid g() ' + body)
        self.write('b.cpp', '// Does it.\n// size: one switch, read as a table\ntemplate <class T>\nvoid f() ' + body)
        self.write('c.py', '# size: one table, read as a whole\n@mark\ndef f():\n' + lines(70, '    step()\n'))
        self.expect(('a.cpp:75:', '71'))

    def test_python_that_is_none(self):
        self.write('a.py', 'def f(:\n')
        self.expect(('a.py:1:', 'no Python'))
