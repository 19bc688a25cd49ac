// Groups that are waited for: some fail fast, some collect; members that throw, nested groups waited for on workers, groups that are
// cancelled or left without a wait, rounds on one group.
#include "stress/scenarios/scenarios.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace lastly::stress::scenarios {

namespace {

struct failed_member : std::runtime_error {
    failed_member() : std::runtime_error("a member failed") {}
};

// What a group of `members` ends in: all of them well, or two failures, of which the first may stop the others, or a cancel.
enum class fate { well, some_fail, cancelled, left, count };

void fill_and_wait(round& r, pool& p, std::uint64_t members, group_policy policy, fate f, unsigned depth);

void send_member(round& r, cell& member, pool& p, task_group& g, bool fails, std::uint8_t ends, std::uint64_t inside, unsigned depth) {
    send<1>(member, {.ends = ends}, into(g), [&r, &p, fails, inside, depth](task_context& t, cell& c) {
        defer(t, c);
        if (inside > 0) fill_and_wait(r, p, inside, group_policy::collect, fate::well, depth + 1);
        if (fails) throw failed_member();
    });
}

void fill_and_wait(round& r, pool& p, std::uint64_t members, group_policy policy, fate f, unsigned depth) {
    task_group g(p, policy);
    const bool may_stop = f == fate::cancelled || f == fate::left || (f == fate::some_fail && policy == group_policy::fail_fast);
    std::vector<cell*> all;
    for (std::uint64_t i = 0; i < members; ++i) {
        const bool nests = depth == 0 && i % 8 == 3 && f == fate::well;
        const bool fails = f == fate::some_fail && (i == members / 2 || i == 0);
        all.push_back(&r.next());
        const auto ends = static_cast<std::uint8_t>((fails ? ends::failed : ends::succeeded) | (may_stop ? ends::cancelled : 0));
        send_member(r, *all.back(), p, g, fails, ends, nests ? 4 : 0, depth);
    }
    if (f == fate::cancelled) g.cancel();
    if (f == fate::left) return;
    try {
        g.wait();
        r.check(f != fate::some_fail, "W1: a group with a failed member throws from its wait");
    } catch (const failed_member&) {
        r.check(f == fate::some_fail, "E1: only a group with a failed member throws its exception");
        r.check(policy == group_policy::fail_fast || g.failures().size() == (members > 1 ? 2 : 1), "E1: a group that collects keeps every member's exception");
    }
    for (cell* const c : all) c->expect_over();   // O4
}

}   // namespace

void groups(round& r) {
    pool p(r.options());
    const watch shown(p);
    on_threads(2, [&](unsigned thread) {
        random_numbers random = r.random(thread);
        for (std::uint64_t left = share_of(r.tasks(), thread, 2); left > 0;) {
            const std::uint64_t members = std::min<std::uint64_t>(left, 8 + random.below(48));
            const auto f = static_cast<fate>(random.below(static_cast<std::uint64_t>(fate::count)));
            fill_and_wait(r, p, members, random.one_in(2) ? group_policy::fail_fast : group_policy::collect, f, 0);
            left -= members;
        }
    });
    r.close(p);
}

}   // namespace lastly::stress::scenarios
