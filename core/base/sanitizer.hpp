// Whether the thread sanitizer watches this build.
// Source: the compilers' own macros (GCC: __SANITIZE_THREAD__, Clang: __has_feature).
#pragma once

namespace lastly::base {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool thread_sanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif
#else
inline constexpr bool thread_sanitizer = false;
#endif

}   // namespace lastly::base
