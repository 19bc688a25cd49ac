"""Tests of the lint `locks`, on static libraries compiled here."""

import os
import shlex
import shutil
import subprocess
import unittest

import fixture

compiler = shlex.split(os.environ.get('CXX') or shutil.which('g++') or shutil.which('c++') or '')

# Two files: the way to the lock leads through a static function, a cold part, a tail call and the other file.
first = '''
#include <mutex>
#include <stdexcept>
namespace lastly {
std::mutex gate;
int count;
__attribute__((noinline)) static void count_up() { std::lock_guard<std::mutex> guard(gate); ++count; }
void elsewhere(int);
struct worker { void run(int); void next(); int search(int) const; template <class T> __attribute__((noinline)) void take(T); };
template <class T> void worker::take(T) { count_up(); }
void worker::run(int a) { elsewhere(a); }
void worker::next() { take(3); }
int worker::search(int a) const { return a + 1; }
namespace { __attribute__((noinline)) int same_name(int a) { return a + count; } }
int quiet(int a) { return same_name(a) + 1; }
__attribute__((cold, noinline)) void refuse() { count_up(); throw std::runtime_error("no"); }
void risky(int a) { if (a > 3) refuse(); ++count; }
void not_here();
void calls_away() { not_here(); ++count; }
void through_pointer(void (*f)()) { f(); ++count; }
}
'''
second = '''
#include <pthread.h>
#include <string>
namespace lastly {
pthread_rwlock_t rows;
namespace { __attribute__((noinline)) int same_name(int a) { pthread_rwlock_rdlock(&rows); return a; } }
int loud(int a) { return same_name(a) + 1; }
void elsewhere(int a) { if (a) pthread_rwlock_wrlock(&rows); }
std::string* once() { static std::string s("x"); return &s; }
}
'''


@unittest.skipUnless(compiler and shutil.which('objdump') and shutil.which('ar'), 'no compiler or no binutils')
class locks(fixture.lint_case):
    program = 'locks'
    options = ['-O2']

    @classmethod
    def setUpClass(cls):
        cls.folder = fixture.tempfile.mkdtemp(prefix='locks-')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for name, text in (('first', first), ('second', second)):
            with open(os.path.join(cls.folder, name + '.cpp'), 'w', encoding='utf-8') as file:
                file.write(text)
            subprocess.run([*compiler, '-std=c++17', *cls.options, '-c', name + '.cpp'], cwd=cls.folder, check=True)
        subprocess.run(['ar', 'rcs', 'liblastly.a', 'first.o', 'second.o'], cwd=cls.folder, check=True)

    def look(self, roots, *cold):
        return ['--library', os.path.join(self.folder, 'liblastly.a'), '--roots', *roots, '--cold', *cold]

    def find(self, roots, *ways, cold=()):
        """Each of `ways` is (first step, last step) of a way to a lock; they must be the only findings."""
        code, lines, errors = self.run_lint(*self.look(roots, *cold))
        told = [line for line in lines if ' -> ' in line]
        self.assertEqual((code, errors, len(told)), (1, '', len(ways)), '\n'.join(lines))
        for one, last in ways:
            self.assertTrue(any(f':0: lastly::{one} -> ' in line and f'{last};' in line for line in told), f'{one} {last}\n' + '\n'.join(told))

    def test_ways_to_a_lock(self):
        self.find(['worker::run'], ('worker::run', 'pthread_rwlock_wrlock'))
        self.find(['worker::next'], ('worker::next', self.mutex))
        self.find(['lastly::risky'], ('risky', self.mutex))
        self.find(['once'], ('once', '__cxa_guard_acquire'))

    mutex = 'pthread_mutex_lock'

    def test_functions_of_one_name_in_two_files(self):
        self.find(['loud'], ('loud', 'pthread_rwlock_rdlock'))
        self.expect_clean(*self.look(['quiet']))

    def test_what_takes_no_lock(self):
        self.expect_clean(*self.look(['worker::search', 'quiet', 'through_pointer']))
        lines = self.run_lint(*self.look(['worker::search', 'through_pointer']))[1]
        self.assertRegex(lines[0], r'^locks: 2 of \d+ functions reached; ')

    def test_a_function_that_is_not_in_the_library(self):
        self.expect(('', 'calls_away -> lastly::not_here, which is not in the library'), arguments=self.look(['calls_away']))

    def test_all_roots_are_searched(self):
        self.find(['worker::search', 'worker::(?:run|next)'], ('worker::run', 'wrlock'), ('worker::next', self.mutex))

    def test_a_root_that_is_not_there(self):
        self.expect(('', 'no function is called worker::walk'), arguments=self.look(['worker::walk', 'worker::search']))
        self.expect(('', 'no function is called orker::search'), arguments=self.look(['orker::search']))
        self.expect(('', 'no function is called worker::sea'), arguments=self.look(['worker::sea']))

    def test_cold_functions(self):
        self.expect_clean(*self.look(['worker::next'], 'count_up=counting is rare'))
        self.find(['worker::next', 'worker::run'], ('worker::run', 'wrlock'), cold=['worker::take=rare'])
        self.expect(('', 'the search never meets lastly::elsewhere'), arguments=self.look(['worker::search'], 'lastly::elsewhere=unused'))
        self.assertEqual(self.run_lint(*self.look(['worker::next'], 'count_up'))[0], 2)

    def test_usage_errors(self):
        self.assertEqual(self.run_lint()[0], 2)
        self.assertEqual(self.run_lint('--library', os.path.join(self.folder, 'none.a'))[0], 2)
        self.assertEqual(self.run_lint('--library', os.path.join(self.folder, 'first.cpp'))[0], 2)

    def test_the_default_roots_are_checked(self):
        code, lines, _ = self.run_lint('--library', os.path.join(self.folder, 'liblastly.a'))
        self.assertEqual(code, 1)
        self.assertTrue(any('no function is called lastly::detail::submit_frame' in line for line in lines))


class locks_unoptimised(locks):
    options = ['-O0']
    mutex = 'std::mutex::lock'


class locks_in_sections_of_their_own(locks):
    options = ['-O3', '-g', '-fPIC', '-fno-plt', '-ffunction-sections']


class locks_of_hidden_functions(locks):
    options = ['-Os', '-fvisibility=hidden', '-ffunction-sections']
