#include <lastly/lastly.hpp>
#include <cstdio>

int main() {
    lastly::pool pool({.workers = 2});
    const auto request = lastly::with_timeout(lastly::context::background(), std::chrono::milliseconds(50));

    lastly::task_group shards(pool, request.context());
    for (int shard = 0; shard < 3; ++shard) {
        shards.spawn([](lastly::task_context& t) {
            t.context().sleep_for(lastly::forever);   // a server that never answers
            t.throw_if_stopped();
        }, lastly::finally([] { std::puts("connection closed"); }));
    }
    try { shards.wait(); } catch (const lastly::task_cancelled& e) { std::printf("shards: %s\n", e.code().message().c_str()); }
}
