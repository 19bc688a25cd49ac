// A user's own stress scenarios, from the installed library: one that is right, and one that must be convicted.
#include <lastly/stress.hpp>

#include <string>

using namespace lastly::stress;

namespace {

// A user's task type.
struct invoice {
    std::uint64_t number;
    void operator()() const {
        if (std::to_string(number).empty()) throw number;
    }
};

void invoices(round& r) {
    lastly::pool pool(r.options());
    const watch shown(pool);
    for (std::uint64_t i = 0; i < r.tasks(); ++i) {
        send<1>(r.next(), {.ends = ends::succeeded, .must_begin = true}, into(pool), invoice{i});
    }
    r.close(pool);
}

// Expects a body that never comes.
void forgets(round& r) {
    lastly::pool pool(r.options());
    pool.close();
    send<1>(r.next(), {.must_begin = true}, into(pool), invoice{1});
    r.close(pool);
}

}   // namespace

int main(int argc, char** argv) {
    static constexpr scenario all[] = {
        {.name = "invoices", .about = "parse and store", .run = invoices},
        {.name = "forgets", .about = "is convicted", .run = forgets},
    };
    return run_suite(argc, argv, all);
}
