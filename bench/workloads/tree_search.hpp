// The workload "tree_search": how many nodes an unbalanced tree has that nobody knows before visiting it. A node's children are so many
// with a probability of (4/5)^k × 1/5, four on average, down to a depth; their number follows from a hash, which each hands to its own.
// A tree for fork_tree.hpp; a value, which any thread may read. Source: the geometric trees of fixed shape in the unbalanced tree search
// benchmark (Olivier et al. 2006), with a smaller hash (splitmix64) and at most 32 children. Integers only, so that it is the same tree
// everywhere. Invariant: the count is compared with that of a sequential walk, made once, and at the default depth with a known one.
#pragma once

#include "workloads/fork_tree.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

class tree_search {
public:
    static constexpr std::size_t default_depth = 10;
    static constexpr std::size_t largest = 20;
    static constexpr std::size_t arity = 32;
    static constexpr bool is_full = false;
    static constexpr std::uint64_t inner = 1;
    struct node {
        std::uint64_t hash;
        std::uint64_t depth_left;
    };
    struct children {
        std::uint64_t hash;
        std::uint64_t depth_left;   // of each
        std::size_t found;
        std::size_t count() const noexcept { return found; }
        node at(std::size_t i) const noexcept { return {mix(hash + (i + 1) * golden), depth_left}; }
    };

    explicit tree_search(std::size_t depth) : depth_(depth), nodes_(count_branches(*this) + 1) {
        if (depth == default_depth && nodes_ != default_nodes) fail("the tree is another one than that of other figures");
    }
    node root() const noexcept { return {mix(seed), depth_}; }
    static children children_of(const node& n) noexcept {
        if (n.depth_left == 0) return {};
        std::size_t found = 0;
        while (found < arity && n.hash < at_least[found]) ++found;
        return {n.hash, n.depth_left - 1, found};
    }
    static std::uint64_t leaf(const node&) noexcept { return 1; }
    void check(std::uint64_t nodes) const {
        if (nodes != nodes_) fail("a node was lost, or was waited for too briefly");
    }

private:
    static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;
    static constexpr std::uint64_t seed = 27;
    static constexpr std::uint64_t default_nodes = 4'223'323;

    static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    // Below the k-th: more than k children.
    static constexpr std::array<std::uint64_t, arity> at_least = [] {
        std::array<std::uint64_t, arity> t{};
        std::uint64_t limit = ~std::uint64_t{0};
        for (std::uint64_t& each : t) each = limit = limit / 5 * 4;
        return t;
    }();

    std::uint64_t depth_;
    std::uint64_t nodes_;
};

}   // namespace bench
