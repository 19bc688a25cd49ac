// What the process under test shows of its pools when the judge says that it hangs.
// Any thread.
#pragma once

namespace lastly::stress::detail {

// To stderr: the profile and the ledger of each pool that is watched.
void show_watched_pools();

}   // namespace lastly::stress::detail
