// What the plugin and the program that loads it know of each other.
#pragma once

#include <atomic>

namespace unload {

// In the program's memory: it outlives the plugin.
struct witness {
    std::atomic<unsigned> begun{0}, chains{0}, wrong{0};
};

enum class kind : unsigned { gives_way, hangs };

// `start`: a body on every worker and tasks behind them. `finish`: an orderly shutdown; returns how many tasks it counted.
using start_function = void(witness*, kind);
using finish_function = unsigned();
inline constexpr unsigned workers = 2, queued = 100;

}   // namespace unload
