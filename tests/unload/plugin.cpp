// A library that holds a static pool.
#include "plugin.hpp"

#include <lastly/lastly.hpp>

#include <chrono>
#include <thread>

#include <unistd.h>

namespace {

lastly::pool_options brief(unload::kind kind) {
    lastly::pool_options o;
    o.workers = unload::workers;
    o.name = "plugin";
    o.exit_budget = std::chrono::seconds(kind == unload::kind::hangs ? 2 : 10);   // what gives way needs as long as the machine takes
    return o;
}

// Made by the first call.
lastly::pool& held(unload::kind kind = unload::kind::gives_way) {
    static lastly::pool pool(brief(kind));
    return pool;
}

}   // namespace

extern "C" {

[[gnu::visibility("default")]] void start(unload::witness* w, unload::kind kind) {
    for (unsigned i = 0; i < unload::workers; ++i) {
        held(kind).detach([w, kind](lastly::task_context& t) {
            ++w->begun;
            while (kind == unload::kind::hangs) ::pause();
            while (!t.stop_requested()) std::this_thread::yield();
        }, lastly::named("holds on"), lastly::finally([w] { ++w->chains; }));
    }
    while (w->begun < unload::workers) std::this_thread::yield();
    for (unsigned i = 0; i < unload::queued; ++i) {
        held().detach([w] { ++w->wrong; }, lastly::finally([w](const lastly::outcome& o) {
            ++w->chains;
            if (!o.cancelled() || o.cause() != lastly::errc::process_exit) ++w->wrong;
        }));
    }
}

[[gnu::visibility("default")]] unsigned finish() {
    for (unsigned i = 0; i < unload::queued; ++i) held().detach([] {}, lastly::finally([] {}));
    return static_cast<unsigned>(held().shutdown().ledger.succeeded);
}

}
