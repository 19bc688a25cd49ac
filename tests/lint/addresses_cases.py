"""Tests of the lint `addresses`."""

import fixture


class addresses(fixture.lint_case):
    program = 'addresses'

    def check(self, what, path, *texts, times=1):
        """Each of these pieces of code is a finding called `what`."""
        lines = [sum(text.count('\n') + 1 for text in texts[:number]) + 1 for number in range(len(texts))]
        self.write(path, '\n'.join(texts) + '\n')
        self.expect(*[(f'{path}:{line}:', what) for line in lines for _ in range(times)])
        self.write(path, '')

    def allow(self, path, *texts):
        """None of these pieces of code is one."""
        self.write(path, '\n'.join(texts) + '\n')
        self.expect_clean()

    def test_a_clean_tree_passes(self):
        self.expect_clean()

    def test_platform_conditions(self):
        self.check('#if on platform', 'core/sched/x.cpp', '#if defined(__linux__)', '#ifdef __x86_64__', '#  ifndef _WIN32', '#elif __GNUC__ > 12',
                   '#if A && \\\n defined(__clang__)', '#if __has_feature(thread_sanitizer)')
        self.allow('core/sched/x.cpp', '#if LASTLY_WITH_TBB', '#ifndef NDEBUG', '#if __cpp_lib_jthread >= 201911', '// #if __linux__',
                   '#if __has_include(<version>)', '#define PRETTY __PRETTY_FUNCTION__', '#if __cplusplus > 202002L')
        self.allow('core/base/x.cpp', '#if defined(__linux__)')

    def test_system_calls(self):
        self.check('a system call', 'core/process/x.cpp', '::open(path, 0);', 'if (mmap(a, b)) {}', 'pthread_atfork(a, b, c);', '::fork();',
                   'x = getpid();', 'sched_getaffinity(0, n, &s);', 'syscall(number, a);', 'x = SYS_futex;', 'read_file("/proc/self/cgroup");',
                   '#include <sys/syscall.h>', '#include <unistd.h>', 'std::madvise(a, b, c);', 'return (::sigaction)(a, b), sigaction(a, b);')
        self.allow('core/process/x.cpp', 'base::mmap(a);', 'pool.close();', 'p->open(1);', 'file::read(x);', 'log("futex");', 'self.fork();',
                   'void close();', 'detail::fork(a);', 'map.getpid();', '#include <csignal>', '/* ::open(x) */', 'int sched_depth(int);')

    def test_clock_reads(self):
        self.check('a clock read', 'include/lastly/options.hpp', 'auto t = std::chrono::steady_clock::now();', 'auto t = clock::now();',
                   'auto t = std::time(nullptr);', 'clock_gettime(a, b);', 'auto t = Clock::now ();')
        self.allow('include/lastly/options.hpp', 'std::chrono::steady_clock::time_point t;', 'stamp.now();', 'base::now();',
                   'lastly::base::coarse_clock::now();', 'lastly::detail::now();', 'int now();', 'auto t = now();', 'const char* time = name(x);')

    def test_processor_instructions(self):
        self.check('a processor instruction', 'core/sched/x.cpp', 'asm volatile("pause");', '_mm_pause();', '#include <immintrin.h>')

    def test_atomics(self):
        self.check('an atomic', 'core/task/run.hpp', 'detail::atomic<int> a;', 'std::atomic<bool> b;')
        self.check('an atomic', 'include/lastly/pool.hpp', 'lastly::detail::atomic <int> a;')
        self.allow('core/task/run.hpp', 'is_atomic<int>();', '#include <atomic>', 'bool atomic = a < b;', '// detail::atomic<int>')
        for path in ('core/task/state.hpp', 'core/task/context_node.hpp', 'core/sched/idle.hpp', 'include/lastly/detail/fork.hpp', 'core/base/fault.cpp'):
            self.allow(path, 'detail::atomic<int> a;')

    def test_catch(self):
        self.check('catch', 'core/sched/worker.cpp', 'try { f(); } catch (...) {}', '} catch(const std::exception& e) {')
        self.allow('core/sched/worker.cpp', 'catch_all();', '// catch (x)')
        self.allow('core/task/chain.cpp', 'catch (...) {}')
        self.allow('include/lastly/outcome.hpp', 'catch (...) {}')

    def test_allocations(self):
        self.check('an allocation', 'core/task/frame.cpp', 'auto p = new int(3);', 'auto p = new T[5];', 'auto p = new ::x::y;', 'std::malloc(3);',
                   'auto p = std::make_unique<int>();', 'make_shared<T>(x);', 'auto p = new (std::nothrow) T;', 'p = ::operator new(n);',
                   'return operator new(n, a);')
        self.allow('core/task/frame.cpp', 'new (p) T(x);', '::new (static_cast<void*>(p)) T;', '#include <new>', 'slab.malloc(3);',
                   'static void* operator new(std::size_t) = delete;', '// a new frame', 'int new_size = 3;', 'log("a new frame");')
        self.allow('core/api/x.cpp', 'auto p = new int(3);')
        self.check('an allocation', 'core/sched/worker_loop.cpp', 'auto p = new int(3);')

    def test_libraries(self):
        self.check('moodycamel', 'core/sched/x.cpp', 'moodycamel::ConcurrentQueue<int> q;', '#include <concurrentqueue/concurrentqueue.h>',
                   '#include "concurrentqueue.h"')
        self.allow('core/structures/injector_queue.hpp', '#include <concurrentqueue.h>', 'moodycamel::ConcurrentQueue<int> q;')
        self.check('oneTBB', 'core/sched/x.cpp', 'tbb::task_arena a;', '#include <tbb/task_arena.h>', '#include <oneapi/tbb.h>')
        self.allow('core/sched/engine_tbb.cpp', 'tbb::task_arena a;')
        self.allow('core/sched/x.cpp', 'if (e == engine::tbb) {}', 'case engine::tbb: break;')

    def test_threads_and_thread_locals(self):
        self.check('thread_local', 'core/sched/x.cpp', 'thread_local int x;', 'static __thread int y;')
        self.allow('core/sched/thread_block.cpp', 'thread_local int x;')
        self.check('a thread made', 'core/sched/crew.cpp', 'std::thread t(f);', 'std::vector<std::jthread> t;', 'auto f = std::async(g);')
        self.allow('core/sched/crew.cpp', 'std::thread::id i;', 'std::this_thread::yield();', 'base::thread t(f);')
        self.check('', 'core/sched/crew.cpp', 'pthread_create(a, b, c, d);', times=2)
        self.allow('core/base/thread.cpp', 'pthread_create(a, b, c, d);', 'std::thread t(f);')

    def test_locks(self):
        self.check('a mutex', 'core/sched/worker.cpp', 'std::mutex m;', 'std::lock_guard g(m);', 'std::scoped_lock g(m);', '#include <mutex>',
                   'std::shared_mutex m;', 'std::call_once(f, g);')
        self.allow('core/sched/crew.cpp', 'std::mutex m;')
        self.check('a condition variable', 'core/sched/crew.cpp', 'std::condition_variable c;', 'std::counting_semaphore<3> s;',
                   'std::binary_semaphore s{0};', '#include <condition_variable>', 'sem_t s;')

    def test_several_constructs_in_one_file(self):
        self.write('core/sched/x.cpp', 'std::mutex m;\nthread_local int a;\n\nstd::mutex n;\n')
        self.expect(('core/sched/x.cpp:1:', 'a mutex'), ('core/sched/x.cpp:2:', 'thread_local'), ('core/sched/x.cpp:4:', 'a mutex'))

    def test_a_tree_without_sources_is_an_error(self):
        for path in fixture.clean:
            self.remove(path)
        self.assertEqual(self.run_lint()[0], 2)
