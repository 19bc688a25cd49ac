// The sizes of blocks that the frame store deals in.
// Plain functions. A slab is 64 KiB of blocks of one class; larger blocks take a run of whole slabs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lastly::detail {

inline constexpr std::size_t slab_bytes = std::size_t{64} << 10;
inline constexpr std::array<std::uint32_t, 17> block_sizes = {64,  128, 192, 256,  320,  384,  448,  512, 640,
                                                              768, 896, 1024, 1536, 2048, 3072, 4096, 8192};
inline constexpr std::uint32_t small_classes = block_sizes.size();
inline constexpr std::uint32_t span_classes = 9;   // 64 KiB, doubling, to 16 MiB
inline constexpr std::uint32_t no_class = 31;

inline constexpr auto class_of_lines = [] {
    std::array<std::uint8_t, block_sizes.back() / 64 + 1> table{};
    std::uint8_t c = 0;
    for (std::size_t lines = 0; lines < table.size(); ++lines) {
        while (block_sizes[c] < lines * 64) ++c;
        table[lines] = c;
    }
    return table;
}();

// The class of a block of at least `bytes`: small, or small_classes + k for a run of 2^k slabs; no_class: too large.
constexpr std::uint32_t class_of(std::size_t bytes) noexcept {
    if (bytes <= block_sizes.back()) return class_of_lines[(bytes + 63) / 64];
    std::uint32_t k = 0;
    while (k < span_classes && (slab_bytes << k) < bytes) ++k;
    return k < span_classes ? small_classes + k : no_class;
}
constexpr std::size_t bytes_of(std::uint32_t size_class) noexcept {
    return size_class < small_classes ? block_sizes[size_class] : slab_bytes << (size_class - small_classes);
}

// A block's header, and the place of a name, stay what they are for ever: frames with and without a name never share a slab.
enum class block_kind : std::uint8_t { frame, named_frame, node, magazine };
constexpr block_kind kind_of(bool named) noexcept { return named ? block_kind::named_frame : block_kind::frame; }

// What a type knows of its blocks, so that nobody has to look it up.
struct block_size {
    static constexpr std::uint32_t shelves_a_kind = no_class + 1;
    std::uint32_t usable;   // what a block of that class holds; 0: there is no such class
    std::uint32_t shelf;    // where a thread keeps such blocks
    constexpr block_size(block_kind kind, std::size_t in_use) noexcept
        : usable(class_of(in_use) != no_class ? static_cast<std::uint32_t>(bytes_of(class_of(in_use))) : 0),
          shelf(static_cast<std::uint32_t>(kind) * shelves_a_kind + class_of(in_use)) {}
    constexpr block_kind kind() const noexcept { return static_cast<block_kind>(shelf / shelves_a_kind); }
    constexpr std::uint32_t size_class() const noexcept { return shelf % shelves_a_kind; }
};

}   // namespace lastly::detail
