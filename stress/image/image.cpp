// A library that is loaded and unloaded by the scenario `unloads`: static storage, and a static object whose destructor says that it goes.
#include "stress/image/image.hpp"

using lastly::stress::scenarios::image;

extern "C" {
[[gnu::visibility("default")]] image lastly_stress_image;
}

namespace {

struct last_words {
    ~last_words() {
        if (lastly_stress_image.at_end != nullptr) lastly_stress_image.at_end(lastly_stress_image.storage);
    }
} at_unload;

}   // namespace
