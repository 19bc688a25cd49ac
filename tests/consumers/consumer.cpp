// What a user of the installed library compiles.
#include <lastly/lastly.hpp>

int main() {
    int cleaned = 0;
    lastly::pool pool({.workers = 2});
    const int answer = pool.run([] { return 42; }, lastly::finally([&] { ++cleaned; }));
    return answer == 42 && cleaned == 1 && pool.shutdown().ledger.balanced() ? 0 : 1;
}
