// Taking a profile: what it sees of a pool's tasks, in each state, and while they move. Rule G3.
#include "core/sched/profile.hpp"

#include "tests/support/pools.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <string>

using namespace support;
using lastly::task_profile;
using group = lastly::task_profile::group;

namespace {

// The group of that name; an empty one if there is none.
group named_group(const task_profile& p, const char* name) {
    for (const group& g : p.groups) {
        if (std::strcmp(g.name, name) == 0) return g;
    }
    return {};
}

void check_totals(const task_profile& p) {
    task_profile::counts sum;
    for (const group& g : p.groups) {
        CHECK(g.count == g.queued + g.running + g.finalizing);
        sum.count += g.count;
        sum.queued += g.queued;
        sum.running += g.running;
        sum.finalizing += g.finalizing;
        sum.held += g.held;
        sum.finalizers_pending += g.finalizers_pending;
    }
    CHECK(sum == p.total);
}

// Gates may still be left by bodies when the test is over.
std::shared_ptr<gate> make_gate() { return std::make_shared<gate>(); }

}   // namespace

TEST_CASE("profile: an idle pool's is empty") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        CHECK(pool.run([] { return 3; }) == 3);
        pool.wait_idle();
        const task_profile p = pool.profile();
        CHECK(p.groups.empty());
        CHECK(p.total == task_profile::counts{});
        CHECK(p.pool == "pool");
        check_end(pool);
    });
}

TEST_CASE("G3: a finalizer that has not run is visible in the profile and in the ledger") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const auto body = make_gate(), finalizer = make_gate();
        std::array<std::uint32_t, 3> lines{};
        {
            blockade all(pool, workers);
            lines[0] = __LINE__ + 1;
            pool.detach([] {}, lastly::named("G3 queued"), lastly::finally([] {}), lastly::finally([] {}));
            const group queued = named_group(pool.profile(), "G3 queued");
            CHECK(queued.queued == 1);
            CHECK(queued.finalizers_pending == 2);
            CHECK(queued.site.line == lines[0]);
            CHECK((queued.site.file != nullptr && std::string(queued.site.file) == __FILE__));
            CHECK(pool.ledger().finalizers_attached - pool.ledger().finalizers_run == 2);
        }
        pool.wait_idle();
        CHECK(named_group(pool.profile(), "G3 queued").count == 0);

        lines[1] = __LINE__ + 1;
        pool.detach([body](lastly::task_context& t) {
            t.defer([] {});
            t.defer([] {});
            body->pass();
        }, lastly::named("G3 running"), lastly::finally([] {}));
        body->wait_for_arrivals(1);
        const group running = named_group(pool.profile(), "G3 running");
        CHECK(running.running == 1);
        CHECK(running.finalizers_pending == 3);
        CHECK(running.site.line == lines[1]);
        body->open();
        pool.wait_idle();

        lines[2] = __LINE__ + 1;
        pool.detach([](lastly::task_context& t) { t.defer([] {}); }, lastly::named("G3 finalizing"),
                    lastly::finally([] {}), lastly::finally([] {}), lastly::finally([finalizer] { finalizer->pass(); }));
        finalizer->wait_for_arrivals(1);
        const group finalizing = named_group(pool.profile(), "G3 finalizing");
        CHECK(finalizing.finalizing == 1);
        CHECK(finalizing.finalizers_pending == 2);
        CHECK(finalizing.site.line == lines[2]);
        CHECK(pool.ledger().finalizers_attached - pool.ledger().finalizers_run == 3);   // its chain is not over
        CHECK(pool.ledger().live == 1);
        finalizer->open();
        check_end(pool);
    });
}

TEST_CASE("profile: tasks are counted by site in the state that they are in") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const auto body = make_gate();
        std::vector<lastly::task_handle<int>> kept;
        for (int i = 0; i < 4; ++i) kept.push_back(pool.submit([i] { return i; }, lastly::named("held"), lastly::finally([] {})));
        pool.wait_idle();
        for (unsigned i = 0; i < workers; ++i) pool.detach([body] { body->pass(); }, lastly::named("running"), lastly::finally([] {}));
        body->wait_for_arrivals(static_cast<int>(workers));
        for (int i = 0; i < 7; ++i) pool.detach([] {}, lastly::named("queued"));

        const task_profile p = pool.profile();
        check_totals(p);
        CHECK(p.groups.size() == 3);
        CHECK(p.total.count == workers + 7);
        CHECK(p.total.held == 4);
        CHECK(named_group(p, "held").held == 4);
        CHECK(named_group(p, "held").count == 0);
        CHECK(named_group(p, "held").finalizers_pending == 0);
        CHECK(named_group(p, "running").running == workers);
        CHECK(named_group(p, "running").finalizers_pending == workers);
        CHECK(named_group(p, "queued").queued == 7);
        CHECK(named_group(p, "queued").oldest_age < std::chrono::hours(1));
        CHECK(named_group(p, "queued").parent.file == nullptr);
        CHECK(p.total.count == static_cast<std::int64_t>(pool.ledger().live));
        CHECK(p.total.held == static_cast<std::int64_t>(pool.ledger().held));
        body->open();
        kept.clear();
        check_end(pool);
        CHECK(pool.profile().groups.empty());
    });
}

TEST_CASE("profile: a handle dropped keeps nothing, a cancelled task stays until a worker has taken it") {
    with_workers([](unsigned workers) {
        sink_log log;
        lastly::pool pool(options(workers, &log));
        blockade all(pool, workers);
        {
            auto dropped = pool.submit([] {}, lastly::named("dropped"), lastly::finally([] {}));
            auto cancelled = pool.submit([] {}, lastly::named("cancelled"), lastly::finally([] {}));
            CHECK(cancelled.cancel());
        }
        CHECK(named_group(pool.profile(), "dropped").queued == 1);
        CHECK(named_group(pool.profile(), "cancelled").queued == 1);
        CHECK(named_group(pool.profile(), "cancelled").finalizers_pending == 1);
        all.open();
        pool.wait_idle();
        CHECK(pool.profile().groups.empty());
        check_end(pool);
    });
}

TEST_CASE("profile: one site with several names has a group for each, and unnamed tasks one of their own") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        blockade all(pool, workers);
        for (const char* const name : {"ann", "ben", "ann"}) pool.detach([] {}, lastly::named(name));
        pool.detach([] {});
        const task_profile p = pool.profile();
        check_totals(p);
        REQUIRE(p.groups.size() == 4);   // and the blockade
        CHECK(named_group(p, "ann").queued == 2);
        CHECK(named_group(p, "ben").queued == 1);
        CHECK(named_group(p, "ann").site.line == named_group(p, "ben").site.line);
        all.open();
        check_end(pool);
    });
}

TEST_CASE("profile: equal texts at different addresses are one group") {
    static constexpr char file_a[] = "module.cpp", file_b[] = "module.cpp";
    static constexpr char name_a[] = "shared", name_b[] = "shared";
    lastly::pool pool(options(1));
    blockade all(pool, 1);
    const auto submit = [&](const char* file, const char* name) {
        pool.detach([] {}, lastly::named(name), lastly::detail::none{}, lastly::detail::none{}, lastly::detail::none{},
                    lastly::detail::none{}, lastly::detail::none{}, lastly::detail::none{}, lastly::detail::none{}, lastly::detail::none{},
                    lastly::detail::none{}, lastly::detail::none{}, lastly::detail::none{}, lastly::creation_site{file, 12});
    };
    submit(file_a, name_a);
    submit(file_b, name_b);
    submit(file_a, name_b);
    const task_profile p = pool.profile();
    check_totals(p);
    CHECK(p.groups.size() == 2);
    CHECK(named_group(p, "shared").queued == 3);
    CHECK(p.total.queued == 3);
    all.open();
    check_end(pool);
}

TEST_CASE("profile: a pool's shows its own tasks only, and no task that is not accepted") {
    with_workers([](unsigned workers) {
        lastly::pool one(options(workers)), other(options(workers));
        blockade first(one, workers), second(other, workers);
        one.detach([] {}, lastly::named("one's"));
        other.detach([] {}, lastly::named("other's"));
        auto unsubmitted = lastly::make_task([] {}, lastly::named("unsubmitted"));
        CHECK(named_group(one.profile(), "one's").queued == 1);
        CHECK(named_group(one.profile(), "other's").count == 0);
        CHECK(named_group(other.profile(), "other's").queued == 1);
        CHECK(named_group(other.profile(), "one's").count == 0);
        CHECK(one.profile().total.count == workers + 1);
        CHECK(named_group(one.profile(), "unsubmitted").count == 0);
        one.detach(std::move(unsubmitted));
        CHECK(named_group(one.profile(), "unsubmitted").queued == 1);
        first.open();
        second.open();
        check_end(one);
        check_end(other);
    });
}

TEST_CASE("profile: a task may take it, and sees itself run") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const task_profile p = pool.run([&] { return pool.profile(); }, lastly::named("observer"), lastly::finally([] {}));
        CHECK(named_group(p, "observer").running == 1);
        CHECK(named_group(p, "observer").finalizers_pending == 1);
        check_end(pool);
    });
}

TEST_CASE("profile: tasks of all sizes are seen, large blocks included") {
    lastly::pool pool(options(1));
    blockade all(pool, 1);
    const auto submit = [&]<std::size_t Bytes>(std::array<std::byte, Bytes> bytes) {
        pool.detach([bytes] { static_cast<void>(bytes); }, lastly::named("sized"));
    };
    submit(std::array<std::byte, 1>{});
    submit(std::array<std::byte, 100>{});
    submit(std::array<std::byte, 1000>{});
    submit(std::array<std::byte, 20'000>{});
    submit(std::array<std::byte, 200'000>{});
    CHECK(named_group(pool.profile(), "sized").queued == 5);
    all.open();
    check_end(pool);
}

TEST_CASE("profile: a thousand sites have a group each") {
    static constexpr std::size_t sites = 1000;
    lastly::pool pool(options(2));
    blockade all(pool, 2);
    static const std::string letters(sites, 'x');   // a name each: the ends of one text
    for (std::size_t i = 0; i < sites; ++i) {
        for (std::size_t n = 0; n <= i % 3; ++n) pool.detach([] {}, lastly::named(letters.c_str() + i));
    }
    const task_profile p = pool.profile();
    check_totals(p);
    CHECK(p.groups.size() == sites + 1);
    bool all_right = true;
    for (const group& g : p.groups) {
        const std::size_t length = std::strlen(g.name);
        if (length != 0 && g.queued != static_cast<std::int64_t>((sites - length) % 3 + 1)) all_right = false;
    }
    CHECK(all_right);
    all.open();
    check_end(pool);
}

TEST_CASE("profile: a hundred thousand queued tasks are all counted") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        blockade all(pool, workers);
        constexpr std::int64_t many = 100'000;
        for (std::int64_t i = 0; i < many; ++i) pool.detach([] {}, lastly::named("many"), lastly::finally([] {}));
        const group g = named_group(pool.profile(), "many");
        CHECK(g.count == many);
        CHECK(g.queued == many);
        CHECK(g.finalizers_pending == many);
        all.open();
        check_end(pool);
        CHECK(pool.profile().groups.empty());
    });
}

TEST_CASE("profile: it is taken while threads submit and finish tasks, and counts those that stay exactly") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const auto held = make_gate();
        pool.detach([held] { held->pass(); }, lastly::named("stays"), lastly::finally([] {}));
        if (workers > 1) held->wait_for_arrivals(1);
        std::atomic<int> submitting{4};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 3000; ++i) {
                    pool.detach([](lastly::task_context& c) { c.defer([] {}); }, lastly::named("detached"), lastly::finally([] {}));
                    if (workers > 1) pool.submit([i] { return i; }, lastly::named("awaited")).get();
                    else static_cast<void>(pool.submit([i] { return i; }, lastly::named("dropped")));
                }
                submitting.fetch_sub(1);
            });
        }
        bool stays = true, own = true, sums = true;
        int profiles = 0;
        do {
            const task_profile p = pool.profile();
            const group g = named_group(p, "stays");
            if (g.count != 1 || g.finalizers_pending != 1) stays = false;
            std::int64_t all = 0;
            for (const group& each : p.groups) {
                all += each.count;
                if (std::string(each.site.file) != __FILE__ || each.count < 0 || *each.name == '\0') own = false;
            }
            if (all != p.total.count) sums = false;
            ++profiles;
        } while (submitting.load() != 0);
        for (std::thread& t : threads) t.join();
        CHECK(stays);
        CHECK(own);
        CHECK(sums);
        CHECK(profiles > 0);
        held->open();
        check_end(pool);
        CHECK(pool.profile().groups.empty());
    });
}

TEST_CASE("profile: arranging puts equal groups together and sums") {
    task_profile p;
    group a;
    a.name = "a";
    a.site = {"f", 1};
    a.count = a.queued = 2;
    a.oldest_age = std::chrono::seconds(1);
    group b = a;
    b.count = b.queued = 5;
    b.oldest_age = std::chrono::seconds(3);
    group c = a;
    c.site.line = 2;
    c.count = c.queued = 6;
    p.groups = {a, c, b};
    lastly::detail::arrange(p);
    REQUIRE(p.groups.size() == 2);
    CHECK(p.groups[0].count == 7);
    CHECK(p.groups[0].oldest_age == std::chrono::seconds(3));
    CHECK(p.groups[1].site.line == 2);
    CHECK(p.total.queued == 13);
}

TEST_CASE("profile: a group's members are shown with the task that made the group") {
    with_workers([](unsigned workers) {
        lastly::pool pool(options(workers));
        const auto spawn_three = [](lastly::task_group& g, const std::shared_ptr<gate>& held) {
            for (int i = 0; i < 3; ++i) g.spawn([held] { held->pass(); }, lastly::named("member"));
        };
        const auto inside = make_gate(), outside = make_gate(), parents = make_gate();
        lastly::task_group own(pool);
        spawn_three(own, outside);
        outside->wait_for_arrivals(1);
        CHECK(named_group(pool.profile(), "member").parent.file == nullptr);
        outside->open();
        own.wait();
        lastly::creation_site parent_sites[2];
        parent_sites[0] = lastly::creation_site::current(); pool.detach([&, inside] { lastly::task_group g(pool); spawn_three(g, inside); parents->pass(); g.wait(); });
        parent_sites[1] = lastly::creation_site::current(); pool.detach([&, inside] { lastly::task_group g(pool); spawn_three(g, inside); parents->pass(); g.wait(); });
        parents->wait_for_arrivals(1);
        const task_profile p = pool.profile();
        inside->open();
        parents->open();
        pool.wait_idle();
        std::int64_t with_parent = 0;
        for (const group& g : p.groups) {
            if (std::strcmp(g.name, "member") != 0) continue;
            REQUIRE(g.parent.file != nullptr);
            CHECK(std::strcmp(g.parent.file, __FILE__) == 0);
            CHECK((g.parent.line == parent_sites[0].line || g.parent.line == parent_sites[1].line));
            CHECK(g.count <= 3);   // those of two parents are not one group
            with_parent += g.count;
        }
        CHECK(with_parent >= 3);
        check_end(pool);
    });
}
