// The outcome's compiled part. See lastly/outcome.hpp.
// Any thread; no state.
#include "lastly/outcome.hpp"

namespace lastly {

const std::exception_ptr& outcome::no_error() noexcept {
    static const std::exception_ptr none;
    return none;
}

}   // namespace lastly
