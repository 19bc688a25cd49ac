// The outcome's compiled part. See lastly/outcome.hpp.
// Any thread; no state.
#include "lastly/outcome.hpp"

namespace lastly {

namespace {
const std::exception_ptr none;   // null before its construction and after its destruction, too
}   // namespace

const std::exception_ptr& outcome::no_error() noexcept { return none; }

}   // namespace lastly
