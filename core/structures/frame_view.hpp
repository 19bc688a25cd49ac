// A look at a frame that somebody else may hold: a copy of its header that belongs to one task.
// Any thread, while tasks come and go. Invariant: `look` succeeds only if the header was one task's while it was read while it was read; edges F1
// and F2 in README.md here.
#pragma once

#include "lastly/detail/frame.hpp"

namespace lastly::detail {

struct frame_view {
    std::uint64_t progress;
    const char* name;
    creation_site site;
    std::uint64_t stamp;
    pool_anchor* owner;
};

const char* name_of(frame& f) noexcept;
// False: the frame is free, being built, or changed hands meanwhile.
bool look(frame& f, frame_view& v) noexcept;

}   // namespace lastly::detail
