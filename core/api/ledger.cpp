// The ledger's laws. See lastly/ledger.hpp.
// Any thread; no state.
#include "lastly/ledger.hpp"

namespace lastly {

bool ledger_snapshot::balanced() const noexcept {
    return attempts == accepted + rejected                                              // L1
        && accepted == succeeded + failed + cancelled                                   // L2
        && finalizers_attached == finalizers_run                                        // L3
        && finalizers_run == finalizers_returned + finalizers_thrown
        && live == 0;                                                                   // L4
}

}   // namespace lastly
