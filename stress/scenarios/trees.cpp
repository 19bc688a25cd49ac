// Recursive trees: tasks that spawn tasks, from workers onto their own deques, with thieves at work, in a group that is waited for.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>

namespace lastly::stress::scenarios {

namespace {

// A task and what is left of its budget: itself, and two or three subtrees.
class tree {
public:
    tree(round& r, task_group& all, std::uint64_t budget, std::uint64_t seed) : round_(r), all_(all), budget_(budget), seed_(seed) {}
    void operator()(task_context& t, cell& c) {
        random_numbers random(seed_);
        defer(t, c);
        std::uint64_t left = budget_ - 1;
        for (std::uint64_t children = 2 + random.below(2); children > 0 && left > 0; --children) {
            const std::uint64_t part = children == 1 ? left : std::max<std::uint64_t>(1, left / children);
            left -= part;
            send<1>(round_.next(), succeeds, into(all_), tree(round_, all_, part, random()));
        }
    }

private:
    round& round_;
    task_group& all_;
    std::uint64_t budget_, seed_;
};

}   // namespace

void trees(round& r) {
    pool p(r.options());
    const watch shown(p);
    constexpr unsigned roots = 4;
    for (unsigned i = 0; i < roots; ++i) {
        task_group all(p);
        send<2>(r.next(), succeeds, into(all), tree(r, all, share_of(r.tasks(), i, roots), r.random(i)()));
        all.wait();
    }
    r.close(p);
}

}   // namespace lastly::stress::scenarios
