// The workload "nqueens": how many ways there are to place n queens on n rows so that none threatens another; a branch a placement.
// A tree for fork_tree.hpp; a value, which any thread may read. A node is a board, copied into each branch, as programs of this kind have
// it: each column of the next row is compared with all rows above. Invariant: the sum is compared with the known one.
#pragma once

#include "workloads/fork_tree.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

class nqueens {
public:
    static constexpr std::size_t largest = 16;
    static constexpr std::size_t arity = largest;
    static constexpr bool is_full = false;
    static constexpr std::uint64_t inner = 0;
    struct node {
        std::array<std::int8_t, arity> columns;   // of the queens placed, one a row
        std::uint8_t rows;                        // that have theirs
    };
    struct children {
        const node& above;
        std::array<std::int8_t, arity> free;   // columns of the next row
        std::uint8_t found;
        std::size_t count() const noexcept { return found; }
        node at(std::size_t i) const noexcept {
            node n = above;
            n.columns[n.rows++] = free[i];
            return n;
        }
    };

    explicit nqueens(std::size_t n) : n_(static_cast<std::uint8_t>(n)) {}
    node root() const noexcept { return {}; }
    children children_of(const node& n) const noexcept {
        children below{n, {}, 0};
        if (n.rows == n_) return below;
        for (std::uint8_t column = 0; column < n_; ++column) {
            if (is_free(n, column)) below.free[below.found++] = static_cast<std::int8_t>(column);
        }
        return below;
    }
    std::uint64_t leaf(const node& n) const noexcept { return n.rows == n_ ? 1 : 0; }   // 0: a dead end
    void check(std::uint64_t sum) const {
        if (sum != ways[n_]) fail("a placement was lost, or was waited for too briefly");
    }

private:
    static constexpr std::array<std::uint32_t, arity + 1> ways{1,   1,   0,     0,      2,      10,      4,        40,        92,
                                                               352, 724, 2'680, 14'200, 73'712, 365'596, 2'279'184, 14'772'512};

    static bool is_free(const node& n, int column) noexcept {
        for (int row = 0; row < n.rows; ++row) {
            const int taken = n.columns[static_cast<std::size_t>(row)];
            const int apart = n.rows - row;
            if (taken == column || taken - column == apart || column - taken == apart) return false;
        }
        return true;
    }
    std::uint8_t n_;
};

}   // namespace bench
