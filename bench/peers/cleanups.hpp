// How users of a pool without finalizers get three cleanups: they carry them in the task and call them at its end.
// Two ways: `boxed`, three std::function<void()>, what one writes where cleanups of any kind are registered;
// `spelled_out`, three callables of known types that the compiler inlines, the least that can be done by hand.
// Values; no thread of their own.
#pragma once

#include <functional>

namespace bench {

template <class Body, class Cleanup>
struct task_with_cleanups {
    Body body;
    Cleanup first;
    Cleanup second;
    Cleanup third;
    void operator()() const {
        body();
        first();
        second();
        third();
    }
};

struct boxed {
    template <class Body, class C>
    static auto join(Body body, C a, C b, C c) {
        return task_with_cleanups<Body, std::function<void()>>{body, a, b, c};
    }
};
struct spelled_out {
    template <class Body, class C>
    static auto join(Body body, C a, C b, C c) {
        return task_with_cleanups<Body, C>{body, a, b, c};
    }
};

}   // namespace bench
