// Where a task's memory may come from: lastly's frame store and three general allocators, one static interface.
// Any thread. allocate returns null on failure; release takes the size back, which only some need.
// mimalloc is opened at run time, in a scope of its own: linked in, its library would replace malloc in the whole process.
#pragma once

#include "core/structures/frame_store.hpp"

#ifdef LASTLY_BENCH_TBBMALLOC
#include <oneapi/tbb/scalable_allocator.h>
#endif

#include <cstddef>
#include <cstdlib>

#ifdef LASTLY_BENCH_MIMALLOC
#include <dlfcn.h>
#endif

namespace bench {

// Blocks begin at a cache line. Node blocks, because a frame block's first line is the store's even while it is free;
// both kinds take the same way.
struct lastly_store {
    static void* allocate(std::size_t bytes) noexcept { return lastly::detail::allocate_block({lastly::detail::block_kind::node, bytes}); }
    static void release(void* block, std::size_t bytes) noexcept {
        lastly::detail::release_block({lastly::detail::block_kind::node, bytes}, block);
    }
};

// Aligned to 16 bytes only, which is cheaper for it.
struct malloc_store {
    static void* allocate(std::size_t bytes) noexcept { return std::malloc(bytes); }
    static void release(void* block, std::size_t) noexcept { std::free(block); }
};

#ifdef LASTLY_BENCH_TBBMALLOC
struct tbb_store {
    static void* allocate(std::size_t bytes) noexcept { return scalable_aligned_malloc(bytes, 64); }
    static void release(void* block, std::size_t) noexcept { scalable_aligned_free(block); }
};
#endif

#ifdef LASTLY_BENCH_MIMALLOC
struct mimalloc_store {
    // False: there is no such library here.
    static bool open() noexcept {
        void* const library = dlopen(LASTLY_BENCH_MIMALLOC, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) return false;
        allocate_ = reinterpret_cast<void* (*)(std::size_t, std::size_t)>(dlsym(library, "mi_malloc_aligned"));
        release_ = reinterpret_cast<void (*)(void*)>(dlsym(library, "mi_free"));
        return allocate_ != nullptr && release_ != nullptr;
    }
    static void* allocate(std::size_t bytes) noexcept { return allocate_(bytes, 64); }
    static void release(void* block, std::size_t) noexcept { release_(block); }

private:
    static inline void* (*allocate_)(std::size_t, std::size_t) = nullptr;
    static inline void (*release_)(void*) = nullptr;
};
#endif

}   // namespace bench
