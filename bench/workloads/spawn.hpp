// The workload "spawn from inside": one task of the pool spawns empty tasks with a 16-byte capture into a group and waits for them.
// Written once, over a backend (../peers/). run_spawn is called by the thread that made the backend. Invariants: 1. The clock runs inside
// the pool, from the first spawn until the wait returns. 2. Cleanups of 8 bytes are attached, that is given with the task, or deferred:
// the body decides on them when it runs, and they are no part of what the task captures. 3. Each round checks that exactly what was spawned
// has run, its cleanups included, and aborts otherwise.
#pragma once

#include "workloads/empty_task.hpp"
#include "workloads/round_times.hpp"
#include "workloads/tally.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bench {

enum class spawn_kind : std::uint8_t { plain, one_attached, three_attached, one_deferred, three_deferred };

constexpr unsigned cleanups_of(spawn_kind kind) noexcept {
    switch (kind) {
        case spawn_kind::plain: return 0;
        case spawn_kind::one_attached:
        case spawn_kind::one_deferred: return 1;
        case spawn_kind::three_attached:
        case spawn_kind::three_deferred: return 3;
    }
    return 0;
}

// A backend is made with the number of threads that compute, its caller included where that takes part. `within(f)` calls f in a task
// of the pool, or where its users spawn. A `group` is made, used and waited for there.
template <class B>
concept spawn_backend = requires(B& in, typename B::group& members, task_body body, cleanup c, unsigned workers) {
    B(workers);
    requires std::is_constructible_v<typename B::group, B&>;
    in.within([] {});
    members.spawn(body);
    members.spawn_attached(body, c);
    members.spawn_attached(body, c, c, c);
    members.template spawn_deferring<3>(body);
    members.wait();
};

template <class Group>
void spawn_all(Group& members, tally& to, std::size_t count, spawn_kind kind) {
    const task_body body{&to, 1};
    const cleanup c{&to};
    const auto repeat = [count](auto spawn) {
        for (std::size_t i = 0; i < count; ++i) spawn();
    };
    switch (kind) {
        case spawn_kind::plain: return repeat([&] { members.spawn(body); });
        case spawn_kind::one_attached: return repeat([&] { members.spawn_attached(body, c); });
        case spawn_kind::three_attached: return repeat([&] { members.spawn_attached(body, c, c, c); });
        case spawn_kind::one_deferred: return repeat([&] { members.template spawn_deferring<1>(body); });
        case spawn_kind::three_deferred: return repeat([&] { members.template spawn_deferring<3>(body); });
    }
}

template <spawn_backend B>
round_times run_spawn(B& in, std::size_t tasks, spawn_kind kind) {
    using clock = std::chrono::steady_clock;
    tally counted;
    clock::duration taken{};
    in.within([&] {
        typename B::group members(in);
        const auto begin = clock::now();
        spawn_all(members, counted, tasks, kind);
        members.wait();
        taken = clock::now() - begin;
    });
    if (!counted.holds(tasks, tasks * cleanups_of(kind))) fail("tasks or cleanups were lost, or ran twice, or were waited for too briefly");
    return {std::chrono::duration<double, std::nano>(taken).count() / static_cast<double>(tasks), counted.threads()};
}

}   // namespace bench
