// Nodes of the cancellation tree for tests: a reference that counts itself, what counts a node's stops, and a thread with little stack.
#pragma once

#include "core/task/context.hpp"

#include <atomic>
#include <initializer_list>
#include <pthread.h>
#include <stop_token>
#include <utility>
#include <vector>

namespace support {

class node {
public:
    explicit node(lastly::detail::context_node* owned) noexcept : node_(owned) {}
    node(const node& other) noexcept : node_(other.node_) { node_->retain(); }
    node(node&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    node& operator=(node other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~node() {
        if (node_ != nullptr) node_->release();
    }
    lastly::detail::context_node* get() const noexcept { return node_; }
    lastly::detail::context_node* operator->() const noexcept { return node_; }

private:
    lastly::detail::context_node* node_;
};

inline node make(std::initializer_list<node> parents,
                 lastly::detail::context_node::time_point deadline = lastly::detail::context_node::time_point::max()) {
    std::vector<lastly::detail::context_node*> all;
    for (const node& p : parents) all.push_back(p.get());
    return node(lastly::detail::context_node::make(all, deadline));
}

// Counts how often the node's stop callbacks ran.
class stop_counter {
public:
    stop_counter(const node& n, std::atomic<int>& total) : callback_(n->stop_token(), tell{&total}) {}

private:
    struct tell {
        std::atomic<int>* total;
        void operator()() const noexcept { total->fetch_add(1); }
    };
    std::stop_callback<tell> callback_;
};

// Runs it on a thread with a stack that a recursion of some thousand steps would leave. False: no such thread.
template <class Call>
bool on_small_stack(Call call) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 * 1024);
    pthread_t thread;
    const auto entry = [](void* c) -> void* {
        (*static_cast<Call*>(c))();
        return nullptr;
    };
    const bool started = pthread_create(&thread, &attributes, entry, &call) == 0;
    if (started) pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    return started;
}

}   // namespace support
