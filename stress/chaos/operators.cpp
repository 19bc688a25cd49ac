// The replaced operators of the program: see allocation.hpp. In a file of their own, which a build can leave out: then no allocation fails.
#include "stress/chaos/allocation.hpp"

#include <cstddef>
#include <new>

namespace chaos = lastly::stress::chaos;

namespace {

void* allocate_or_throw(std::size_t bytes, std::size_t alignment) {
    if (void* const block = chaos::allocate(bytes, alignment)) return block;
    throw std::bad_alloc();   // the program has no new_handler
}

}   // namespace

void* operator new(std::size_t bytes) { return allocate_or_throw(bytes, 0); }
void* operator new[](std::size_t bytes) { return allocate_or_throw(bytes, 0); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return chaos::allocate(bytes, 0); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return chaos::allocate(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t a) { return allocate_or_throw(bytes, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t bytes, std::align_val_t a) { return allocate_or_throw(bytes, static_cast<std::size_t>(a)); }
void* operator new(std::size_t bytes, std::align_val_t a, const std::nothrow_t&) noexcept { return chaos::allocate(bytes, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t bytes, std::align_val_t a, const std::nothrow_t&) noexcept { return chaos::allocate(bytes, static_cast<std::size_t>(a)); }

void operator delete(void* block) noexcept { chaos::release(block); }
void operator delete[](void* block) noexcept { chaos::release(block); }
void operator delete(void* block, std::size_t) noexcept { chaos::release(block); }
void operator delete[](void* block, std::size_t) noexcept { chaos::release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { chaos::release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { chaos::release(block); }
void operator delete(void* block, std::align_val_t) noexcept { chaos::release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { chaos::release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { chaos::release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { chaos::release(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept { chaos::release(block); }
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept { chaos::release(block); }
