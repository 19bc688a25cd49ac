// Marks the names that a shared build of the library exports; everything else is hidden.
// Any thread; no state.
#pragma once

#define LASTLY_EXPORT [[gnu::visibility("default")]]
