// See arena.hpp.
#include "stress/witness/arena.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lastly::stress::detail {

namespace {

constexpr std::size_t cells_from = 4096;   // a page for the header
static_assert(sizeof(arena_header) <= cells_from);

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

}   // namespace

arena::arena(int file, std::uint64_t cells, bool fresh)
    : file_(file), room_(cells), bytes_(cells_from + cells * sizeof(cell)), header_(nullptr), cells_(nullptr) {
    void* const memory = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) fail("lastly-stress: the shared memory of the witness");
    header_ = fresh ? ::new (memory) arena_header : std::launder(static_cast<arena_header*>(memory));
    // A file of zeros is an array of unused cells.
    cells_ = std::launder(reinterpret_cast<cell*>(static_cast<std::byte*>(memory) + cells_from));
}

arena::arena(arena&& o) noexcept
    : file_(std::exchange(o.file_, -1)), room_(o.room_), bytes_(o.bytes_), header_(std::exchange(o.header_, nullptr)), cells_(o.cells_) {}

arena::~arena() {
    if (header_ != nullptr) ::munmap(header_, bytes_);
    if (file_ >= 0) ::close(file_);
}

arena arena::make(std::uint64_t cells) {
    const int file = ::memfd_create("lastly-stress witness", 0);
    if (file < 0) fail("lastly-stress: a memory file for the witness");
    errno = ::posix_fallocate(file, 0, static_cast<off_t>(cells_from + cells * sizeof(cell)));   // all of it now, not when it is written
    if (errno != 0) fail("lastly-stress: memory for the witness");
    return arena(file, cells, true);
}

arena arena::open(int file) {
    struct stat about{};
    if (::fstat(file, &about) != 0) fail("lastly-stress: the witness's file");
    return arena(file, (static_cast<std::uint64_t>(about.st_size) - cells_from) / sizeof(cell), false);
}

std::uint64_t arena::used() const noexcept { return std::min(header_->next_cell.load(std::memory_order_relaxed), room_); }

void arena::clear() noexcept {
    static_assert(std::is_trivially_destructible_v<cell>);
    std::memset(static_cast<void*>(cells_), 0, used() * sizeof(cell));
    arena_header& h = *header_;
    for (auto& sum : h.books) sum.store(0, std::memory_order_relaxed);
    for (auto& sum : h.reports) sum.store(0, std::memory_order_relaxed);
    for (auto& sum : h.counted) sum.store(0, std::memory_order_relaxed);
    for (auto* const sum : {&h.lawful_reports, &h.held_up, &h.refused_attempts}) sum->store(0, std::memory_order_relaxed);
    h.is_unsupported.store(false, std::memory_order_relaxed);
    h.rules_broken.store(0, std::memory_order_relaxed);
    std::memset(h.rule, 0, sizeof h.rule);
    h.next_cell.store(0, std::memory_order_relaxed);
}

}   // namespace lastly::stress::detail
