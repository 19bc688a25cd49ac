// The workload "matmul": C = A × B, n × n doubles, by quarters of C down to blocks of at most 64 × 64, each computed by one leaf.
// A tree for fork_tree.hpp. Leaves write C, each its block; the rest is read only. clear, check: while no round runs.
// Invariants: 1. Elements are small whole numbers, so that every order of adding is exact. 2. Every block is computed once, since it is
// added to zeros: their number is compared, and one element of each with the product of its row and column.
#pragma once

#include "workloads/fork_tree.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

class matmul {
public:
    static constexpr std::size_t arity = 4;
    static constexpr bool is_full = true;
    static constexpr std::uint64_t inner = 0;
    static constexpr std::size_t block = 64;
    static constexpr std::size_t largest = 16'384;
    struct node {
        std::uint32_t top, bottom, left, right;   // rows [top, bottom), columns [left, right) of C
    };
    struct children {
        node of;
        bool is_block;
        std::size_t count() const noexcept { return is_block ? 0 : arity; }
        node at(std::size_t i) const noexcept {
            const std::uint32_t row = of.top + (of.bottom - of.top) / 2;
            const std::uint32_t column = of.left + (of.right - of.left) / 2;
            return {i < 2 ? of.top : row, i < 2 ? row : of.bottom, i % 2 == 0 ? of.left : column, i % 2 == 0 ? column : of.right};
        }
    };

    explicit matmul(std::size_t n) : n_(n), a_(n * n), b_(n * n), c_(n * n) {
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                a_[i * n + j] = static_cast<double>((i * 7 + j * 3) % 16);
                b_[i * n + j] = static_cast<double>((i * 5 + j * 11) % 16);
            }
        }
    }
    void clear() { std::fill(c_.begin(), c_.end(), 0.0); }
    node root() const noexcept { return {0, static_cast<std::uint32_t>(n_), 0, static_cast<std::uint32_t>(n_)}; }
    children children_of(const node& n) const noexcept { return {n, std::max(n.bottom - n.top, n.right - n.left) <= block}; }

    // A panel of B at a time, so that it stays in the cache; the block of C is added up on the stack.
    std::uint64_t leaf(const node& n) const noexcept {
        std::array<double, block * block> sums{};
        const std::size_t width = n.right - n.left;
        for (std::size_t from = 0; from < n_; from += block) {
            const std::size_t to = std::min(from + block, n_);
            for (std::size_t i = n.top; i < n.bottom; ++i) {
                double* const sum = &sums[(i - n.top) * block];
                for (std::size_t k = from; k < to; ++k) add_row(sum, a_[i * n_ + k], &b_[k * n_ + n.left], width);
            }
        }
        for (std::size_t i = n.top; i < n.bottom; ++i) add_row(&c_[i * n_ + n.left], 1.0, &sums[(i - n.top) * block], width);
        return 1;
    }
    void check(std::uint64_t blocks) const {
        if (blocks != check_blocks(root())) fail("a block was lost, or was waited for too briefly");
    }

private:
    static void add_row(double* __restrict sum, double factor, const double* __restrict row, std::size_t width) noexcept {
        for (std::size_t j = 0; j < width; ++j) sum[j] += factor * row[j];
    }
    // How many blocks there are below n.
    std::uint64_t check_blocks(const node& n) const {
        const children below = children_of(n);
        if (below.count() == 0) return check_element(n), 1;
        std::uint64_t blocks = 0;
        for (std::size_t i = 0; i < arity; ++i) blocks += check_blocks(below.at(i));
        return blocks;
    }
    // Another one in each block.
    void check_element(const node& n) const {
        const std::size_t i = n.top + (n.left / block * 5) % (n.bottom - n.top);
        const std::size_t j = n.left + (n.top / block * 3) % (n.right - n.left);
        double right = 0;
        for (std::size_t k = 0; k < n_; ++k) right += a_[i * n_ + k] * b_[k * n_ + j];
        if (c_[i * n_ + j] != right) fail("an element of the product is wrong");
    }

    std::size_t n_;
    std::vector<double> a_;
    std::vector<double> b_;
    mutable std::vector<double> c_;
};

}   // namespace bench
