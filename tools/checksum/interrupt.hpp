// SIGINT, SIGTERM and SIGHUP ask the main thread to stop and clean up; a second one, half a second
// later or more, has its usual effect at once.
// The handler notes the signal's number and its time. Workers block these signals; a signal ignored by the caller stays so.
#pragma once

namespace checksum {

/// Also makes writing to a closed pipe, and beyond the file size limit, an error instead of a signal.
void watch_for_interrupts();

/// The signal that came, or 0.
[[nodiscard]] int interrupted() noexcept;

/// "SIGINT" and the like.
[[nodiscard]] const char* signal_name(int signal) noexcept;

/// Ends the process by the signal, so that whoever started it sees what ended it.
void end_by(int signal) noexcept;

}  // namespace checksum
