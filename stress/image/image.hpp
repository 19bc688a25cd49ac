// What the library of the scenario `unloads` and the scenario know of each other.
// The thread that loads and unloads it.
#pragma once

namespace lastly::stress::scenarios {

// The library has one, `lastly_stress_image`: storage that is gone when it is unloaded, and what it calls first.
struct image {
    alignas(64) unsigned char storage[256];
    void (*at_end)(void* storage);
};

}   // namespace lastly::stress::scenarios
