// No pool: tasks run where they are submitted. What measuring idleness itself costs.
// Any thread.
#pragma once

namespace bench {

class floor_no_pool {
public:
    floor_no_pool(unsigned, unsigned) {}

    class producer {
    public:
        explicit producer(floor_no_pool&) {}
        template <class Loop>
        void within(Loop&& loop) { loop(); }
        template <class Body, class... C>
        void submit(Body body, C... c) {
            body();
            (c(), ...);
        }
        template <unsigned Count, class Body>
        void submit_deferring(Body body) {
            body();
            for (unsigned i = 0; i < Count; ++i) body.own_cleanup()();
        }
        template <class Body>
        void submit_any(Body body) { body(); }
    };

    template <class Done>
    void wait(Done&&) {}
};

}   // namespace bench
