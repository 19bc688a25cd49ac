"""Tests of the lint `orders`."""

import fixture

deque = 'core/structures/deque.hpp'
readme = 'core/structures/README.md'


class orders(fixture.lint_case):
    program = 'orders'

    def body(self, text, path='core/sched/idle.cpp'):
        """A file with one function whose body begins in line 2."""
        self.write(path, 'void f() {\n' + text + '}\n')

    def edges(self, *names, path='core/sched/README.md', more=''):
        self.write(path, ''.join(f'| [{name}] | writer | reader | {more} |\n' for name in names))

    def test_a_clean_tree_passes(self):
        self.expect_clean()

    def test_operations_without_an_order(self):
        self.body('    a.load();\n    b->store(x);\n    c.exchange(g(relaxed));  // order: for g only, not exchange\n'
                  '    d.compare_exchange_weak(\n        x,\n        y);\n    e.fetch_add(1)\n;\n    f.store(relaxed());\n')
        start = 'core/sched/idle.cpp:'
        self.expect((start + '2:', 'load names no order'), (start + '3:', 'store names no order'), (start + '4:', 'exchange names no'),
                    (start + '5:', 'compare_exchange_weak'), (start + '8:', 'fetch_add'), (start + '10:', 'store'))

    def test_orders_without_a_reason(self):
        self.body('    a.load(relaxed);\n\n    // order: this comment is too far away\n\n    b.load(relaxed);\n'
                  '    // order: one statement only is covered\n    c.load(relaxed);\n    d.load(relaxed);\n'
                  '    // an order is named here, without the mark\n    e.load(relaxed);\n    publish(f, relaxed);\n')
        start = 'core/sched/idle.cpp:'
        self.expect((start + '2:', 'relaxed without a reason'), (start + '6:', 'without'), (start + '9:', 'without'), (start + '11:', 'without'),
                    (start + '12:', 'relaxed without'))

    def test_places_for_a_reason(self):
        self.body('    a.load(relaxed);   // order: a hint, rechecked below\n'
                  '    // order: a hint, rechecked below\n    // in the loop\n    b.load(relaxed);\n'
                  '    // What it does.\n    // order: a hint, rechecked below\n    while (!c.compare_exchange_weak(x, y, relaxed, relaxed)) {\n    }\n'
                  '    d.compare_exchange_strong(x,   /* order: the owner is alone */\n        y, relaxed,\n        relaxed);\n'
                  '    g([&] { return x; },\n      // order: a hint, rechecked below\n      e.load(relaxed));\n'
                  '    for (auto i = f.load(relaxed); i != 0; i = f.load(relaxed)) {   // order: the owner is alone\n    }\n'
                  '    /* order: the owner\n     * is alone */\n    state s{\n        h.load(relaxed)};\n'
                  '    run([&] {\n        i.store(1, relaxed);   // order: the owner is alone\n    });\n'
                  '    j.load(std::memory_order_relaxed);   // order: the owner is alone\n    k.load(relaxed); } // order: the owner is alone\n'
                  'int l() { return m.load(relaxed); }   // order: the owner is alone\n// order: the owner is alone\n'
                  'int n() { return o.load(relaxed); }\nvoid p() {')
        self.expect_clean()

    def test_a_comment_behind_a_statement_is_not_for_the_next(self):
        self.body('    a.load(relaxed);   // order: a hint, rechecked below\n                       // in the loop\n    b.load(relaxed);\n')
        self.expect(('core/sched/idle.cpp:4:', 'without a reason'))

    def test_a_reason_inside_a_lambda_is_its_own(self):
        self.body('    run([&] {\n        a.store(1, relaxed);\n        b.store(1, relaxed);   // order: the owner is alone\n    });\n')
        self.expect(('core/sched/idle.cpp:3:', 'without a reason'))

    def test_a_reason_for_a_block(self):
        self.body('    // order (block): the owner is alone here\n    a.load(relaxed);\n    if (x) {\n        b.load(relaxed);\n    }\n'
                  '    c.load(relaxed);\n\n    d.load(relaxed);\n    {\n        // order (block): the owner is alone here\n'
                  '        e.load(relaxed);\n    }\n    f.load(relaxed);\n')
        self.expect(('core/sched/idle.cpp:9:', 'without a reason'), ('core/sched/idle.cpp:14:', 'without a reason'))

    def test_strong_orders_need_an_edge(self):
        self.body('    a.store(1, release);   // order: publishes what was written\n'
                  '    b.compare_exchange_weak(x, y,   // order: sees what was published [not an edge]\n        relaxed, acquire);\n'
                  '    c.load(acquire);   // order: reads slots[b1] as written\n')
        start = 'core/sched/idle.cpp:'
        self.expect((start + '2:', 'without an edge'), (start + '3:', 'without an edge'), (start + '5:', 'without an edge'))

    def test_edges_in_other_notations(self):
        self.edges('I1', 'I2', 'WAKE10')
        self.body('    a.store(1, release);   // order: [I1][I2] publishes both words\n    b.store(1, seq_cst);   // order: the sleeper sees it [WAKE10]\n'
                  '    c.exchange(1, acq_rel);   // order: [I1, I2] takes what was published\n    d.load(seq_cst);   // order: [WAKE10] sees the waker\n')
        self.expect_clean()

    def test_an_edge_with_one_end(self):
        self.edges('I1', 'I2', 'I3', 'I4', path='core/README.md')
        self.body('    a.store(1, release);   // order: [I1] publishes what was written\n'
                  '    b.load(acquire);   // order: [I2] sees what was published\n    c.load(acquire);   // order: [I2] sees what was published\n'
                  '    d.fetch_add(1, acq_rel);   // order: [I3] both ends are here\n'
                  '    e.store(1, release);   // order: [I4] publishes what was written\n    e.load(relaxed);   // order: [I4] sees nothing at all\n')
        start = 'core/sched/idle.cpp:'
        self.expect((start + '2:', '[I1] has no end that reads'), (start + '3:', '[I2] has no end that writes'),
                    (start + '5:', '[I3] stands at one statement only'), (start + '6:', '[I4] has no end that reads'))

    def test_one_statement_may_be_both_ends(self):
        self.edges('I3', more='same statement, in another thread')
        self.body('    d.fetch_sub(1, acq_rel);   // order: [I3] the last one sees all others\n')
        self.expect_clean()

    def test_a_weak_end_is_none(self):
        self.edges('I1')
        self.body('    a.fetch_add(1, acquire);   // order: [I1] takes one more\n    a.load(acquire);   // order: [I1] sees one more\n')
        self.expect(('core/sched/idle.cpp:2:', 'no end that writes with release'))

    def test_an_order_passed_to_a_function_is_an_end(self):
        self.edges('I1')
        self.body('    publish(a, release);   // order: [I1] publishes what was written\n    a.load(acquire);   // order: [I1] sees one more\n')
        self.expect_clean()

    def test_functions_called_like_orders(self):
        self.body('    slab.release(frame);\n    slots.acquire();\n    ops table{&release, slab::acquire};\n    auto release = f(x);\n'
                  '    std::exchange(a, b);\n    using detail::acquire;\n')
        self.expect_clean()

    def test_edges_that_are_not_listed(self):
        self.write('core/structures/README.md', '```\n| [D1] | in an example only |\n```\n')
        self.expect((deque + ':9:', '[D1] is listed in no README.md'))

    def test_an_edge_listed_in_another_folder(self):
        self.remove(readme)
        self.edges('D1')
        self.expect((deque + ':9:', 'listed in no README.md that speaks'))

    def test_an_edge_listed_above(self):
        self.remove(readme)
        self.edges('D1', path='core/README.md')
        self.expect_clean()

    def test_an_edge_of_a_public_header(self):
        self.edit(readme, '| [D1] |', '| [F1] | a | b |\n| [D1] |')
        self.body('    a.store(1, release);   // order: [F1] publishes what was written\n    a.load(acquire);   // order: [F1] sees one more\n',
                  'include/lastly/detail/fork.hpp')
        self.expect_clean()

    def test_rows_that_are_wrong(self):
        self.edit(readme, '| [D1] |', '| [D2] | never used |\n| [D1] | again |\n| [D1] |')
        self.edges('D1')
        self.expect((readme + ':5:', '[D2] is listed but in no code'), (readme + ':7:', 'listed twice'),
                    (readme + ':6:', '[D1] is also listed in core/sched/README.md'))

    def test_reasons_that_are_none(self):
        self.body('    a.load(relaxed);   // order: relaxed\n    b.load(relaxed);   // order: the Sanitizer complained here\n')
        self.edit(deque, 'sees the slot that push() wrote', 'sees')
        self.expect(('core/sched/idle.cpp:2:', 'fewer than three words'), ('core/sched/idle.cpp:3:', 'sanitizer'),
                    (deque + ':12:', 'fewer than three words'))

    def test_forbidden_constructs(self):
        self.body('    std::atomic<int> a;\n    std::atomic_flag b;\n    std::atomic_ref c(d);\n    atomic_thread_fence(seq_cst);   // order: a fence, in the wrong place\n'
                  '    __atomic_load_n(&x, 0);\n    // std::atomic is not used\n    log("std::atomic");\n')
        self.edit('include/lastly/detail/atomic.hpp', '}\n', 'void fence() { std::atomic_thread_fence(relaxed); }\n}\n')
        start = 'core/sched/idle.cpp:'
        self.expect((start + '2:', 'std::atomic'), (start + '3:', 'std::atomic'), (start + '4:', 'std::atomic'), (start + '5:', 'a fence'),
                    (start + '5:', 'without an edge'), (start + '6:', 'builtin'), ('include/lastly/detail/atomic.hpp:5:', 'a fence'))

    def test_macros_and_branches(self):
        self.body('#if A\n    if (x) {\n#else\n    if (y) {\n#endif\n        a.load(relaxed);   // order: the owner is alone\n    }\n'
                  '#define TOUCH(a) \\\n    a.load(relaxed)   // order: the owner is alone\n#define BAD(a) a.load(relaxed)\n')
        self.expect(('core/sched/idle.cpp:11:', 'without a reason'))

    def test_a_tree_without_sources_is_an_error(self):
        for path in fixture.clean:
            self.remove(path)
        self.assertEqual(self.run_lint()[0], 2)
