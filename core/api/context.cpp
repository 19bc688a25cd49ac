// The compiled half of lastly/context.hpp, over the nodes of core/task/context.
// Any thread, as each declaration says.
#include "lastly/context.hpp"

#include "core/base/clock.hpp"
#include "core/task/context.hpp"
#include "lastly/detail/fault.hpp"

#include <stdexcept>

namespace lastly {

using detail::context_access;
using detail::context_node;

context::context(const context& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) node_->retain();
}

void context::drop() noexcept { node_->release(); }

bool context::stop_requested() const noexcept { return node_ != nullptr && node_->stopped(); }

std::error_code context::cause() const noexcept { return context_access::node(*this)->cause(); }

std::optional<std::chrono::steady_clock::time_point> context::deadline() const noexcept {
    const auto moment = context_access::node(*this)->deadline();
    if (moment == context_node::time_point::max()) return std::nullopt;
    return moment;
}

std::stop_token context::stop_token() const { return context_access::node(*this)->stop_token(); }

bool context::sleep_for(std::chrono::nanoseconds duration) const noexcept { return sleep_until(detail::deadline_after(duration)); }

bool context::sleep_until(std::chrono::steady_clock::time_point moment) const noexcept {
    return context_access::node(*this)->sleep_until(moment);
}

cancel_source& cancel_source::operator=(cancel_source&& other) noexcept {
    if (this == &other) return *this;
    cancel();
    context_ = std::move(other.context_);
    return *this;
}

cancel_source::~cancel_source() {
    if (!LASTLY_FAULT("C3-owner")) cancel();
}

const lastly::context& cancel_source::context() const& {
    if (context_ == lastly::context::background()) throw std::logic_error("lastly: this cancel_source was moved from and has no context");
    return context_;
}

bool cancel_source::cancel(std::error_code cause) noexcept { return context_access::node(context_)->cancel(cause); }

cancel_source with_cancel(const context& parent) { return with_deadline(parent, context_node::time_point::max()); }

cancel_source with_timeout(const context& parent, std::chrono::nanoseconds limit) {
    return with_deadline(parent, detail::deadline_after(limit));
}

cancel_source with_deadline(const context& parent, std::chrono::steady_clock::time_point moment) {
    context_node* const parents[] = {context_access::node(parent)};
    return context_access::own(context_node::make(parents, moment));
}

}   // namespace lastly
