// The ledger's laws: each of them alone unbalances it.
#include "lastly/ledger.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using lastly::ledger_snapshot;

namespace {

// A pool's account in which every law holds.
ledger_snapshot sound() {
    ledger_snapshot s;
    s.attempts = 10;
    s.accepted = 7;
    s.rejected = 3;
    s.succeeded = 4;
    s.failed = 2;
    s.cancelled = 1;
    s.finalizers_attached = 9;
    s.finalizers_run = 9;
    s.finalizers_returned = 8;
    s.finalizers_thrown = 1;
    return s;
}

}   // namespace

TEST_CASE("ledger: an account in which every law holds is balanced") {
    CHECK(sound().balanced());
    ledger_snapshot s = sound();
    s.held = 5;   // finished: no matter
    CHECK(s.balanced());
}

TEST_CASE("ledger: one more or one less in any column unbalances it") {
    struct column { const char* name; std::uint64_t ledger_snapshot::*member; };
    for (const column& c : {column{"attempts", &ledger_snapshot::attempts}, column{"accepted", &ledger_snapshot::accepted},
                            column{"rejected", &ledger_snapshot::rejected}, column{"succeeded", &ledger_snapshot::succeeded},
                            column{"failed", &ledger_snapshot::failed}, column{"cancelled", &ledger_snapshot::cancelled},
                            column{"attached", &ledger_snapshot::finalizers_attached}, column{"run", &ledger_snapshot::finalizers_run},
                            column{"returned", &ledger_snapshot::finalizers_returned}, column{"thrown", &ledger_snapshot::finalizers_thrown},
                            column{"live", &ledger_snapshot::live}}) {
        const std::string name = c.name;
        CAPTURE(name);
        ledger_snapshot s = sound();
        ++(s.*c.member);
        CHECK_FALSE(s.balanced());
        s = sound();
        if (s.*c.member == 0) continue;
        --(s.*c.member);
        CHECK_FALSE(s.balanced());
    }
}

TEST_CASE("ledger: a finalizer that was attached and has not run unbalances it, also if counts agree elsewhere") {
    ledger_snapshot s = sound();
    s.finalizers_attached = 10;
    CHECK_FALSE(s.balanced());
    s = sound();
    s.finalizers_attached = s.finalizers_run = 10;   // begun, and neither returned nor thrown
    CHECK_FALSE(s.balanced());
}
