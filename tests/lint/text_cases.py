"""Tests of what the lints know about the text of C++: cpp_source and cpp_shape."""

import unittest

import cpp_shape
import cpp_source


def code_of(text):
    return cpp_source.source('x.cpp', text).code


class source(unittest.TestCase):
    def test_what_is_no_code_is_blanked(self):
        for text, code in (
                ('a // b\nc', 'a     \nc'), ('a /* b\nc */ d', 'a     \n     d'), ('a /* b', 'a     '), ('"a\\"b" c', '"    " c'),
                ('a // b \\\nc\nd', 'a       \n \nd'), ("'\"' a '\\'' b", "' ' a '  ' b"), ("1'000'000 /* a */ 2'0", "1'000'000         2'0"),
                ('R"(a " b)" c', '"        " c'), ('u8R"x(a)" )x" c', '"           " c'), ('R"(a // b)" c', '"         " c'),
                ('fooR"(a)" c', 'fooR"   " c'), ('"/*" a "*/"', '"  " a "  "'), ("u'a' L\"b\" c", "u' ' L\" \" c"), ('"// a" b', '"    " b'),
                ("0x1.8p+3'1 'a'", "0x1.8p+3'1 ' '"), ("#error don't\na 'b'", "#error don't\na ' '"), ('/**/a/**/', '    a    '),
                ('R"(a\nb)" c', '"   \n  " c'), ('a / b // c', 'a / b     ')):
            with self.subTest(text=text):
                self.assertEqual(code_of(text), code)

    def test_the_texts_have_one_length(self):
        file = cpp_source.source('x.cpp', 'int a; // "b"\nauto s = "// c"; /* d\ne */ R"(f\n)" g\n')
        for text in (file.code, file.with_strings, file.comments):
            self.assertEqual(len(text), len(file.text))
            self.assertEqual(text.count('\n'), 4)
        self.assertIn('"// c"', file.with_strings)
        self.assertNotIn('"b"', file.with_strings)
        self.assertEqual(file.comments.split(), ['//', '"b"', '/*', 'd', 'e', '*/'])

    def test_includes(self):
        file = cpp_source.source('x.cpp', '#include <a>\n# include "b/c.hpp" // d\n#if 1\n#include X\n#endif\n"#include <e>";\n'
                                          '#include \\\n  <f>\nx #include <g>\n')
        self.assertEqual(list(file.includes()), [(1, '<', 'a'), (2, '"', 'b/c.hpp'), (4, '', 'X'), (7, '<', 'f')])


class shape(unittest.TestCase):
    def statements(self, text):
        file = code_of(text)
        return sorted(' '.join(file[a:b].split()) for a, b in cpp_shape.shape(file).statements)

    def test_statements(self):
        for text, wanted in (
                ('a; b;', ['a;', 'b;']), ('for (a; b; c) { d; }', ['d;', 'for (a; b; c)']), ('x y{a, b}; c;', ['c;', 'x y{a, b};']),
                ('f([&] { a; b; }, c);', ['a;', 'b;', 'f([&] { a; b; }, c);']), ('if (a) { b; } else { c; }', ['b;', 'c;', 'else', 'if (a)']),
                ('auto f = [] { a; };', ['a;', 'auto f = []']), ('return {a, {b}};', ['return {a, {b}};']),
                ('struct s { int a{3}; };', ['int a{3};', 'struct s']), ('f({.a = 1}, {2});', ['f({.a = 1}, {2});']),
                ('class s { public: int a; };', ['class s', 'int a;']), ('do { a; } while (b);', ['a;', 'do', 'while (b);']),
                ('auto f() -> x<y> { a; }', ['a;', 'auto f() -> x<y>']), ('a;\n#define X b; c\nd;', ['#define X b; c', 'a;', 'd;']),
                ('template <class T> concept c = requires(T t) { t.a(); t.b(); };', ['template <class T> concept c = requires(T t) { t.a(); t.b(); };']),
                ('f() : a{1}, b{2} { c; }', ['c;', 'f() : a{1}, b{2}']), ('#if A\nf() {\n#else\ng() {\n#endif\na; }\nb;',
                                                                          ['#else', '#endif', '#if A', 'a;', 'b;', 'f()', 'g()'])):
            with self.subTest(text=text):
                self.assertEqual(self.statements(text), wanted)

    def functions(self, text):
        file = code_of(text)
        return [' '.join(file[f.start:f.opened].split()) for f in sorted(cpp_shape.shape(file).functions)]

    def test_functions(self):
        for text, wanted in (
                ('void f() { if (a) { b; } }', ['void f()']), ('namespace a::b { int x = 3; void f() const { } }', ['void f() const']),
                ('struct s { s() : a{1}, b{2} { } ~s() = default; };', ['s() : a{1}, b{2}']), ('int a[] = { f(1), g(2) };', []),
                ('template <class T> struct s<T, 3> { void f() noexcept(true) { } };', ['void f() noexcept(true)']),
                ('class E alignas(64) c final : public d<int> { protected: void f() && { } };', ['void f() &&']),
                ('auto l = []<class T>(T t) { a; };', ['auto l = []<class T>(T t)']), ('void f() NOINLINE { a; }', ['void f() NOINLINE']),
                ('template <class T> requires requires(T t) { t.a(); } void f(T) { }', ['template <class T> requires requires(T t) { t.a(); } void f(T)']),
                ('extern "C" void f() { } extern "C" { void g() { } }', ['extern " " void f()', 'void g()']),
                ('bool operator<(a b) const { } operator bool() const { }', ['bool operator<(a b) const', 'operator bool() const']),
                ('enum class e : int { a = f(1) }; inline namespace v { void f() { } }', ['void f()']),
                ('void f() { g({1, 2}, [] { a; }); for (;;) { } } void h() { }', ['void f()', 'void h()']),
                ('#define M(x) { x\nvoid f() { }', ['void f()'])):
            with self.subTest(text=text):
                self.assertEqual(self.functions(text), wanted)
