// See frame_view.hpp.
#include "core/structures/frame_view.hpp"

namespace lastly::detail {

const char* name_of(frame& f) noexcept {
    const frame_ops* const ops = f.ops.load(acquire);   // order: [F2] sees at least the building phase of a newer task
    if (ops == nullptr || !ops->named) return "";
    const char* const text = reinterpret_cast<name_slot*>(f.at(sizeof(frame)))->load(acquire);   // order: [F2] likewise for the name
    return text != nullptr ? text : "";
}

bool look(frame& f, frame_view& v) noexcept {
    v.progress = f.progress.load(acquire);   // order: [F1] sees the fields of the phase
    const phase p = phase_of(v.progress);
    if (p == phase::free || p == phase::building) return false;
    v.name = name_of(f);
    // order (block): [F2] a newer field shows the newer task's building phase to the load below
    v.site.file = f.file.load(acquire);
    v.site.line = f.line.load(acquire);
    v.stamp = f.stamp.load(acquire);
    v.owner = f.owner.load(acquire);

    return f.progress.load(relaxed) >> 32 == v.progress >> 32;   // order: after the acquiring loads above
}

}   // namespace lastly::detail
